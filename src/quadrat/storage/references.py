"""Bytes that lie outside of the store and stay there: files of this machine, objects of other buckets. Read only.

A location is ``file:///path`` or ``s3://bucket/key`` (also ``gs://``, ``az://``), percent-encoded.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store, from_url

from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.types import BlobFacts, BlobReader, ByteRange

BUCKETS = ("s3", "gs", "az")
_CHUNK_BYTES = 1024 * 1024
_MAX_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Referenced:
    """A file that was found.

    Args:
        name: Relative to where the search began, with slashes.
        location: Where it lies.
        size_bytes: Length.
        version: Changes with the content: the entity tag of an object, time and size of a file.
        problem: Why it cannot be read; then size and version say nothing.
    """

    name: str
    location: str
    size_bytes: int
    version: str
    problem: str | None = None


class References:
    """Reads what lies outside of the store.

    Args:
        options: What obstore takes for buckets, e.g. ``endpoint``; credentials come from the provider's variables.
    """

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._stores: dict[str, S3Store | GCSStore | AzureStore] = {}

    def walk(self, root: str) -> Iterator[Sequence[Referenced]]:
        """All files under a folder or a prefix, in blocks. Blocks the thread: for commands and jobs.

        Raises:
            QuadratError: not_found when there is no such folder, unavailable when a bucket does not answer.
        """
        if is_bucket(root):
            yield from self._walk_bucket(root)
        else:
            yield from _walk_folder(path_of(root) if root.startswith("file:") else Path(root).resolve())

    async def head(self, location: str) -> BlobFacts:
        """Facts about the bytes.

        Raises:
            QuadratError: not_found, unavailable.
        """
        if not is_bucket(location):
            return _facts(await _stat(path_of(location)))
        store, key = self._store(location)
        try:
            meta = await obstore.head_async(store, key)
        except FileNotFoundError as error:
            raise _gone() from error
        except (OSError, BaseError) as error:
            raise _away() from error
        return BlobFacts(meta["size"], _quoted(meta["e_tag"]), meta["last_modified"])

    async def open(self, location: str, content_range: ByteRange | None = None) -> BlobReader:
        """Read the bytes in pieces.

        Raises:
            QuadratError: not_found, unavailable.
        """
        facts = await self.head(location)
        wanted = content_range or ByteRange(0, facts.size_bytes)
        if is_bucket(location):
            return BlobReader(facts, wanted, self._object_chunks(location, wanted))
        return BlobReader(facts, wanted, _file_chunks(path_of(location), wanted))

    async def fetch_to(self, location: str, path: Path) -> None:
        """Write the bytes into a file of ours.

        Raises:
            QuadratError: not_found, unavailable.
        """
        reader = await self.open(location)
        with path.open("wb") as file:
            async for chunk in reader.chunks:
                file.write(chunk)

    async def sign(self, location: str, life: timedelta) -> str | None:
        """The provider's own address of an object, to be read without credentials; None for a file."""
        if not is_bucket(location):
            return None
        store, key = self._store(location)
        return await obstore.sign_async(store, "GET", key, min(life, _MAX_LIFE))

    def _store(self, location: str) -> tuple[S3Store | GCSStore | AzureStore, str]:
        parts = urlsplit(location)
        bucket = f"{parts.scheme}://{parts.netloc}"
        if bucket not in self._stores:
            store = from_url(bucket, **self._options)
            if not isinstance(store, S3Store | GCSStore | AzureStore):
                raise QuadratError(ErrorKind.INVALID, f"{bucket} is no bucket that can be read.")
            self._stores[bucket] = store
        return self._stores[bucket], unquote(parts.path.removeprefix("/"))

    def _walk_bucket(self, root: str) -> Iterator[Sequence[Referenced]]:
        store, prefix = self._store(root)
        bucket = root.partition("://")[0] + "://" + urlsplit(root).netloc
        folder = prefix.rstrip("/") + "/" if prefix.strip("/") else ""
        try:
            for page in obstore.list(store, folder or None):
                yield [
                    Referenced(
                        entry["path"][len(folder) :],
                        f"{bucket}/{quote(entry['path'])}",
                        entry["size"],
                        _quoted(entry["e_tag"]),
                    )
                    for entry in page
                ]
        except (OSError, BaseError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            if "empty path segment" in str(error):
                reason = (
                    f"the name of an object in it has an empty part, as in a//b, which cannot be read. Rename that "
                    f"object, or import the folders beside it one by one. ({reason})"
                )
            raise QuadratError(ErrorKind.UNAVAILABLE, f"{bucket} cannot be listed: {reason}") from error

    async def _object_chunks(self, location: str, wanted: ByteRange) -> AsyncIterator[bytes]:
        store, key = self._store(location)
        try:
            options: Any = {"range": (wanted.start, wanted.stop)} if wanted.stop > wanted.start else None
            result = await obstore.get_async(store, key, options=options)
            async for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)
        except FileNotFoundError as error:
            raise _gone() from error
        except (OSError, BaseError) as error:
            raise _away() from error


