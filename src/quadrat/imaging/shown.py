"""Looks at one picture that people are to see, for importers: its size, and a small JPEG when it is large.

Imported by decoding processes alone, as `decode` is.
"""

import io
from dataclasses import dataclass

from PIL import Image

from quadrat.imaging import decode
from quadrat.imaging.types import UndecodableError

_FORMATS = {"PNG": ".png", "JPEG": ".jpg", "GIF": ".gif"}
_JPEG_QUALITY = 85
# What a PNG holds as it is; of the other kinds of pixels, these would lose what they say.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B"})
_TOO_DEEP = frozenset({"I", "F"})


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture.

    Args:
        extension: By what it is, whatever it is called: ``.png``, ``.jpg`` or ``.gif``.
        width_px: As stored.
        height_px: As stored.
        thumbnail: JPEG; None when the picture is small enough to be its own.
        thumbnail_width_px: Of that.
        thumbnail_height_px: Of that.
        content: A PNG of the same pixels; None when the picture is to be kept as it came.
    """

    extension: str
    width_px: int
    height_px: int
    thumbnail: bytes | None = None
    thumbnail_width_px: int | None = None
    thumbnail_height_px: int | None = None
    content: bytes | None = None


def look_at(content: bytes, *, max_pixels: int, side_px: int, with_tiff: bool = False) -> Shown:
    """Decode a PNG, JPEG or GIF completely; a TIFF becomes a PNG, because browsers show none.

    Args:
        content: The bytes.
        max_pixels: More are refused before anything is decoded.
        side_px: A picture that is wider or higher gets a thumbnail of at most this width and height.
        with_tiff: Whether a TIFF is a picture too; of several pages the first counts.

    Raises:
        UndecodableError: Damaged, of another kind, or of too many pixels.
    """
    formats = (*_FORMATS, "TIFF") if with_tiff else tuple(_FORMATS)
    with decode.refusing(), decode.open_picture(io.BytesIO(content), max_pixels, formats) as image:
        extension = _FORMATS.get(str(image.format), ".png")
        width, height = image.size
        image.load()
        as_png = _as_png(image) if image.format == "TIFF" else None
        if max(width, height) <= side_px:
            return Shown(extension, width, height, content=as_png)
        small = decode.shrink(image, image.getexif().get(decode.ORIENTATION, 1), side_px)
        encoded = io.BytesIO()
        small.save(encoded, "JPEG", quality=_JPEG_QUALITY)
        return Shown(extension, width, height, encoded.getvalue(), *small.size, content=as_png)


def _as_png(image: Image.Image) -> bytes:
    if image.mode in _TOO_DEEP:
        raise UndecodableError("This TIFF has pixels of 32 bits; save it with 8 or 16 bits.")
    shown = image if image.mode in _PNG_MODES else image.convert("RGBA" if "A" in image.mode else "RGB")
    encoded = io.BytesIO()
    shown.save(encoded, "PNG")
    return encoded.getvalue()
