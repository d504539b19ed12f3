"""The folder of a disk store without obstore: what is small and asked for often, at a fraction of its cost.

Files, entity tags and parts under way are those of obstore's `LocalStore`, which reads and writes the same folder.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

from quadrat.storage.types import BlobFacts

# What is in memory is read at once; what is on the disk needs a thread that may wait. Linux knows the difference.
_ONLY_CACHED = getattr(os, "RWF_NOWAIT", None)
_NOT_AT_ONCE = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


Staged = tuple[str, BlobFacts]


def write_new(root: str, key: str, content: bytes) -> None:
    """Store bytes under a key that nobody reads yet, as `BlobStore.put` would, at a third of its cost.

    Not in one step: whoever calls this makes the key known only afterwards.

    Args:
        root: `BlobStore.local_root`.
        key: Made from ids, so a file name is what it is.
        content: The bytes.
    """
    descriptor = _create(f"{root}/{key}", os.O_TRUNC)
    try:
        _write(descriptor, content)
    finally:
        os.close(descriptor)


def stage(root: str, key: str, pieces: Sequence[bytes]) -> Staged:
    """Store bytes beside a key, whose place they take in one step when they are renamed to it.

    Args:
        root: `BlobStore.local_root`.
        key: Made from ids.
        pieces: The bytes, in order.

    Returns:
        Where they lie, and their facts, which a new name does not change.

    Raises:
        OSError: Nothing was stored.
    """
    # A name that obstore takes for a part of an upload: lists leave it out, and `forget_unfinished` removes it.
    staged = f"{root}/{key}#{uuid4().int}"
    descriptor = _create(staged, os.O_EXCL)
    try:
        try:
            for piece in pieces:
                _write(descriptor, piece)
            return staged, _facts(os.fstat(descriptor))
        finally:
            os.close(descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(staged)  # noqa: PTH108 - this is the hot path
        raise


def stage_all(root: str, coming: Sequence[tuple[str, Sequence[bytes]]]) -> list[Staged | OSError]:
    """As `stage`, for many keys and their bytes: what came of each."""
    outcomes: list[Staged | OSError] = []
    for key, pieces in coming:
        try:
            outcomes.append(stage(root, key, pieces))
        except OSError as error:
            outcomes.append(error)
    return outcomes


def facts_of(path: str) -> BlobFacts:
    """What is known of a file by its name.

    Raises:
        FileNotFoundError: There is none.
    """
    return _facts(os.stat(path))  # noqa: PTH116 - this is the hot path


def open_to_read(root: str, key: str) -> tuple[int, BlobFacts]:
    """A descriptor that the caller closes, and the facts of what it reads.

    Raises:
        FileNotFoundError: There is nothing under the key.
    """
    descriptor = os.open(f"{root}/{key}", os.O_RDONLY | os.O_CLOEXEC)
    return descriptor, _facts(os.fstat(descriptor))


def read_cached(descriptor: int, content: bytearray | memoryview) -> bool:
    """Fill with all of an open file that is in memory; False when the disk would have to be asked, or nobody knows."""
    if _ONLY_CACHED is None:
        return False
    try:
        return os.preadv(descriptor, [content], 0, _ONLY_CACHED) == len(content)
    except OSError as error:
        if error.errno in _NOT_AT_ONCE:
            return False
        raise


def read_all(descriptor: int, size_bytes: int) -> bytes:
    """All of an open file, which nobody changes."""
    pieces, left = [], size_bytes
    while left and (piece := os.pread(descriptor, left, size_bytes - left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _create(path: str, how: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how
    try:
        return os.open(path, flags, 0o644)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - this is the hot path
        return os.open(path, flags, 0o644)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _facts(status: os.stat_result) -> BlobFacts:
    # Source: object_store, local.rs, get_etag: inode, modification in microseconds, size.
    etag = f'"{status.st_ino:x}-{status.st_mtime_ns // 1000:x}-{status.st_size:x}"'
    return BlobFacts(status.st_size, etag, datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC))
