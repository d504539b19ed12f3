"""Sets of samples as whole numbers: bit k stands for the sample with index k. Pure.

Source: spec of the samples API, section 2.3.
"""

import re
from collections.abc import Iterator

from quadrat.errors import ErrorKind
from quadrat.samples.rules.common import refusal
from quadrat.samples.types import MaskOperation

_HEX = re.compile(r"0x[a-f0-9]+")
_PLACES = [tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]


def parse_mask(text: str, n_samples: int) -> int:
    """A mask from lower-case hex.

    Args:
        text: Begins with ``0x``.
        n_samples: How many bits may be set.

    Raises:
        QuadratError: invalid.
    """
    if _HEX.fullmatch(text) is None:
        raise refusal(
            ErrorKind.INVALID,
            "DATASET_TAG_INVALID",
            "A mask is 0x with hex digits in lower case.",
            "bit_mask_data",
        )
    mask = int(text, 16)
    if mask.bit_length() > n_samples:
        raise refusal(
            ErrorKind.INVALID,
            "DATASET_TAG_INVALID",
            f"The mask names sample {mask.bit_length() - 1}, but the dataset has {n_samples} samples.",
            "bit_mask_data",
        )
    return mask


def format_mask(mask: int) -> str:
    """Lower-case hex with ``0x`` and no zeros in front."""
    return hex(mask)


def all_of(n_samples: int) -> int:
    """The mask of every sample."""
    return (1 << n_samples) - 1


def combine(first: int, second: int, operation: MaskOperation) -> int:
    """What two masks give."""
    if operation is MaskOperation.UNION:
        return first | second
    if operation is MaskOperation.INTERSECTION:
        return first & second
    return first & ~second


def mask_of(indexes: Iterator[int]) -> int:
    """The mask of these samples."""
    packed = bytearray()
    for index in indexes:
        byte = index >> 3
        if byte >= len(packed):
            packed.extend(bytes(byte + 1 - len(packed)))
        packed[byte] |= 1 << (index & 7)
    return int.from_bytes(packed, "little")


def indexes_of(mask: int) -> list[int]:
    """Indexes of the samples in a mask, in order; in time that grows with the length, not with its square."""
    found: list[int] = []
    for place, byte in enumerate(to_bytes(mask)):
        if byte:
            start = place << 3
            found.extend([start + bit for bit in _PLACES[byte]])
    return found


def to_bytes(mask: int) -> bytes:
    """Little-endian, as it is stored."""
    return mask.to_bytes((mask.bit_length() + 7) // 8, "little")


def from_bytes(stored: bytes) -> int:
    """What `to_bytes` made."""
    return int.from_bytes(stored, "little")
