"""The bytes of a member, in pieces or at once; also from another process than the one that opened the archive."""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from quadrat.objects.archive.directory import ZipArchive
from quadrat.objects.archive.folder import FolderArchive
from quadrat.objects.archive.types import Archive, ArchiveLimits, Coding, Place, refuse

_BLOCK_BYTES = 256 * 1024
_USUAL_NAMES = 256
_DAMAGED = "the file in the archive is damaged"
_LOCAL = struct.Struct("<4s5H3L2H")


class DamagedMemberError(Exception):
    """The bytes of one member cannot be had."""


def open_archive(path: Path, limits: ArchiveLimits | None = None) -> Archive:
    """A zip or a folder.

    Raises:
        QuadratError: invalid for what is neither, or not to be trusted.
    """
    if path.is_dir():
        return FolderArchive(path, limits)
    if not path.is_file():
        raise refuse(f"There is no archive {path.name}.")
    return ZipArchive(path, limits)


def read_member(place: Place) -> bytes:
    """All bytes at once, of something small.

    Raises:
        DamagedMemberError: They are not what the archive says.
    """
    if place.coding == Coding.FILE or place.stored_bytes > _BLOCK_BYTES or place.size_bytes > _BLOCK_BYTES:
        return b"".join(read_blocks(place))
    try:
        content = _unpacked_at_once(place)
    except (OSError, zlib.error, struct.error) as error:
        raise DamagedMemberError(str(error)) from error
    if len(content) != place.size_bytes or zlib.crc32(content) != place.crc:
        raise DamagedMemberError(_DAMAGED)
    return content


def _unpacked_at_once(place: Place) -> bytes:
    """With one look into the archive where its header is of the usual size."""
    descriptor = _opened(place.path)
    raw = os.pread(descriptor, _LOCAL.size + _USUAL_NAMES + place.stored_bytes, place.offset)
    header = _LOCAL.unpack_from(raw)
    if header[0] != b"PK\x03\x04":
        raise DamagedMemberError(_DAMAGED)
    start = _LOCAL.size + header[9] + header[10]
    packed = raw[start : start + place.stored_bytes]
    if len(packed) < place.stored_bytes:
        packed = os.pread(descriptor, place.stored_bytes, place.offset + start)
    if place.coding == Coding.STORED:
        return packed
    # One byte more than there may be shows that there is more.
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, place.size_bytes + 1)


_held: dict[str, int] = {}


def _opened(path: str) -> int:
    """A descriptor of the archive that members are read from one after another; that of another one is closed."""
    if path not in _held:
        for descriptor in _held.values():
            os.close(descriptor)
        _held.clear()
        _held[path] = os.open(path, os.O_RDONLY)
    return _held[path]


def read_blocks(place: Place) -> Iterator[bytes]:
    """The bytes in pieces of at most 256 KiB, never more than the archive said there are.

    Raises:
        DamagedMemberError: They are not what the archive says.
    """
    if place.coding == Coding.FILE:
        yield from _read_file(place)
        return
    left, crc = place.size_bytes, 0
    try:
        for block in _unpacked(place):
            left -= len(block)
            crc = zlib.crc32(block, crc)
            if left < 0:
                break
            yield block
    except (OSError, zlib.error, struct.error) as error:
        raise DamagedMemberError(str(error)) from error
    if left != 0 or crc != place.crc:
        raise DamagedMemberError(_DAMAGED)


def _read_file(place: Place) -> Iterator[bytes]:
    # A file that became a link since the folder was looked at is not followed.
    try:
        with os.fdopen(os.open(place.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield block
    except OSError as error:
        raise DamagedMemberError(error.strerror or "cannot be read") from error


def _unpacked(place: Place) -> Iterator[bytes]:
    with Path(place.path).open("rb", buffering=0) as file:
        yield from _unpacked_from(file.fileno(), place)


def _unpacked_from(descriptor: int, place: Place) -> Iterator[bytes]:
    header = _LOCAL.unpack(os.pread(descriptor, _LOCAL.size, place.offset))
    if header[0] != b"PK\x03\x04":
        raise DamagedMemberError(_DAMAGED)
    at = place.offset + _LOCAL.size + header[9] + header[10]
    end = at + place.stored_bytes
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if place.coding == Coding.DEFLATED else None
    while at < end:
        packed = os.pread(descriptor, min(_BLOCK_BYTES, end - at), at)
        if not packed:
            raise DamagedMemberError("the archive ends in the middle of the file")
        at += len(packed)
        if inflate is None:
            yield packed
            continue
        while packed:
            yield inflate.decompress(packed, _BLOCK_BYTES)
            packed = inflate.unconsumed_tail
    if inflate is not None:
        yield inflate.flush()
