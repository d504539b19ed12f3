"""Numbers of a picture, from counts of its values. Pure.

Source: spec of the samples API, sections 3.1 and 3.2: exact from 256 counts per channel, without an array of floats.
"""

import math
from collections.abc import Sequence
from operator import mul

from quadrat.imaging.types import Measures

_LEVELS = range(256)
_SQUARES = [level * level for level in _LEVELS]
_HASH_SIDE = 32
_HASH_LOW = 8
_COSINES = [
    [math.cos(math.pi * frequency * (2 * place + 1) / (2 * _HASH_SIDE)) for place in range(_HASH_SIDE)]
    for frequency in range(_HASH_LOW)
]


def from_counts(
    shape: tuple[int, int], counts: Sequence[Sequence[int]], grey: Sequence[int], edges: Sequence[int], flat_rows: int
) -> Measures:
    """The numbers of a picture.

    Args:
        shape: Height and width in px.
        counts: How often each of 256 values occurs, for red, green and blue.
        grey: The same of the grey picture.
        edges: The same of the grey picture behind the edge filter.
        flat_rows: Rows of one grey value.
    """
    height, width = shape
    pixels = height * width
    sums = [sum(map(mul, _LEVELS, channel)) for channel in counts]
    squares = [sum(map(mul, _SQUARES, channel)) for channel in counts]
    mean = [total / pixels / 255 for total in sums]
    std = [_deviation(total, square, pixels) / 255 for total, square in zip(sums, squares, strict=True)]
    overall = _deviation(sum(sums), sum(squares), 3 * pixels)
    return Measures(
        shape=(height, width, 3),
        mean=_three(mean),
        std=_three(std),
        sum_of_values=_three([total / 255 for total in sums]),
        sum_of_squares=_three([square / 255**2 for square in squares]),
        snr=sum(sums) / (3 * pixels) / overall if overall else 0.0,
        sharpness=_deviation(sum(map(mul, _LEVELS, edges)), sum(map(mul, _SQUARES, edges)), pixels),
        luminance=sum(map(mul, _LEVELS, grey)) / pixels / 2.55,
        uniform_row_ratio=flat_rows / height,
    )


def _deviation(total: int, squares: int, count: int) -> float:
    """Population standard deviation from whole sums: exact until the root."""
    return math.sqrt(squares * count - total * total) / count


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def perceptual_hash(grey: bytes) -> int:
    """A hash of what a picture looks like, as a signed 64-bit integer.

    The low frequencies of the cosine transform of the picture shrunk to 32 x 32 grey values, each compared with their
    median. Pictures that look alike differ in few bits, whatever their size, format and quality.

    Args:
        grey: 32 x 32 values, row by row.
    """
    rows = [grey[start : start + _HASH_SIDE] for start in range(0, _HASH_SIDE * _HASH_SIDE, _HASH_SIDE)]
    across = [[sum(map(mul, cosines, row)) for row in rows] for cosines in _COSINES]
    low = [sum(map(mul, cosines, column)) for cosines in _COSINES for column in across]
    # The first is the brightness of the whole, which says nothing about what is in the picture.
    median = sorted(low[1:])[len(low) // 2 - 1]
    bits = sum(1 << place for place, value in enumerate(low) if place and value > median)
    return bits - (1 << 64) if bits >> 63 else bits
