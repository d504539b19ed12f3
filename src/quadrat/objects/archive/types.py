"""What an archive of an import is: names, and where the bytes of each lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from quadrat.errors import ErrorKind, QuadratError


class Coding(IntEnum):
    """How bytes lie; the numbers are those of the zip format, with one for plain files."""

    STORED = 0
    DEFLATED = 8
    FILE = -1


class Place(NamedTuple):
    """Where the bytes of one member are; small, and understood by another process.

    Args:
        path: The zip, or the file itself.
        offset: Of the member's local header in the zip.
        stored_bytes: Length in the zip.
        size_bytes: Length.
        coding: See `Coding`.
        crc: CRC-32 of the bytes; not looked at for a file.
    """

    path: str
    offset: int
    stored_bytes: int
    size_bytes: int
    coding: int
    crc: int


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Beyond these an archive is not believed.

    Args:
        members: Most files.
        free_bytes: Content up to this size is never a bomb.
        growth: Most bytes of content for each byte of the archive, as a whole or of one member.
    """

    members: int = 20_000_000
    free_bytes: int = 1024**3
    growth: int = 200


class Archive(Protocol):
    """A zip or a folder, checked when it was opened."""

    def __len__(self) -> int:
        """How many files there are."""
        ...

    def names(self) -> Iterator[str]:
        """The files, with ``/`` between folders, in the order of the archive."""
        ...

    def find(self, name: str) -> Place | None:
        """Where a file's bytes are."""
        ...


def refuse(message: str) -> QuadratError:
    """An archive that is not imported, and why."""
    return QuadratError(ErrorKind.INVALID, message)


def safe_name(raw: str) -> str:
    """The name of a member with ``/`` between folders.

    Raises:
        QuadratError: invalid for a name that would lead out of the archive.
    """
    name = raw.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name or name[1:2] == ":" or not name.strip("/"):
        raise refuse(f"The archive holds a file with an unsafe name: {raw[:200]!r}. Pack it again without such names.")
    return "/".join(part for part in parts if part not in {"", "."})


def is_clutter(name: str) -> bool:
    """What desktops put into archives beside the user's files."""
    last = name.rpartition("/")[2]
    return name.startswith("__MACOSX/") or last in {".DS_Store", "Thumbs.db", "desktop.ini"} or last.startswith("._")


def open_path(place: Place) -> Path:
    """The file that holds the bytes."""
    return Path(place.path)
