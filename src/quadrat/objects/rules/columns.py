"""How free columns and hashes are named and made: the same in imports, queries and exports. Pure."""

import re
import zlib

MAX_OBJECT_NUMBERS = 500
MAX_OBJECT_TEXTS = 20
MAX_SAMPLE_TEXTS = 60
MAX_ACQUISITION_TEXTS = 30
MAX_PROCESS_TEXTS = 30

_PHYSICAL = re.compile(r"([nt])([0-9]{1,3})")


def physical_name(letter: str, position: int) -> str:
    """The wire API's name of a free column: ``n01`` for the number at position 0, ``t01`` for the text there."""
    return f"{letter}{position + 1:02d}"


def position_of(physical: str) -> tuple[str, int] | None:
    """Letter and position (from 0) of a physical name; None for anything else."""
    match = _PHYSICAL.fullmatch(physical)
    if match is None or int(match[2]) == 0:
        return None
    return match[1], int(match[2]) - 1


def random_value(orig_id: str) -> int:
    """A number that looks random and never changes: the CRC-32 of the name as a signed 32-bit integer."""
    return int.from_bytes(zlib.crc32(orig_id.encode()).to_bytes(4, "big"), "big", signed=True)
