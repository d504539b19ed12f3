"""What people type into search fields, as patterns. Pure."""

import re

_WILD = re.compile(r"[ *]+")
_SPECIAL = re.compile(r"([\\%_])")


def search_pattern(query: str) -> tuple[str, str]:
    """The beginning that matches have, and the whole as a LIKE pattern: spaces and stars stand for anything.

    Lower case; what was typed matches at the beginning.
    """
    parts = _WILD.split(query.strip().lower())
    escaped = [_SPECIAL.sub(r"\\\1", part) for part in parts]
    return parts[0], "%".join(escaped) + "%"


def star_pattern(query: str) -> str:
    """A LIKE pattern for text that holds what was typed; stars stand for anything."""
    escaped = [_SPECIAL.sub(r"\\\1", part) for part in query.split("*")]
    return "%" + "%".join(escaped) + "%"


def listed_ids(text: str) -> list[int]:
    """Numbers in a text, split at whatever is no digit."""
    return [int(number) for number in re.findall(r"\d+", text) if int(number) < 2**63]
