"""What names and other texts may be. Pure."""

import re

from quadrat.errors import ErrorKind, QuadratError

MAX_NAME = 500
MAX_TEXT = 10_000
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _invalid(message: str, field: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field=field)


def check_name(name: str, field: str = "name") -> str:
    """A name that people write: 1 to 500 characters, not only blanks.

    Raises:
        QuadratError: invalid.
    """
    if not name.strip():
        raise _invalid(f"The {field} may not be empty.", field)
    if len(name) > MAX_NAME:
        raise _invalid(f"The {field} has at most {MAX_NAME} characters.", field)
    return _check_storable(name, field)


def check_text(text: str | None, field: str) -> str | None:
    """A longer text, or none.

    Raises:
        QuadratError: invalid.
    """
    if text is None:
        return None
    if len(text) > MAX_TEXT:
        raise _invalid(f"The {field} has at most {MAX_TEXT} characters.", field)
    return _check_storable(text, field)


def check_color(color: str | None) -> str | None:
    """A colour as it was sent; masks are painted white where it is not ``#RRGGBB``.

    Raises:
        QuadratError: invalid.
    """
    if color is not None and len(color) > 100:
        raise _invalid("A color has at most 100 characters, best as #RRGGBB.", "color")
    return None if color is None else _check_storable(color, "color")


def _check_storable(text: str, field: str) -> str:
    if _UNSTORABLE.search(text):
        raise _invalid(f"The {field} may not contain NUL characters or lone surrogates.", field)
    return text
