"""A plain folder as an archive."""

import os
from collections.abc import Iterator
from pathlib import Path

from quadrat.objects.archive.types import ArchiveLimits, Coding, Place, is_clutter, refuse


class FolderArchive:
    """A folder of this machine with all that is below it.

    Args:
        path: The folder.
        limits: The number of files is looked at.

    Raises:
        QuadratError: invalid for links, devices, and too many files.
    """

    def __init__(self, path: Path, limits: ArchiveLimits | None = None) -> None:
        self._root = path.resolve()
        self._sizes: dict[str, int] = {}
        most = (limits or ArchiveLimits()).members
        for entry in _walk(str(self._root)):
            name = os.path.relpath(entry.path, self._root).replace(os.sep, "/")
            if is_clutter(name):
                continue
            if not entry.is_file(follow_symlinks=False):
                raise refuse(f"{name} is a link or a device, no file. Put the files themselves into the folder.")
            self._sizes[name] = entry.stat(follow_symlinks=False).st_size
            if len(self._sizes) > most:
                raise refuse(f"The folder holds more than {most} files. Split it.")

    def __len__(self) -> int:
        """How many files there are."""
        return len(self._sizes)

    def names(self) -> Iterator[str]:
        """The files, by name within each folder."""
        return iter(self._sizes)

    def find(self, name: str) -> Place | None:
        """Where a file's bytes are."""
        size = self._sizes.get(name)
        if size is None:
            return None
        return Place(str(self._root / name), 0, size, size, Coding.FILE, 0)


def _walk(folder: str) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        else:
            yield entry
