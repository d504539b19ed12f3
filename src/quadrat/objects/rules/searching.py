"""What people type into search fields, as patterns. Pure."""

import re
from collections.abc import Sequence

_WILD = re.compile(r"[ *]+")
_SPECIAL = re.compile(r"([\\%_])")


def search_parts(query: str) -> list[str]:
    """What matches begin with, and what they have behind it: spaces and stars stand for anything. Lower case."""
    return _WILD.split(query.strip().lower())


def search_pattern(parts: Sequence[str]) -> str:
    """The parts as a LIKE pattern."""
    return "%".join(_SPECIAL.sub(r"\\\1", part) for part in parts) + "%"


def star_pattern(query: str) -> str:
    """A LIKE pattern for text that holds what was typed; stars stand for anything."""
    escaped = [_SPECIAL.sub(r"\\\1", part) for part in query.split("*")]
    return "%" + "%".join(escaped) + "%"


def listed_ids(text: str) -> list[int]:
    """Numbers in a text, split at whatever is no digit."""
    return [int(number) for number in re.findall(r"\d+", text) if int(number) < 2**63]
