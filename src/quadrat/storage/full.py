"""A full disk: how it shows, and what callers are told."""

import errno

from quadrat.errors import ErrorKind, QuadratError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WORDS = ("No space left", "os error 28", "Disk quota exceeded", "os error 122")


def is_disk_full(error: BaseException) -> bool:
    """Whether the error says that there is no space, or none for this user."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # The store's library tells it in words alone.
    return any(words in str(error) for words in _WORDS)


def disk_full() -> QuadratError:
    """What callers are told until there is space again."""
    return QuadratError(
        ErrorKind.UNAVAILABLE, "The disk is full: nothing can be stored until there is space.", retry_after_s=30
    )
