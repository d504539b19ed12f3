"""Looks at one picture that people are to see, for importers: its size, and a small JPEG when it is large.

Imported by decoding processes alone, as `decode` is.
"""

import io
from dataclasses import dataclass

from quadrat.imaging import decode

_FORMATS = {"PNG": ".png", "JPEG": ".jpg", "GIF": ".gif"}
_JPEG_QUALITY = 85


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
    """

    extension: str
    width_px: int
    height_px: int
    thumbnail: bytes | None = None
    thumbnail_width_px: int | None = None
    thumbnail_height_px: int | None = None


def look_at(content: bytes, *, max_pixels: int, side_px: int) -> Shown:
    """Decode a PNG, JPEG or GIF completely.

    Args:
        content: The bytes.
        max_pixels: More are refused before anything is decoded.
        side_px: A picture that is wider or higher gets a thumbnail of at most this width and height.

    Raises:
        UndecodableError: Damaged, of another kind, or of too many pixels.
    """
    with decode.refusing(), decode.open_picture(io.BytesIO(content), max_pixels, tuple(_FORMATS)) as image:
        extension = _FORMATS[str(image.format)]
        width, height = image.size
        image.load()
        if max(width, height) <= side_px:
            return Shown(extension, width, height)
        small = decode.shrink(image, image.getexif().get(decode.ORIENTATION, 1), side_px)
        encoded = io.BytesIO()
        small.save(encoded, "JPEG", quality=_JPEG_QUALITY)
        return Shown(extension, width, height, encoded.getvalue(), *small.size)
