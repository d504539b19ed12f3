"""What is learned from the bytes of a picture, and what may be asked of the decoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

THUMBNAIL_PX = 128


class UndecodableError(Exception):
    """The bytes are no picture that can be shown: damaged, of an unknown kind, or too large. The message says which."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What decoding one picture may cost.

    Args:
        max_pixels: More are refused before anything is decoded.
        max_memory_bytes: Address space of the decoding process.
        timeout_s: A picture that takes longer is given up.
    """

    max_pixels: int = 300_000_000
    max_memory_bytes: int = 3 * 1024**3
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Measures:
    """The numbers that sample clients send, of the picture as RGB without its orientation applied.

    Args:
        shape: Height and width in px, channels (always 3).
        mean: Per channel, 0..1.
        std: Population standard deviation per channel, 0..1.
        sum_of_values: Per channel, of values in 0..1.
        sum_of_squares: Per channel, of values in 0..1.
        snr: Mean over standard deviation of all values; 0 for one flat colour.
        sharpness: Standard deviation of the grey picture behind an edge filter, 0..255.
        luminance: Mean lightness of the grey picture, 0..100.
        uniform_row_ratio: Share of rows, top to bottom, that are of one grey value; 0..1.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    sum_of_values: tuple[float, float, float]
    sum_of_squares: tuple[float, float, float]
    snr: float
    sharpness: float
    luminance: float
    uniform_row_ratio: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything learned from one file in one go.

    Args:
        sha256: Of the bytes, hex.
        perceptual_hash: 64 bits as a signed integer; few differing bits mean pictures that look alike.
        width_px: As stored, before the orientation is applied.
        height_px: As stored, before the orientation is applied.
        format: E.g. ``JPEG``, ``PNG``, ``TIFF``.
        bit_depth: Of one channel: 1, 8, 16 or 32.
        channels: As stored: 1 grey, 3 colour, 4 with alpha or CMYK.
        exif: Tags by name, GPS among them; JSON values.
        measures: See there.
        thumbnail: WebP, at most `THUMBNAIL_PX` wide and high, orientation applied, sRGB.
    """

    sha256: str
    perceptual_hash: int
    width_px: int
    height_px: int
    format: str
    bit_depth: int
    channels: int
    exif: Mapping[str, Any]
    measures: Measures
    thumbnail: bytes
