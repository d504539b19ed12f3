"""What pictures are, by their bytes. Pure."""

import base64
import binascii
import io
import re

from PIL import Image

from quadrat.gaze.types import Size

MAX_PIXELS = 400_000_000
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*")
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}
_PREFIX = re.compile(rb"data:[\w/+.-]*;base64,")


def read_picture(data: bytes) -> tuple[bytes, str, Size] | None:
    """The bytes of a PNG or JPEG, its media type and size; None for anything else.

    One client uploads the base64 text of a picture and calls it a picture; that is decoded. What was declared does not
    count.
    """
    found = _recognize(data)
    if found is not None:
        return data, *found
    text = _PREFIX.sub(b"", data[:100], count=1) + data[100:]
    if _BASE64.fullmatch(text[:4096]) is None and _BASE64.fullmatch(text[:4096] + b"=") is None:
        return None
    try:
        decoded = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return None
    found = _recognize(decoded)
    return None if found is None else (decoded, *found)


def _recognize(data: bytes) -> tuple[str, Size] | None:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            size = Size(image.width, image.height)
            media_type = _MEDIA_TYPES[image.format or ""]
            if size.width * size.height > MAX_PIXELS:
                return None
            image.verify()
    # Pillow has no common base for what broken files raise.
    except Exception:  # noqa: BLE001
        return None
    return media_type, size


def thumbnail(data: bytes, longest: int) -> bytes:
    """A PNG whose longer side is at most `longest` pixels, with the same aspect ratio."""
    with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
        small = image.convert("RGBA" if image.mode in {"RGBA", "LA", "P", "PA"} else "RGB")
        small.thumbnail((longest, longest))
        target = io.BytesIO()
        small.save(target, "PNG")
        return target.getvalue()
