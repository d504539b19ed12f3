"""What a model may be called and declare. Pure."""

import re
from collections.abc import Sequence

from quadrat.base.slugs import is_slug
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.types import DataKind, Field, Signature

MAX_DESCRIPTION = 200
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def check_name(name: str, *, field: str) -> str:
    """A name that serves as URL key.

    Raises:
        QuadratError: invalid.
    """
    if not is_slug(name):
        raise QuadratError(
            ErrorKind.INVALID,
            f"The {field} must be 1 to 64 lower-case letters, digits and dashes, and start with a letter.",
            field=field,
        )
    return name


def check_description(description: str) -> str:
    """A description that every client can read again.

    Raises:
        QuadratError: invalid.
    """
    if len(description) > MAX_DESCRIPTION:
        raise QuadratError(
            ErrorKind.INVALID, f"A description has at most {MAX_DESCRIPTION} characters.", field="description"
        )
    if "\0" in description:
        raise QuadratError(ErrorKind.INVALID, "A description has no NUL characters.", field="description")
    return description


def check_signature(kind: DataKind, fields: Sequence[Field], *, direction: str) -> Signature:
    """Structured data has at least one field, plain data none; names are unique.

    Args:
        kind: Structured or plain.
        fields: As declared.
        direction: ``input`` or ``output``, for the message.

    Raises:
        QuadratError: invalid.
    """
    where = f"{direction}_fields"
    if kind is DataKind.PLAIN and fields:
        raise QuadratError(ErrorKind.INVALID, f"A plain {direction} has no fields.", field=where)
    if kind is DataKind.STRUCTURED and not fields:
        raise QuadratError(ErrorKind.INVALID, f"A structured {direction} needs at least one field.", field=where)
    seen: set[str] = set()
    for item in fields:
        if _FIELD_NAME.fullmatch(item.name) is None:
            raise QuadratError(
                ErrorKind.INVALID,
                f"A field of the {direction} must be called by 1 to 64 letters, digits, dashes and underscores, "
                "starting with a letter.",
                field=where,
            )
        if item.name in seen:
            raise QuadratError(ErrorKind.INVALID, f"The {direction} has more than one field {item.name}.", field=where)
        seen.add(item.name)
    return Signature(kind, tuple(fields))
