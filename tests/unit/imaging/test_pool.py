"""Decoding in processes: in parallel, within bounds, and without harm when one dies."""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from quadrat.errors import QuadratError
from quadrat.imaging.pool import DecoderPool
from quadrat.imaging.types import Bounds, UndecodableError

pytestmark = pytest.mark.anyio


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "quadrat.imaging.child" in child.cmdline()]


async def test_pictures_are_read_side_by_side_and_damaged_ones_refused(tmp_path: Path):
    pool = DecoderPool(2)
    for number in range(6):
        Image.new("RGB", (100 + number, 80), "teal").save(tmp_path / f"{number}.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    *found, bad = await asyncio.gather(
        *(pool.read(tmp_path / f"{number}.png") for number in range(6)),
        pool.read(tmp_path / "bad.png"),
        return_exceptions=True,
    )
    assert [picture.width_px for picture in found] == [100, 101, 102, 103, 104, 105]
    assert isinstance(bad, UndecodableError)
    assert len(children()) == 2
    assert (await pool.shrink(tmp_path / "0.png", 32))[8:12] == b"WEBP"
    await pool.close()
    assert children() == []


async def test_picture_beyond_the_memory_of_a_process_is_refused_and_the_next_one_is_read(tmp_path: Path):
    pool = DecoderPool(1, Bounds(max_memory_bytes=400 * 1024**2))
    Image.new("RGB", (16_000, 12_000)).save(tmp_path / "huge.png", compress_level=1)
    Image.new("RGB", (10, 10)).save(tmp_path / "small.png")
    with pytest.raises(UndecodableError, match="memory"):
        await pool.read(tmp_path / "huge.png")
    assert (await pool.read(tmp_path / "small.png")).width_px == 10
    await pool.close()


async def test_picture_that_takes_too_long_is_given_up(tmp_path: Path):
    pool = DecoderPool(1, Bounds(timeout_s=0.001))
    Image.new("RGB", (4000, 4000)).save(tmp_path / "slow.png", compress_level=1)
    with pytest.raises(UndecodableError, match="seconds"):
        await pool.read(tmp_path / "slow.png")
    await pool.close()


async def test_killed_process_is_replaced_and_the_picture_read_again(tmp_path: Path):
    pool = DecoderPool(1)
    Image.new("RGB", (10, 10)).save(tmp_path / "a.png")
    await pool.read(tmp_path / "a.png")
    children()[0].kill()
    assert (await pool.read(tmp_path / "a.png")).width_px == 10
    await pool.close()


async def test_file_that_is_away_is_no_fault_of_the_picture(tmp_path: Path):
    pool = DecoderPool(1)
    with pytest.raises(QuadratError, match="No such file"):
        await pool.read(tmp_path / "gone.png")
    await pool.close()


def test_asking_process_never_loads_the_decoder():
    assert "quadrat.imaging.child" not in sys.modules
