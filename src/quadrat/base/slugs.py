"""Names that serve as URL keys."""

import re
import unicodedata
from collections.abc import Container

_SLUG = re.compile(r"[a-z][a-z0-9-]{0,63}")
MAX_LENGTH = 64


def is_slug(name: str) -> bool:
    """Lower-case letters, digits and dashes, first a letter, 1 to 64 characters, the whole string."""
    return _SLUG.fullmatch(name) is not None


def slugify(title: str, *, fallback: str) -> str:
    """A slug that reads like the title; `fallback` when nothing of it remains."""
    ascii_text = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")
    slug = re.sub(r"^[^a-z]+", "", slug)[:MAX_LENGTH].rstrip("-")
    return slug or fallback


def make_unique(slug: str, taken: Container[str]) -> str:
    """The slug itself, or with the first of ``-2``, ``-3``, ... that is not taken; never over 64 characters."""
    if slug not in taken:
        return slug
    number = 2
    while True:
        suffix = f"-{number}"
        candidate = slug[: MAX_LENGTH - len(suffix)].rstrip("-") + suffix
        if candidate not in taken:
            return candidate
        number += 1
