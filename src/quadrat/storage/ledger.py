"""What is being taken in, written down in one file to which lines are added, for a server that follows a killed one.

A file for each, made and removed again, would cost more than all the rest of taking a small one in: for seconds a file
system keeps the place of what was removed, and has to look past all of it for the next.
"""

import errno
import os
import re
from contextlib import suppress
from pathlib import Path
from threading import Lock

_LINE = re.compile(r"([+-])([0-9a-f]{16})(?: (\S+))?")
_LONG_BYTES = 1024 * 1024
_HOW = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Ledger:
    """Keys that were begun and not ended. One process writes at a time; what it was killed over the next finds open.

    Args:
        path: Of the file, made with the first line.
        long_bytes: From here on the file is written anew, with what is open alone.
    """

    def __init__(self, path: Path, long_bytes: int = _LONG_BYTES) -> None:
        self._path = path
        self._long_bytes = long_bytes
        self._lock = Lock()
        self._open: dict[str, str] = {}
        self._descriptor: int | None = None
        self._size_bytes = 0

    def begin(self, key: str) -> str:
        """Note a key, without white space; the note is on disk when this returns.

        Raises:
            OSError: It is not.
        """
        note = os.urandom(8).hex()
        with self._lock:
            self._add(f"+{note} {key}\n".encode())
            self._open[note] = key
        return note

    def end(self, note: str) -> None:
        """Take a note back. Safe to repeat; when the disk refuses, the next server finds the note still."""
        with self._lock:
            if note in self._list():
                del self._open[note]
                with suppress(OSError):
                    self._add(f"-{note}\n".encode())
                    if self._size_bytes > self._long_bytes:
                        self._begin_anew()

    def list_open(self) -> list[tuple[str, str]]:
        """Notes and keys, in the order in which they were begun."""
        with self._lock:
            return list(self._list().items())

    def _list(self) -> dict[str, str]:
        if self._descriptor is None and self._path.exists():
            self._continue()
        return self._open

    def _continue(self) -> int:
        """Open the file, with what is open in it."""
        descriptor = os.open(self._path, _HOW, 0o600)
        content = self._path.read_text()
        for line in content.splitlines():
            match = _LINE.fullmatch(line)
            if match is not None and match[1] == "-":
                self._open.pop(match[2], None)
            elif match is not None and match[3] is not None:
                self._open[match[2]] = match[3]
        self._descriptor, self._size_bytes = descriptor, len(content)
        if content and not content.endswith("\n"):
            self._add(b"\n")  # after what a server was killed over
        return descriptor

    def _add(self, line: bytes) -> None:
        descriptor = self._continue() if self._descriptor is None else self._descriptor
        written = os.write(descriptor, line)
        if written < len(line):
            os.ftruncate(descriptor, self._size_bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size_bytes += written

    def _begin_anew(self) -> None:
        lines = "".join(f"+{note} {key}\n" for note, key in self._open.items()).encode()
        new = self._path.with_suffix(".new")
        descriptor = os.open(new, _HOW | os.O_TRUNC, 0o600)
        try:
            if os.write(descriptor, lines) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            new.replace(self._path)
        except OSError:
            os.close(descriptor)
            raise
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._size_bytes = descriptor, len(lines)
