"""Names that nobody chose: a slug of a title or an address, made unique."""

import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from quadrat.base.slugs import MAX_LENGTH, make_unique

Made = TypeVar("Made")
_COUNTED_ATTEMPTS = 5
_RANDOM_ATTEMPTS = 5
_SUFFIX = 8


async def make_named(
    slug: str, list_taken: Callable[[str], Awaitable[set[str]]], insert: Callable[[str], Awaitable[Made | None]]
) -> Made:
    """Insert under the slug, or the next variant of it that is free.

    Args:
        slug: The name wished for.
        list_taken: The names that begin with a stem.
        insert: Tries a name; None when another transaction took it in the meantime.
    """
    stem = slug[: MAX_LENGTH - _SUFFIX].rstrip("-")
    for _ in range(_COUNTED_ATTEMPTS):
        made = await insert(make_unique(slug, await list_taken(stem)))
        if made is not None:
            return made
    # Many transactions count up at the same time: step aside.
    for _ in range(_RANDOM_ATTEMPTS):
        made = await insert(f"{stem}-{secrets.token_hex(3)}")
        if made is not None:
            return made
    message = f"no name like {slug} could be inserted"
    raise RuntimeError(message)
