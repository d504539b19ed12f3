"""What a tag may be called, and which one may be changed. Pure.

Source: spec of the samples API, sections 1.2 and 2.3.
"""

import re

from quadrat.errors import ErrorKind
from quadrat.samples.rules.common import refusal
from quadrat.samples.types import MaskOperation, Tag, TagId

INITIAL_NAME = "initial-tag"
"""Clients look for this very name."""
MAX_NAME = 255
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9 .:;=@_-]{2,}")


def check_name(name: str) -> None:
    """Refuse a name that clients would refuse.

    Raises:
        QuadratError: invalid.
    """
    if len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
        raise refusal(
            ErrorKind.INVALID,
            "BAD_REQUEST",
            f"A tag name has 3 to {MAX_NAME} letters, digits, blanks and .:;=@_-, and begins with a letter or digit.",
            "name",
        )


def check_changeable(tag: Tag) -> None:
    """The initial tag stays as it is: it holds every sample and all other tags hang on it.

    Raises:
        QuadratError: wrong_state.
    """
    if tag.previous_id is None:
        raise refusal(
            ErrorKind.WRONG_STATE,
            "TAG_UNDELETABLE_IS_INITIAL",
            "The initial tag can be neither renamed nor deleted.",
        )


def parent_of_result(first: Tag, operation: MaskOperation, initial: TagId) -> TagId:
    """Under which tag the result of an operation hangs: one that holds all of its samples."""
    return initial if operation is MaskOperation.UNION else first.id
