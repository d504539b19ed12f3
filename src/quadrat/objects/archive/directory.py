"""The directory of a zip in little memory: 100 bytes and the name for each member, however large the archive is.

The standard library's reader keeps ten times that, and believes what the directory says of sizes and places.
"""

import stat
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from quadrat.objects.archive.types import ArchiveLimits, Coding, Place, is_clutter, refuse, safe_name

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LONGEST_COMMENT = 65535
_LOCAL_HEADER_BYTES = 30
_BLOCK_BYTES = 1024 * 1024
_ENCRYPTED, _UTF8 = 0x1, 0x800
_UNIX = 3
_ZIP64_EXTRA = 1
_ALL_ONES_16, _ALL_ONES_32 = 0xFFFF, 0xFFFFFFFF
_BROKEN = "The archive is damaged or is no zip file. Pack it again."


class ZipArchive:
    """A zip file.

    Args:
        path: The file.
        limits: Against bombs.

    Raises:
        QuadratError: invalid for an archive that is damaged or not to be trusted.
    """

    def __init__(self, path: Path, limits: ArchiveLimits | None = None) -> None:
        self._path = str(path)
        self._limits = limits or ArchiveLimits()
        self._index: dict[str, int] = {}
        self._offsets = array("Q")
        self._stored = array("Q")
        self._sizes = array("Q")
        self._crcs = array("L")
        self._codings = array("b")
        try:
            with path.open("rb") as file:
                self._archive_bytes = file.seek(0, 2)
                self._read(file)
        except (struct.error, EOFError) as error:
            raise refuse(_BROKEN) from error
        self._check_bomb()

    def __len__(self) -> int:
        """How many files there are."""
        return len(self._index)

    def names(self) -> Iterator[str]:
        """The files, in the order of the directory."""
        return iter(self._index)

    def find(self, name: str) -> Place | None:
        """Where a file's bytes are."""
        at = self._index.get(name)
        if at is None:
            return None
        return Place(
            self._path, self._offsets[at], self._stored[at], self._sizes[at], self._codings[at], self._crcs[at]
        )

    def _read(self, file: BinaryIO) -> None:
        count, size, start, shift = _find_directory(file, self._archive_bytes)
        if count > self._limits.members:
            raise refuse(f"The archive holds {count} files, more than {self._limits.members}. Split it.")
        blocks = _Blocks(file, start, size)
        for _ in range(count):
            self._add(blocks, shift)

    def _add(self, blocks: "_Blocks", shift: int) -> None:
        fields = _ENTRY.unpack(blocks.take(_ENTRY.size))
        signature, made_by, _, flags, coding, _, _, crc, stored, size, name_length = fields[:11]
        extra_length, comment_length, _, _, attributes, offset = fields[11:]
        if signature != b"PK\x01\x02":
            raise refuse(_BROKEN)
        raw_name = _decoded(blocks.take(name_length), flags)
        extra = blocks.take(extra_length)
        blocks.take(comment_length)
        size, stored, offset = _with_zip64(extra, size, stored, offset)
        name = safe_name(raw_name)
        if raw_name.endswith(("/", "\\")) or is_clutter(name):
            return
        mode = attributes >> 16
        if made_by >> 8 == _UNIX and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise refuse(f"{name} is a link or a device, no file. Pack the files themselves.")
        if flags & _ENCRYPTED:
            raise refuse(f"{name} is encrypted. Pack the archive without a password.")
        if coding not in {Coding.STORED, Coding.DEFLATED}:
            raise refuse(f"{name} is compressed in an uncommon way ({coding}). Pack it with the usual one, deflate.")
        if coding == Coding.STORED and stored != size:
            raise refuse(_BROKEN)
        if name in self._index:
            raise refuse(f"The archive holds {name} twice.")
        self._index[name] = len(self._offsets)
        self._offsets.append(offset + shift)
        self._stored.append(stored)
        self._sizes.append(size)
        self._crcs.append(crc)
        self._codings.append(coding)

    def _check_bomb(self) -> None:
        limits = self._limits
        if sum(self._sizes) > max(limits.free_bytes, limits.growth * self._archive_bytes):
            raise refuse("The archive would grow too much when it is unpacked; it is not imported.")
        # Members that share bytes make a small archive large.
        end = 0
        for at in sorted(range(len(self._offsets)), key=self._offsets.__getitem__):
            if self._offsets[at] < end:
                raise refuse("Files of the archive overlap; it is damaged or a bomb, and is not imported.")
            end = self._offsets[at] + _LOCAL_HEADER_BYTES + self._stored[at]
        if end > self._archive_bytes:
            raise refuse(_BROKEN)


class _Blocks:
    """A part of a file, read in blocks and given out in pieces."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._left = size
        self._block = b""
        self._at = 0
        file.seek(start)

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._block):
            rest = self._block[self._at :]
            more = self._file.read(min(self._left, max(_BLOCK_BYTES, count)))
            self._left -= len(more)
            self._block = rest + more
            self._at = 0
            if len(self._block) < count:
                raise EOFError
        piece = self._block[self._at : self._at + count]
        self._at += count
        return piece


def _find_directory(file: BinaryIO, archive_bytes: int) -> tuple[int, int, int, int]:
    """Number of entries, size and start of the directory, and how far everything stands behind where it says."""
    tail_start = max(0, archive_bytes - _END.size - _LONGEST_COMMENT)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise refuse(_BROKEN)
    _, disk, _, _, count, size, start, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if _ALL_ONES_16 in {disk, count} or _ALL_ONES_32 in {size, start}:
        found = _find_directory64(file, end)
        if found is not None:
            disk, count, size, start, end = found
    if disk != 0:
        raise refuse("The archive is split over several files; pack it as one.")
    shift = end - size - start
    if shift < 0:
        raise refuse(_BROKEN)
    return count, size, start + shift, shift


def _find_directory64(file: BinaryIO, end: int) -> tuple[int, int, int, int, int] | None:
    file.seek(max(0, end - _LOCATOR64.size))
    signature, _, at, _ = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
    if signature != b"PK\x06\x07":
        return None
    # Where it says, or right before the locator when bytes stand before the whole archive.
    for place in (at, end - _LOCATOR64.size - _END64.size):
        file.seek(max(0, place))
        found = _END64.unpack(file.read(_END64.size))
        if found[0] == b"PK\x06\x06":
            _, _, _, _, disk, _, _, count, size, start = found
            return disk, count, size, start, place
    raise refuse(_BROKEN)


def _with_zip64(extra: bytes, size: int, stored: int, offset: int) -> tuple[int, int, int]:
    """The three numbers, from the extra field where the entry has no room for them."""
    if _ALL_ONES_32 not in {size, stored, offset}:
        return size, stored, offset
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == _ZIP64_EXTRA:
            numbers = iter(struct.unpack(f"<{length // 8}Q", extra[at + 4 : at + 4 + length // 8 * 8]))
            wide = [next(numbers, 0) if value == _ALL_ONES_32 else value for value in (size, stored, offset)]
            return wide[0], wide[1], wide[2]
        at += 4 + length
    return size, stored, offset


def _decoded(raw: bytes, flags: int) -> str:
    if flags & _UTF8:
        return raw.decode("utf-8", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")
