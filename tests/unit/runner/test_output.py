"""Log lines out of a pipe, however the pieces arrive."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from quadrat.runner import output
from quadrat.runner.base import LogLine
from quadrat.runner.output import LINE_LIMIT_BYTES, OutputReader

pytestmark = pytest.mark.anyio

TOKEN = bytes(range(100, 116))


def mark(number: int) -> bytes:
    return TOKEN + struct.pack(">Q", number)


@dataclass
class Pipe:
    reader: OutputReader
    writer: int
    lines: list[LogLine]

    def write(self, data: bytes) -> None:
        os.write(self.writer, data)

    def seen(self) -> list[tuple[str | None, str]]:
        return [(line.request_id, line.text) for line in self.lines]


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    lines: list[LogLine] = []
    pipe = Pipe(OutputReader(reader, TOKEN, lines.append), writer, lines)
    yield pipe
    pipe.reader.close()
    os.close(writer)


STREAM = b"start\n" + mark(0) + b"a\nb" + mark(1) + mark(2) + b"\n\nc" + TOKEN[:7] + b"d" + mark(3) + b"end"
EXPECTED = [(None, "start"), ("r1", "a"), ("r1", "b"), ("r3", "c" + TOKEN[:7].decode() + "d"), ("r4", "end")]


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
async def test_read_stream_cut_anywhere_gives_the_same_lines(pipe: Pipe, cut: int) -> None:
    for number in range(5):
        pipe.reader.expect(number, f"r{number}" if number else None)
    pipe.write(STREAM[:cut])
    pipe.reader.drain(3)
    pipe.write(STREAM[cut:])
    pipe.reader.drain(3)
    pipe.reader.close()
    assert pipe.seen() == EXPECTED


async def test_read_stream_byte_by_byte_gives_the_same_lines(pipe: Pipe) -> None:
    for number in range(5):
        pipe.reader.expect(number, f"r{number}" if number else None)
    for position in range(len(STREAM)):
        pipe.write(STREAM[position : position + 1])
        pipe.reader.drain(3)
    pipe.reader.close()
    assert pipe.seen() == EXPECTED


async def test_drain_without_the_mark_returns(pipe: Pipe) -> None:
    pipe.reader.expect(1, "r1")
    pipe.write(b"x\n")
    pipe.reader.drain(1)
    assert pipe.seen() == [("r1", "x")]


async def test_close_twice_reads_once(pipe: Pipe) -> None:
    pipe.write(b"x")
    pipe.reader.close()
    pipe.reader.close()
    assert pipe.seen() == [(None, "x")]


async def test_line_at_the_limit_is_whole_and_one_more_byte_is_cut(pipe: Pipe) -> None:
    pipe.reader.expect(1, "r1")
    for extra in (0, 1):
        text = b"x" * (LINE_LIMIT_BYTES + extra) + b"\n"
        pipe.write(text[:40_000])
        pipe.reader.drain(1)
        pipe.write(text[40_000:])
        pipe.reader.drain(1)
    assert [len(line.text) for line in pipe.lines] == [LINE_LIMIT_BYTES, LINE_LIMIT_BYTES + len("… (line cut)")]


async def test_flood_pauses_reading_and_goes_on(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "PAUSE_BYTES", 50_000)
    monkeypatch.setattr(output, "PAUSE_S", 0.01)
    total = 500_000

    def flood() -> None:
        for _ in range(total // 1000):
            os.write(pipe.writer, b"x" * 999 + b"\n")

    await asyncio.to_thread(flood)
    async with asyncio.timeout(10):
        while len(pipe.lines) < total // 1000:
            await asyncio.sleep(0)
    assert all(len(line.text) == 999 for line in pipe.lines)


async def test_end_of_all_writers_stops_reading(pipe: Pipe) -> None:
    pipe.write(b"last")
    os.close(pipe.writer)
    pipe.writer = os.open("/dev/null", os.O_WRONLY)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not asyncio.get_running_loop().remove_reader(pipe.reader._descriptor)
    pipe.reader.close()
    assert pipe.seen() == [(None, "last")]
