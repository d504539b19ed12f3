"""What a backup adds about its objects, found by name while its index files are read."""

import posixpath
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np

from quadrat.objects.archive.reading import DamagedMemberError, read_blocks
from quadrat.objects.archive.types import Archive, Place
from quadrat.objects.importing.types import Problems
from quadrat.objects.rules.extras import NAME, Extra, head, read_extra, read_head

_LONGEST_LINE_BYTES = 4 * 1024 * 1024


class Extras:
    """The file of one backup, unpacked on disk; 16 bytes of memory for each object.

    Args:
        place: Where it is.
        name: In its archive.
        problems: Where its first mistake goes; an import with mistakes writes nothing.
    """

    def __init__(self, place: Place, name: str, problems: Problems) -> None:
        self.head = head({})
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._keys, self._starts = array("q"), array("q")
        number = 1
        try:
            for start, line in _lines(place, self._file):
                self._take(number, start, line)
                number += 1
        except (ValueError, DamagedMemberError) as error:
            problems.add(
                f"Invalid line {number} of {name}: {error}. Without this file the archive is imported by its index "
                "files alone"
            )
        keys = np.array(self._keys, np.int64)
        self._order = np.argsort(keys, kind="stable")
        self._rising = keys[self._order]

    def find(self, object_id: str) -> Extra | None:
        """What is added about an object; None for nothing."""
        key = hash(object_id)
        at = int(np.searchsorted(self._rising, key))
        if at == len(self._rising) or self._rising[at] != key:
            return None
        self._file.seek(self._starts[self._order[at]])
        found = read_extra(self._file.readline())
        return found if found.object_id == object_id else None

    def close(self) -> None:
        """Nothing more is asked."""
        self._file.close()

    def _take(self, number: int, start: int, line: bytes) -> None:
        if number == 1:
            self.head = read_head(line)
        else:
            self._keys.append(hash(read_extra(line).object_id))
            self._starts.append(start)


def open_extras(archive: Archive, problems: Problems) -> Mapping[str, Extras]:
    """The files of all backups in an archive, by folder; the caller closes them."""
    found = {}
    for name in list(archive.names()):
        place = archive.find(name) if posixpath.basename(name) == NAME else None
        if place is not None:
            found[posixpath.dirname(name)] = Extras(place, name, problems)
    return found


def extras_for(name: str, by_folder: Mapping[str, Extras]) -> Extras | None:
    """Those of the nearest folder above an index file."""
    folder = posixpath.dirname(name)
    while folder not in by_folder and folder:
        folder = posixpath.dirname(folder)
    return by_folder.get(folder)


def _lines(place: Place, copy: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where each line starts in the copy that is made, and the line.

    Raises:
        ValueError: A line is too long.
        DamagedMemberError: The bytes are not what the archive says.
    """
    rest, start = b"", 0
    for block in read_blocks(place):
        copy.write(block)
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield start, line
            start += len(line) + 1
        if len(rest) > _LONGEST_LINE_BYTES:
            message = f"more than {_LONGEST_LINE_BYTES} bytes"
            raise ValueError(message)
    if rest:
        yield start, rest
