"""Masks: pictures and boxes in, inside pixels, boxes, centroids and canonical pictures out. Pure."""

import base64
import binascii
import re
import zlib
from hashlib import sha256
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.rules.png import write_png
from quadrat.gaze.types import Box, MaskFacts, Size

Inside: TypeAlias = NDArray[np.bool_]
"""Inside pixels, indexed [row, column]."""

MAX_PIXELS = 64_000_000
MAX_URL_BYTES = 32 * 1024**2
DEFAULT_SIZE = Size(1000, 1000)
_PREFIX = "data:image/png;base64,"
_COLOR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_ASPECT_TOLERANCE = 0.02
_DARKEST_LUMA = 16
_WHITE = (255, 255, 255)


def _invalid(message: str, field: str = "mask_image_data_url") -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field=field)


def decode_data_url(url: str) -> bytes:
    """The PNG inside a ``data:image/png;base64,`` address.

    Raises:
        QuadratError: invalid.
    """
    if len(url) > MAX_URL_BYTES:
        raise _invalid(f"A mask may have at most {MAX_URL_BYTES} characters.")
    if not url.startswith(_PREFIX):
        raise _invalid(f"A mask is a PNG that begins with {_PREFIX}")
    try:
        return base64.b64decode(url[len(_PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("The mask is not standard base64.") from None


def data_url(png: bytes) -> str:
    """A PNG as a data address."""
    return _PREFIX + base64.b64encode(png).decode()


def fill_box(box: Box, size: Size) -> Inside:
    """A rectangle at the size of the reference image, its edges rounded to pixels.

    Raises:
        QuadratError: invalid when nothing of it is on the image.
    """

    def pixels(low: float, high: float, length: int) -> slice:
        first, last = sorted((low, high))
        return slice(min(length, max(0, round(first * length))), min(length, max(0, round(last * length))))

    inside = np.zeros((size.height, size.width), bool)
    inside[pixels(box.top, box.bottom, size.height), pixels(box.left, box.right, size.width)] = True
    if not inside.any():
        raise _invalid("The bounding box covers no pixel of the image.", "bounding_box")
    return inside


def check_mask(inside: Inside, reference: Size | None) -> Inside:
    """The inside pixels of a picture, checked against the reference image.

    Args:
        inside: As decoded.
        reference: Size of the reference image; None when the plane has none.

    Raises:
        QuadratError: invalid.
    """
    height, width = inside.shape
    if reference is not None:
        ratio = (width / height) / (reference.width / reference.height)
        if abs(ratio - 1) > _ASPECT_TOLERANCE:
            raise _invalid(
                f"The mask has {width} x {height} pixels; its aspect ratio differs from that of the reference image, "
                f"{reference.width} x {reference.height}, by more than 2 %."
            )
    if not inside.any():
        raise _invalid("The mask is empty: no pixel is inside.")
    return inside


def describe(inside: Inside) -> MaskFacts:
    """Box, centroid, area and digest of a mask that is not empty."""
    height, width = inside.shape
    in_rows = np.count_nonzero(inside, axis=1)
    in_columns = np.count_nonzero(inside, axis=0)
    rows, columns = np.flatnonzero(in_rows), np.flatnonzero(in_columns)
    area = int(in_rows.sum())
    center_x = float((in_columns * (np.arange(width) + 0.5)).sum()) / area / width
    center_y = float((in_rows * (np.arange(height) + 0.5)).sum()) / area / height
    box = Box(
        left=int(columns[0]) / width,
        right=(int(columns[-1]) + 1) / width,
        top=int(rows[0]) / height,
        bottom=(int(rows[-1]) + 1) / height,
    )
    digest = sha256(f"{width}x{height}\n".encode() + np.packbits(inside).tobytes()).digest()
    return MaskFacts(Size(width, height), digest, box, (center_x, center_y), area)


def pack(inside: Inside) -> bytes:
    """Inside pixels as one bit each, compressed: what is stored for counting."""
    return zlib.compress(np.packbits(inside).tobytes(), 1)


def unpack(packed: bytes, size: Size) -> Inside:
    """The inverse of `pack`."""
    bits = np.frombuffer(zlib.decompress(packed), np.uint8)
    flat = np.unpackbits(bits, count=size.width * size.height)
    return flat.reshape(size.height, size.width).view(bool)


def paint_of(color: str | None) -> tuple[int, int, int]:
    """The colour in which a mask is painted: the area's, or white where that is missing or too dark.

    Clients decode masks as grey and drop alpha; a black area would read as outside.
    """
    match = _COLOR.fullmatch(color or "")
    if match is None:
        return _WHITE
    red, green, blue = (int(part, 16) for part in match.groups())
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return _WHITE if luma < _DARKEST_LUMA else (red, green, blue)


def paint(inside: Inside, color: str | None) -> bytes:
    """The canonical PNG: RGBA, inside opaque in the area's colour, outside (0, 0, 0, 0)."""
    pixels = np.zeros((*inside.shape, 4), np.uint8)
    pixels[inside] = (*paint_of(color), 255)
    return write_png(pixels)


def decode_rle(counts: list[int], size: Size) -> Inside:
    """A mask from run lengths, row by row, beginning with outside pixels.

    Raises:
        QuadratError: invalid when the runs do not add up to the size.
    """
    lengths = np.asarray(counts, np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or int(lengths.sum()) != size.width * size.height:
        raise _invalid(f"The run lengths do not add up to {size.width} x {size.height} pixels.", "counts")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(size.height, size.width)


def fill_polygon(points: list[tuple[float, float]], size: Size) -> Inside:
    """The pixels whose centres lie inside a polygon (even-odd rule).

    Args:
        points: Corners in 0..1, origin top left.
        size: Of the mask.

    Raises:
        QuadratError: invalid for fewer than 3 corners.
    """
    if len(points) < 3:
        raise _invalid("A polygon has at least 3 corners.", "polygon")
    corners = np.asarray(points, float) * (size.width, size.height)
    inside = np.zeros((size.height, size.width), bool)
    centers_x = np.arange(size.width) + 0.5
    x0, y0 = corners[:, 0], corners[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    for row in range(size.height):
        y = row + 0.5
        crossing = (y0 > y) != (y1 > y)
        cuts = np.sort(x0[crossing] + (y - y0[crossing]) * (x1 - x0)[crossing] / (y1 - y0)[crossing])
        inside[row] = np.searchsorted(cuts, centers_x, side="right") % 2 == 1
    return inside
