"""Life of blobs, where their bytes lie, and which of them a list shows. Pure.

Source: spec of the serving API, section 3.12.
"""

from uuid import UUID

from quadrat.errors import ErrorKind, QuadratError

DEFAULT_TTL_S = 259_200
_TTL_S = range(900, 259_200 + 1)
DEFAULT_RANGE = -50
MAX_RANGE = 1000
_MAX_NAME_BYTES = 255


def check_ttl(ttl_s: int) -> int:
    """A life that a blob may have, in seconds.

    Raises:
        QuadratError: invalid.
    """
    if ttl_s not in _TTL_S:
        raise QuadratError(
            ErrorKind.INVALID,
            f"The time to live of a blob must be from {_TTL_S.start} to {_TTL_S.stop - 1} seconds.",
            field="blob-ttl",
        )
    return ttl_s


def check_range(number: int) -> int:
    """How many blobs to list; negative towards the past.

    Raises:
        QuadratError: invalid.
    """
    if number == 0 or abs(number) > MAX_RANGE:
        raise QuadratError(
            ErrorKind.INVALID, f"The range must be from 1 to {MAX_RANGE}, or from -1 to -{MAX_RANGE}.", field="range"
        )
    return number


def blob_key(blob_id: UUID) -> str:
    """Where the bytes of a blob lie."""
    return f"blobs/{blob_id}"


def payload_key(payload_id: UUID) -> str:
    """Where the bytes of a payload lie."""
    return f"payloads/{payload_id}"


def safe_file_name(name: str) -> str:
    """The base name under which a file can lie on any disk and be offered for download.

    Folders before it are left out, and what cannot be shown; the end, which says what kind of file it is, stays.
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character if character.isprintable() else "_" for character in base)
    cut = shown.encode("utf-8", "replace")[-_MAX_NAME_BYTES:].decode("utf-8", "ignore")
    return cut if cut.strip(". ") else "file"
