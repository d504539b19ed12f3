"""What names and other texts may be. Pure."""

import json
import re

from quadrat.errors import ErrorKind, QuadratError

MAX_NAME = 500
MAX_TEXT = 10_000
MAX_JSON = 100_000
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NOT_IN_FILES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_MAX_STEM = 100
# In JSON text: an escaped NUL, and not an escaped backslash before "u0000".
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


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


def check_json(value: object, field: str) -> None:
    """Refuse a JSON value that the database cannot keep, or that is too long.

    Raises:
        QuadratError: invalid.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise _invalid(f"The {field} may hold finite numbers only.", field) from None
    if len(text) > MAX_JSON:
        raise _invalid(f"The {field} has at most {MAX_JSON} characters as JSON.", field)
    if _UNSTORABLE.search(text) or _ESCAPED_NUL.search(text):
        raise _invalid(f"The {field} may not contain NUL characters or lone surrogates.", field)


def file_stem(name: str) -> str:
    """A name as part of a file's or folder's name: no character that a system refuses, at most 100."""
    return _NOT_IN_FILES.sub("_", name).strip(" .")[:_MAX_STEM] or "_"
