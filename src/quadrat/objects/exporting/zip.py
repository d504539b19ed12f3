"""A zip file as a stream: what is written comes back as bytes, nothing of it is kept but the directory, on disk.

Always able to grow beyond 4 GiB (ZIP64). The standard library's writer keeps about 1 KB of memory for each member and
packs at a third of the speed (docs/decisions/060-exports.md).
"""

import struct
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from isal import isal_zlib

_LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTOR64 = struct.Struct("<4sLQQ")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_EXTRA64 = struct.Struct("<2HQQ")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")
_VERSION, _MADE_ON_UNIX = 45, 3 << 8
_FILE_MODE = 0o100644 << 16
_STORED, _DEFLATED = 0, 8
_LATER, _UTF8 = 0x8, 0x800
_ALL_ONES_16, _ALL_ONES_32 = 0xFFFF, 0xFFFFFFFF
_LEVEL = 1
_BLOCK_BYTES = 1024 * 1024


class ZipStream:
    """Members one after another; the bytes that each call gives back belong together in this order.

    Args:
        at: The time that all members bear.
    """

    def __init__(self, at: datetime) -> None:
        self._date = (max(0, at.year - 1980) << 9) | (at.month << 5) | at.day
        self._time = (at.hour << 11) | (at.minute << 5) | (at.second // 2)
        self._directory = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `finish` or `close`
        self._count = 0
        self._offset = 0
        self._name = b""
        self._start = 0
        self._coding = _STORED
        self._packer: Any = None
        self._crc = self._size = self._packed = 0

    def begin(self, name: str, *, deflate: bool) -> bytes:
        """Begin a member of unknown size."""
        self._name, self._start, self._coding = name.encode(), self._offset, _DEFLATED if deflate else _STORED
        self._crc = self._size = self._packed = 0
        self._packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -15) if deflate else None
        extra = _EXTRA64.pack(1, 16, 0, 0)
        return self._given(self._local(_LATER, 0, _ALL_ONES_32, len(extra)) + extra)

    def write(self, content: bytes | memoryview) -> bytes:
        """More of the member that was begun."""
        self._crc = isal_zlib.crc32(content, self._crc)
        self._size += len(content)
        packed = bytes(content) if self._packer is None else self._packer.compress(content)
        self._packed += len(packed)
        return self._given(packed)

    def end(self) -> bytes:
        """End the member that was begun."""
        rest = b"" if self._packer is None else self._packer.flush()
        self._packed += len(rest)
        self._note(_LATER)
        return self._given(rest + _DESCRIPTOR64.pack(b"PK\x07\x08", self._crc, self._packed, self._size))

    def store(self, name: str, content: bytes) -> bytes:
        """A whole member as it is, of less than 4 GiB."""
        self._name, self._start, self._coding = name.encode(), self._offset, _STORED
        self._crc, self._size, self._packed = isal_zlib.crc32(content), len(content), len(content)
        self._note(0)
        return self._given(self._local(0, self._crc, self._size, 0) + content)

    def finish(self) -> Iterator[bytes]:
        """The directory, which ends the file."""
        start, size = self._offset, self._directory.tell()
        self._directory.seek(0)
        while block := self._directory.read(_BLOCK_BYTES):
            yield self._given(block)
        self.close()
        if self._count >= _ALL_ONES_16 or size >= _ALL_ONES_32 or start >= _ALL_ONES_32:
            made_by = _MADE_ON_UNIX | _VERSION
            yield _END64.pack(b"PK\x06\x06", 44, made_by, _VERSION, 0, 0, self._count, self._count, size, start)
            yield _LOCATOR64.pack(b"PK\x06\x07", 0, start + size, 1)
        count = min(self._count, _ALL_ONES_16)
        yield _END.pack(b"PK\x05\x06", 0, 0, count, count, min(size, _ALL_ONES_32), min(start, _ALL_ONES_32), 0)

    def close(self) -> None:
        """Nothing more comes."""
        self._directory.close()

    def _local(self, flags: int, crc: int, size: int, extra: int) -> bytes:
        head = _LOCAL.pack(
            b"PK\x03\x04", _VERSION, flags | _UTF8, self._coding, self._time, self._date, crc, size, size,
            len(self._name), extra,
        )  # fmt: skip
        return head + self._name

    def _note(self, flags: int) -> None:
        """Add the member to the directory."""
        numbers = (self._size, self._packed, self._start)
        needed = [number for number in numbers if number >= _ALL_ONES_32]
        extra = struct.pack(f"<2H{len(needed)}Q", 1, 8 * len(needed), *needed) if needed else b""
        size, packed, start = (min(number, _ALL_ONES_32) for number in numbers)
        entry = _ENTRY.pack(
            b"PK\x01\x02", _MADE_ON_UNIX | _VERSION, _VERSION, flags | _UTF8, self._coding, self._time, self._date,
            self._crc, packed, size, len(self._name), len(extra), 0, 0, 0, _FILE_MODE, start,
        )  # fmt: skip
        self._directory.write(entry + self._name + extra)
        self._count += 1

    def _given(self, content: bytes) -> bytes:
        self._offset += len(content)
        return content
