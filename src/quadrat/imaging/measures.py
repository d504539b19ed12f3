"""Numbers of a picture, from counts and sums of its values. Pure.

Source: spec of the samples API, sections 3.1 and 3.2: exact from 256 counts per channel, without an array of floats.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quadrat.imaging.grey import GreySums
from quadrat.imaging.types import Measures

_LEVELS = np.arange(256, dtype=np.int64)
_SQUARES = _LEVELS * _LEVELS
HASH_SIDE = 32
_HASH_LOW = 8
# Frequency by place, as whole numbers: their sums are the same on every machine, also where they would cancel out.
_COSINES = np.array(
    [
        [round(math.cos(math.pi * frequency * (2 * place + 1) / (2 * HASH_SIDE)) * 2**20) for place in range(HASH_SIDE)]
        for frequency in range(_HASH_LOW)
    ],
    np.int64,
)

Counts = NDArray[np.int64]


def from_sums(shape: tuple[int, int], counts: Sequence[Counts], grey: GreySums) -> Measures:
    """The numbers of a picture.

    Args:
        shape: Height and width in px.
        counts: How often each of 256 values occurs, for red, green and blue.
        grey: Of the grey picture.
    """
    height, width = shape
    pixels = height * width
    sums = [_total(channel) for channel in counts]
    squares = [_total(channel, _SQUARES) for channel in counts]
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
        sharpness=_deviation(grey.edge_total, grey.edge_squares, pixels),
        luminance=grey.total / pixels / 2.55,
        uniform_row_ratio=grey.flat_rows / height,
    )


def _total(counts: Counts, of: Counts = _LEVELS) -> int:
    return int(counts @ of)


def _deviation(total: int, squares: int, count: int) -> float:
    """Population standard deviation from whole sums: exact until the root."""
    return math.sqrt(squares * count - total * total) / count


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """A hash of what a picture looks like, as a signed 64-bit integer.

    The low frequencies of the cosine transform of the picture shrunk to 32 x 32 grey values, each compared with their
    median. Pictures that look alike differ in few bits, whatever their size, format and quality.

    Args:
        grey: 32 rows by 32 columns.
    """
    low = (_COSINES @ grey.astype(np.int64) @ _COSINES.T).ravel()
    # The first is the brightness of the whole, which says nothing about what is in the picture.
    median = np.sort(low[1:])[len(low) // 2 - 1]
    set_ = low > median
    set_[0] = False
    return int(np.packbits(set_, bitorder="little").view("<i8")[0])