def is_bucket(location: str) -> bool:
    """Whether it is an address of an object store rather than of a file."""
    return location.partition("://")[0] in BUCKETS


def path_of(location: str) -> Path:
    """The file of a ``file:`` location."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(location).path)))


def location_of(path: Path) -> str:
    """The ``file:`` location of an absolute path."""
    return "file://" + quote(os.fsencode(path))


def is_within(location: str, roots: Sequence[str]) -> bool:
    """Whether a folder or prefix lies in one of the roots, links and ``..`` resolved."""
    if is_bucket(location):
        wanted = location.rstrip("/") + "/"
        if ".." in unquote(wanted).split("/"):
            return False
        return any(wanted.startswith(root.rstrip("/") + "/") for root in roots if is_bucket(root))
    path = (path_of(location) if location.startswith("file:") else Path(location)).resolve()
    return any(path.is_relative_to(Path(root).resolve()) for root in roots if not is_bucket(root))


def _walk_folder(root: Path) -> Iterator[Sequence[Referenced]]:
    if not root.is_dir():
        raise QuadratError(ErrorKind.NOT_FOUND, f"There is no folder {root}.")
    left_out: list[Referenced] = []

    def tell(error: OSError) -> None:
        left_out.append(_unread(root, Path(error.filename), f"the folder cannot be read: {error.strerror}"))

    for folder, folders, files in os.walk(root, onerror=tell):
        folders.sort()
        links = [path for inner in folders if (path := Path(folder, inner)).is_symlink()]
        found = [_unread(root, path, "a link to a folder; these are not followed") for path in links]
        found += [_look_at(root, Path(folder, file)) for file in sorted(files)]
        if found or left_out:
            yield [*left_out, *found]
            left_out.clear()
    if left_out:
        yield left_out


def _look_at(root: Path, path: Path) -> Referenced:
    try:
        facts = path.stat()
    except OSError as error:
        return _unread(root, path, "a link to nothing" if path.is_symlink() else error.strerror or "unreadable")
    if not stat.S_ISREG(facts.st_mode):
        return _unread(root, path, "no ordinary file")
    return Referenced(path.relative_to(root).as_posix(), location_of(path), facts.st_size, _facts(facts).etag)


def _unread(root: Path, path: Path, problem: str) -> Referenced:
    return Referenced(path.relative_to(root).as_posix(), location_of(path), 0, "", problem)


async def _stat(path: Path) -> os.stat_result:
    try:
        return await asyncio.to_thread(path.stat)
    except FileNotFoundError as error:
        raise _gone() from error
    except OSError as error:
        raise _away() from error


def _facts(found: os.stat_result) -> BlobFacts:
    etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    return BlobFacts(found.st_size, etag, datetime.fromtimestamp(found.st_mtime, UTC))


async def _file_chunks(path: Path, wanted: ByteRange) -> AsyncIterator[bytes]:
    try:
        file = await asyncio.to_thread(path.open, "rb")
        with file:
            file.seek(wanted.start)
            left = wanted.stop - wanted.start
            while left > 0:
                chunk = await asyncio.to_thread(file.read, min(_CHUNK_BYTES, left))
                if not chunk:
                    return
                left -= len(chunk)
                yield chunk
    except FileNotFoundError as error:
        raise _gone() from error
    except OSError as error:
        raise _away() from error


def _gone() -> QuadratError:
    return QuadratError(ErrorKind.NOT_FOUND, "The image is no longer where it was when it was imported.")


def _away() -> QuadratError:
    return QuadratError(
        ErrorKind.UNAVAILABLE, "The place of this image does not answer; try again shortly.", retry_after_s=5
    )


def _quoted(e_tag: str | None) -> str:
    text = e_tag or ""
    return text if text.startswith('"') else f'"{text}"'
