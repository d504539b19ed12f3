"""What samples can be looked for by. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from quadrat.errors import ErrorKind, QuadratError

SOURCES = ("metaData", "customMetaData", "exif")
"""Documents of a sample, as the API of samples calls them."""

_DEEPEST = 4
_MOST_FIELDS = 200
_SCALARS = {bool: "text", int: "number", float: "number", str: "text"}


def fields_of(documents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Paths of texts and numbers in documents of samples, with which of the two they hold.

    A path is the document's name and the keys below it, with dots between. Where some hold numbers and others texts, it
    is text; lists, and keys that hold a dot themselves, are left out.
    """
    found: dict[str, str] = {}
    for document in documents:
        for name in SOURCES:
            _collect(name, document.get(name), found)
    return dict(sorted(found.items())[:_MOST_FIELDS])


def _collect(path: str, value: Any, found: dict[str, str]) -> None:
    if isinstance(value, Mapping):
        if path.count(".") < _DEEPEST:
            for key, inner in value.items():
                if "." not in key and "." in f"{path}.":
                    _collect(f"{path}.{key}", inner, found)
    elif "." in path and (kind := _SCALARS.get(type(value))) is not None:
        found[path] = kind if found.get(path, kind) == kind else "text"


def split_path(field: str) -> tuple[str, list[str]]:
    """The document and the keys of a field.

    Raises:
        QuadratError: invalid.
    """
    source, *keys = field.split(".")
    if source not in SOURCES or not keys or not all(keys):
        raise QuadratError(
            ErrorKind.INVALID, f"A field is one of {', '.join(SOURCES)} and its keys, with dots between.", field="field"
        )
    return source, keys
