"""What importers keep of a picture."""

import io

import pytest
from PIL import Image

from quadrat.imaging.shown import look_at
from quadrat.imaging.types import UndecodableError

LIMITS = {"max_pixels": 10**6, "side_px": 20}


def encoded(mode: str, kind: str, size: tuple[int, int] = (16, 12)) -> bytes:
    content = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(content, kind)
    return content.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_tiff_becomes_a_png_of_the_same_pixels(mode: str):
    tiff = encoded(mode, "TIFF")
    shown = look_at(tiff, with_tiff=True, **LIMITS)
    assert (shown.extension, shown.width_px, shown.height_px, shown.thumbnail) == (".png", 16, 12, None)
    assert shown.content is not None
    with Image.open(io.BytesIO(shown.content)) as kept, Image.open(io.BytesIO(tiff)) as given:
        assert kept.format == "PNG"
        wanted = given.convert("RGB") if mode == "CMYK" else given
        assert kept.mode == wanted.mode
        assert kept.tobytes() == wanted.tobytes()


def test_large_tiff_has_a_thumbnail_as_well():
    shown = look_at(encoded("L", "TIFF", (40, 30)), with_tiff=True, **LIMITS)
    assert (shown.thumbnail_width_px, shown.thumbnail_height_px) == (20, 15)
    assert shown.content is not None


@pytest.mark.parametrize("mode", ["I", "F"])
def test_tiff_with_pixels_that_no_png_holds_is_refused_with_what_to_do(mode: str):
    with pytest.raises(UndecodableError, match="8 or 16 bits"):
        look_at(encoded(mode, "TIFF"), with_tiff=True, **LIMITS)


def test_tiff_is_no_picture_where_it_is_not_asked_for():
    with pytest.raises(UndecodableError, match="no picture of a known kind"):
        look_at(encoded("L", "TIFF"), **LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_other_pictures_are_kept_as_they_came(kind: str):
    assert look_at(encoded("L", kind), with_tiff=True, **LIMITS).content is None
