import base64
import io
from collections.abc import AsyncIterator

import numpy as np
import pytest
from PIL import Image

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.pictures.pool import Pictures
from quadrat.gaze.rules.png import write_png
from quadrat.gaze.types import Size

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pictures() -> AsyncIterator[Pictures]:
    made = Pictures()
    yield made
    await made.close()


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    target = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(target, "PNG")
    return target.getvalue()


async def test_alpha_that_is_not_opaque_everywhere_decides_alone(pictures: Pictures):
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, 0] = (0, 0, 0, 255)
    pixels[0, 1] = (9, 9, 9, 1)
    pixels[1, 2] = (255, 255, 255, 0)
    assert (await pictures.read_mask(png(pixels))).tolist() == [[True, True, False], [False, False, False]]


async def test_opaque_pixels_are_inside_where_any_colour_is_above_zero(pictures: Pictures):
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[0, 1] = (0, 0, 1, 255)
    assert (await pictures.read_mask(png(pixels))).tolist() == [[False, True, False]]


async def test_other_kinds_of_png_are_read_alike(pictures: Pictures):
    grey = np.zeros((4, 5), np.uint8)
    grey[1:3, 2:4] = 255
    for mode in ("L", "1", "P", "RGB", "LA"):
        assert (await pictures.read_mask(png(grey, mode)) == (grey > 0)).all()
    assert (await pictures.read_mask(png(grey.astype(np.uint16))) == (grey > 0)).all()


@pytest.mark.parametrize("data", [b"no picture", png(np.ones((3, 3), np.uint8))[:40], b""])
async def test_what_cannot_be_decoded_is_refused_and_the_next_one_is_not(pictures: Pictures, data: bytes):
    with pytest.raises(QuadratError) as caught:
        await pictures.read_mask(data)
    assert caught.value.kind is ErrorKind.INVALID
    assert (await pictures.read_mask(png(np.ones((2, 2), np.uint8)))).all()


async def test_mask_of_too_many_pixels_is_refused(pictures: Pictures):
    with pytest.raises(QuadratError, match="at most 64000000 pixels"):
        await pictures.read_mask(png(np.zeros((8001, 8000), np.uint8)))


async def test_picture_for_which_there_is_no_memory_is_refused(pictures: Pictures, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("quadrat.gaze.pictures.pool._MEMORY_BYTES", 1024)
    with pytest.raises(QuadratError, match=r"broke down|more memory"):
        await pictures.read_mask(png(np.ones((2, 2), np.uint8)))


async def test_picture_is_recognised_by_its_bytes_also_behind_base64(pictures: Pictures):
    jpeg = io.BytesIO()
    Image.new("RGB", (3000, 30), "red").save(jpeg, "JPEG")
    for data in (
        jpeg.getvalue(),
        base64.b64encode(jpeg.getvalue()),
        b"data:x;base64," + base64.b64encode(jpeg.getvalue()),
    ):
        found = await pictures.recognize(data)
        assert found is not None
        assert (found.media_type, found.size, found.data) == ("image/jpeg", Size(3000, 30), jpeg.getvalue())
        assert Image.open(io.BytesIO(found.thumbnail_png)).size == (2048, 20)
    assert await pictures.recognize(b"text that is no picture") is None


async def test_written_png_comes_back_pixel_for_pixel(pictures: Pictures):
    pixels = np.random.default_rng(5).integers(0, 255, (7, 9, 3)).astype(np.uint8)
    assert (await pictures.resize(write_png(pixels), Size(9, 7)) == pixels).all()
