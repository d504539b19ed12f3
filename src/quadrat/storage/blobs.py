"""Bytes by key, on disk or in a bucket. The only module that talks to a store."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, S3Store, from_url

from quadrat.db.together import Together
from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage import disk
from quadrat.storage.full import disk_full, is_disk_full
from quadrat.storage.ledger import Ledger
from quadrat.storage.signing import Permit, address, verify
from quadrat.storage.sniff import SNIFFED_BYTES
from quadrat.storage.types import BlobFacts, BlobReader, ByteRange, Received, SignedMethod

_log = structlog.get_logger(__name__)

MAX_LIFE = timedelta(days=7)
_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
# Parts of one upload that are on their way at the same time: their number bounds the memory of an upload.
_PART_BYTES = 5 * 1024 * 1024
_PARTS_AT_A_TIME = 3
_CHUNK_BYTES = 1024 * 1024
_PUTS_AT_A_TIME = 16
# Up to here bytes are held as a whole instead of being handed on in pieces.
_WHOLE_BYTES = 1024 * 1024
_PROBE = "probe"
# No key begins like this.
_LEDGER = ".begun.ledger"
_STORE_ERRORS = (OSError, BaseError)

Source = bytes | Path | AsyncIterator[bytes]


class BlobStore:
    """One store. Keys are made from ids, never from what users wrote.

    Args:
        store: Where the bytes lie.
        signing_key: Signs addresses that this server serves itself.
    """

    def __init__(self, store: LocalStore | S3Store | GCSStore | AzureStore, signing_key: bytes) -> None:
        self._store = store
        self._signing_key = signing_key
        self._root: Path | None = None
        # One thread writes what comes at the same time: threads for each would wait for each other most of the time.
        self._staging = Together(self._stage, "blob-staging", gather_s=0)
        # A bucket tells what lies in it.
        self._ledger: Ledger | None = None

    @classmethod
    def on_disk(cls, root: Path, signing_key: bytes) -> "BlobStore":
        """A folder of this machine."""
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = cls(LocalStore(root, mkdir=True), signing_key)
        made._root = root
        made._ledger = Ledger(root / _LEDGER)
        return made

    @classmethod
    def in_bucket(cls, url: str, signing_key: bytes, options: Mapping[str, Any] | None = None) -> "BlobStore":
        """A bucket: ``s3://``, ``gs://`` or ``az://``; credentials come from the provider's usual variables.

        Args:
            url: Bucket and prefix.
            signing_key: For addresses that the provider cannot sign.
            options: What obstore takes beside, e.g. ``endpoint``.
        """
        store = from_url(url, **dict(options or {}))
        if not isinstance(store, S3Store | GCSStore | AzureStore):
            message = f"not a bucket: {url}"
            raise TypeError(message)
        return cls(store, signing_key)

    @property
    def is_local(self) -> bool:
        """True when this server serves signed addresses itself."""
        return isinstance(self._store, LocalStore)

    @property
    def local_root(self) -> Path | None:
        """The folder of a store on disk, where a key is a path; None for a bucket."""
        return self._root

    async def put(self, key: str, source: Source, *, max_bytes: int | None = None) -> tuple[BlobFacts, str]:
        """Store bytes under a key, replacing what was there in one step.

        A reader sees the old bytes or the new ones. When the source fails half-way, the old ones stay.

        Args:
            key: Where.
            source: The bytes, a file, or pieces as they come.
            max_bytes: Refuse more than this.

        Returns:
            The facts, and the SHA-256 of the bytes in hex.

        Raises:
            QuadratError: too_large; unavailable when the store is full or away.
        """
        digest = sha256()
        counted = _Counted(source, max_bytes, digest.update)
        return await self._put(key, counted, counted.pieces()), digest.hexdigest()

    async def put_many(self, contents: Sequence[tuple[str, bytes]]) -> list[BlobFacts]:
        """As `put`, for many small ones at a fraction of its cost; when one fails, others may be stored.

        Raises:
            QuadratError: As for `put`.
        """
        if self._root is None or not all(self.stages(len(content)) for _, content in contents):
            turns = asyncio.Semaphore(_PUTS_AT_A_TIME)

            async def put(key: str, content: bytes) -> BlobFacts:
                async with turns:
                    return (await self.put(key, content))[0]

            return await asyncio.gather(*(put(*one) for one in contents))
        for key, _ in contents:
            check_key(key)
        try:
            return await asyncio.to_thread(_put_whole, str(self._root), contents)
        except OSError as error:
            raise _unavailable(error) from error

    async def receive(self, key: str, source: AsyncIterator[bytes], *, max_bytes: int | None = None) -> Received:
        """As `put`, for bytes of which nobody wants a digest and of which somebody keeps count; quick for small ones.

        That they come is written down on disk before they lie anywhere, until `end`, `finish` or `drop` is called.
        Where `stages` says so they lie beside their key until `place` or `finish`, and what was under it is so still.

        Raises:
            QuadratError: As for `put`.
        """
        check_key(key)
        counted = _Counted(source, max_bytes)
        pieces = counted.pieces()
        begun: list[bytes] = []
        while counted.size_bytes <= _WHOLE_BYTES and (piece := await anext(pieces, None)) is not None:
            begun.append(piece)
        note = self._begin(key)
        try:
            if self._root is None or counted.size_bytes > _WHOLE_BYTES:
                staged, facts = None, await self._put(key, counted, _after(begun, pieces))
            else:
                staged, facts = await self._staging.join(None, (key, begun))
        except BaseException as error:
            self.end(note)
            if isinstance(error, OSError) and error is not counted.failure:
                raise _unavailable(error) from error
            raise
        return Received(facts, _beginning(begun), note, staged)

    def stages(self, size_bytes: int | None) -> bool:
        """Whether `receive` leaves what is under a key as it was for so many bytes; None for an unknown number."""
        return self._root is not None and size_bytes is not None and size_bytes <= _WHOLE_BYTES

    def place(self, key: str, received: Received) -> None:
        """From now on what was received lies under its key. Safe to repeat.

        Raises:
            QuadratError: unavailable.
        """
        if received.staged is not None:
            try:
                with contextlib.suppress(FileNotFoundError):
                    os.rename(received.staged, f"{self._root}/{key}")  # noqa: PTH104 - this is the hot path
            except OSError as error:
                raise _unavailable(error) from error

    def finish(self, key: str, received: Received) -> None:
        """As `place`, for what whoever keeps count of it knows of.

        Raises:
            QuadratError: As for `place`; the next start repeats this.
        """
        self.place(key, received)
        self.end(received.note)

    async def finish_all(self, came: Sequence[tuple[str, Received]]) -> None:
        """As `finish`, for many in their order: a file system takes its time over what is replaced.

        Raises:
            QuadratError: As for `finish`; then those that follow are not finished.
        """
        await asyncio.to_thread(self._finish_all, came)

    def _finish_all(self, came: Sequence[tuple[str, Received]]) -> None:
        for key, received in came:
            self.finish(key, received)

    async def _stage(self, _: None, coming: Sequence[tuple[str, Sequence[bytes]]]) -> Sequence[disk.Staged | OSError]:
        return await asyncio.to_thread(disk.stage_all, str(self._root), coming)

    async def drop(self, key: str, received: Received) -> None:
        """Nobody keeps count of what was received: it goes. Safe to repeat."""
        if received.staged is None:
            await self.delete(key)
        else:
            _remove(Path(received.staged))
        self.end(received.note)

    async def _put(self, key: str, counted: "_Counted", pieces: AsyncIterator[bytes]) -> BlobFacts:
        check_key(key)
        try:
            result = await obstore.put_async(
                self._store,
                key,
                pieces,
                use_multipart=True,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_A_TIME,
            )
        except _STORE_ERRORS as error:
            if error is counted.failure:
                raise
            raise _unavailable(error) from error
        return BlobFacts(counted.size_bytes, _quoted(result["e_tag"]), datetime.now(UTC))

    async def head(self, key: str) -> BlobFacts:
        """Facts about stored bytes.

        Raises:
            QuadratError: not_found.
        """
        check_key(key)
        with _reading(key):
            meta = await obstore.head_async(self._store, key)
        return BlobFacts(meta["size"], _quoted(meta["e_tag"]), meta["last_modified"])

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under the key."""
        try:
            await self.head(key)
        except QuadratError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return False
            raise
        return True

    async def open(self, key: str, content_range: ByteRange | None = None) -> BlobReader:
        """Read bytes in pieces of at most 1 MiB.

        Raises:
            QuadratError: not_found.
        """
        check_key(key)
        with _reading(key):
            options: Any = {"range": (content_range.start, content_range.stop)} if content_range else None
            result = await obstore.get_async(self._store, key, options=options)
        meta = result.meta
        facts = BlobFacts(meta["size"], _quoted(meta["e_tag"]), meta["last_modified"])
        start, stop = result.range
        return BlobReader(facts, ByteRange(start, stop), _chunks(result))

    async def read_quickly(self, key: str) -> tuple[BlobFacts, memoryview] | None:
        """All bytes at once of something on disk of at most 1 MiB; None for everything else, which `open` reads.

        Raises:
            QuadratError: not_found.
        """
        check_key(key)
        if self._root is None:
            return None
        with _reading(key):
            descriptor, facts = disk.open_to_read(str(self._root), key)
            try:
                if facts.size_bytes > _WHOLE_BYTES:
                    return None
                content = memoryview(bytearray(facts.size_bytes))
                if disk.read_cached(descriptor, content):
                    return facts, content
                return facts, memoryview(await asyncio.to_thread(disk.read_all, descriptor, facts.size_bytes))
            finally:
                os.close(descriptor)

    def read_cached(self, key: str, into: memoryview) -> tuple[BlobFacts, memoryview] | None:
        """As `read_quickly`, without waiting for anything: None also where there is nothing, or not in memory.

        Args:
            key: Which.
            into: Where what is read is put, at its beginning; more than this is not read.
        """
        if self._root is None or _KEY.fullmatch(key) is None:
            return None
        try:
            descriptor, facts = disk.open_to_read(str(self._root), key)
        except OSError:
            return None
        try:
            content = into[: facts.size_bytes]
            fits = len(content) == facts.size_bytes
            return (facts, content) if fits and disk.read_cached(descriptor, content) else None
        except OSError:
            return None
        finally:
            os.close(descriptor)

    async def read(self, key: str, *, max_bytes: int) -> bytes:
        """All bytes at once, of something small.

        Raises:
            QuadratError: not_found; too_large.
        """
        reader = await self.open(key)
        if reader.facts.size_bytes > max_bytes:
            raise QuadratError(ErrorKind.TOO_LARGE, f"These are more than {max_bytes} bytes.")
        return b"".join([chunk async for chunk in reader.chunks])

    async def read_range(self, key: str, content_range: ByteRange) -> memoryview:
        """A part of some bytes at once, without the copies that reading in pieces makes.

        Raises:
            QuadratError: not_found.
        """
        check_key(key)
        with _reading(key):
            found = await obstore.get_range_async(self._store, key, start=content_range.start, end=content_range.stop)
        return memoryview(found)

    async def fetch_to(self, key: str, path: Path) -> None:
        """Write the bytes into a file."""
        reader = await self.open(key)
        with path.open("wb") as file:
            async for chunk in reader.chunks:
                await asyncio.to_thread(file.write, chunk)

    async def delete(self, key: str) -> None:
        """Remove the bytes; no error when there are none."""
        check_key(key)
        try:
            with contextlib.suppress(FileNotFoundError):
                await obstore.delete_async(self._store, key)
        except _STORE_ERRORS as error:
            raise _unavailable(error) from error

    async def forget_unfinished(self, key: str, *, known_etag: str | None = None) -> None:
        """Remove what writers of a key that were killed have left on disk; nobody may be writing it.

        A bucket removes such parts by itself, by the rule for incomplete uploads.

        Args:
            key: Which.
            known_etag: Of the bytes that somebody keeps count of: those go under the key instead.
        """
        check_key(key)
        if self._root is not None:
            path = self._root / key
            await asyncio.to_thread(_remove_staged, path, known_etag)

    def _begin(self, key: str) -> str | None:
        try:
            return None if self._ledger is None else self._ledger.begin(key)
        except OSError as error:
            raise _unavailable(error) from error

    def end(self, note: str | None) -> None:
        """What was received is known of by whoever keeps count of it, or did not come."""
        if note is not None and self._ledger is not None:
            self._ledger.end(note)

    def list_begun(self) -> list[tuple[str, str]]:
        """Notes and keys of what was received and not ended: at a server's start, what the one before had in hand."""
        return [] if self._ledger is None else self._ledger.list_open()

    async def list_prefix(self, prefix: str) -> AsyncIterator[tuple[str, BlobFacts]]:
        """Keys and facts of everything under ``prefix/``."""
        check_key(prefix)
        try:
            async for page in obstore.list(self._store, prefix):
                for entry in page:
                    yield entry["path"], BlobFacts(entry["size"], _quoted(entry["e_tag"]), entry["last_modified"])
        except _STORE_ERRORS as error:
            raise _unavailable(error) from error

    async def list_folders(self, prefix: str) -> list[str]:
        """Names of the folders right under ``prefix/``."""
        check_key(prefix)
        try:
            listed = await obstore.list_with_delimiter_async(self._store, prefix)
        except _STORE_ERRORS as error:
            raise _unavailable(error) from error
        return sorted(path.rstrip("/").rpartition("/")[2] for path in listed["common_prefixes"])

    async def delete_prefix(self, prefix: str) -> int:
        """Remove everything under ``prefix/``; returns how much that was. Safe to repeat."""
        return await self.delete_where(prefix, lambda _key: True)

    async def delete_where(self, prefix: str, matches: Callable[[str], bool]) -> int:
        """Remove what matches under ``prefix/``; returns how much that was. Safe to repeat."""
        check_key(prefix)
        removed = 0
        try:
            async for page in obstore.list(self._store, prefix):
                keys = [entry["path"] for entry in page if matches(entry["path"])]
                with contextlib.suppress(FileNotFoundError):  # somebody else removes the same
                    await obstore.delete_async(self._store, keys)
                removed += len(keys)
        except _STORE_ERRORS as error:
            raise _unavailable(error) from error
        return removed

    async def sign(
        self, method: SignedMethod, key: str, life: timedelta, *, base_url: str, filename: str | None = None
    ) -> str:
        """An absolute address that works without any credential, for one method and one key.

        Args:
            method: GET or PUT.
            key: The blob, which need not exist.
            life: At most 7 days.
            base_url: Of this server, as the caller reaches it; a bucket has its own.
            filename: Offered as the name of a download; only addresses of this server can do so.
        """
        check_key(key)
        if isinstance(self._store, LocalStore):
            return self._address(method, key, life, base_url, filename)
        return await obstore.sign_async(self._store, method.value, key, min(life, MAX_LIFE))

    def sign_here(self, key: str, life: timedelta, *, base_url: str) -> str:
        """An absolute address of this server to read what lies outside of the store; life at most 7 days."""
        return self._address(SignedMethod.GET, key, life, base_url, None)

    def _address(self, method: SignedMethod, key: str, life: timedelta, base_url: str, filename: str | None) -> str:
        check_key(key)
        expires_at = datetime.fromtimestamp(int((datetime.now(UTC) + min(life, MAX_LIFE)).timestamp()), UTC)
        return address(Permit(method, key, expires_at, filename), self._signing_key, base_url)

    def permit(self, key: str, query: Mapping[str, str]) -> Permit:
        """What an address of this server allows.

        Raises:
            QuadratError: forbidden.
        """
        return verify(key, query, self._signing_key, datetime.now(UTC))

    async def answers(self) -> bool:
        """Whether the store can be read at this moment."""
        try:
            await self.exists(_PROBE)
        except QuadratError as error:
            _log.warning("store.unavailable", reason=error.message)
            return False
        return True


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _remove_staged(path: Path, known_etag: str | None) -> None:
    """The store's library writes into ``path#1``, ``path#2`` and so on, and renames that at the end; so do we."""
    if path.parent.is_dir():
        for part in path.parent.glob(f"{path.name}#*"):
            if known_etag is not None and disk.facts_of(str(part)).etag == known_etag:
                part.rename(path)
            else:
                _remove(part)


def _put_whole(root: str, contents: Sequence[tuple[str, bytes]]) -> list[BlobFacts]:
    stored = []
    for key, content in contents:
        staged, facts = disk.stage(root, key, [content])
        os.rename(staged, f"{root}/{key}")  # noqa: PTH104 - this is the hot path
        stored.append(facts)
    return stored


def _beginning(pieces: Sequence[bytes]) -> bytes:
    beginning = b""
    for piece in pieces:
        beginning += piece[: SNIFFED_BYTES - len(beginning)]
        if len(beginning) == SNIFFED_BYTES:
            break
    return beginning


async def _after(begun: Sequence[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in begun:
        yield piece
    async for piece in rest:
        yield piece


class _Counted:
    """A source that is measured while it is read."""

    def __init__(self, source: Source, max_bytes: int | None, look: Callable[[bytes], None] | None = None) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self._look = look
        self.size_bytes = 0
        self.failure: Exception | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._measured():
                yield piece
        except Exception as error:
            # Told apart from a fault of the store by whoever called `put`.
            self.failure = error
            raise

    async def _measured(self) -> AsyncIterator[bytes]:
        async for piece in self._raw():
            self.size_bytes += len(piece)
            if self._max_bytes is not None and self.size_bytes > self._max_bytes:
                raise QuadratError(ErrorKind.TOO_LARGE, f"The file is larger than {self._max_bytes} bytes.")
            if self._look is not None:
                self._look(piece)
            yield piece

    async def _raw(self) -> AsyncIterator[bytes]:
        source = self._source
        if isinstance(source, bytes):
            yield source
        elif isinstance(source, Path):
            with source.open("rb") as file:
                while piece := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    yield piece
        else:
            async for piece in source:
                yield piece


async def _chunks(result: Any) -> AsyncIterator[bytes]:
    try:
        async for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
            # Given on as plain bytes, which every web server takes.
            yield bytes(chunk)
    except _STORE_ERRORS as error:
        raise _unavailable(error) from error


def check_key(key: str) -> None:
    """Refuse what cannot have come from an id: a mistake of ours, or an address that somebody made up.

    Raises:
        QuadratError: not_found.
    """
    if _KEY.fullmatch(key) is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "There is nothing under this key.")


@contextlib.contextmanager
def _reading(key: str) -> Any:
    try:
        yield
    except FileNotFoundError as error:
        raise QuadratError(ErrorKind.NOT_FOUND, f"There are no bytes under {key}.") from error
    except _STORE_ERRORS as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> QuadratError:
    if is_disk_full(error):
        return disk_full()
    text = str(error)
    _log.error("store.failed", reason=text.splitlines()[0] if text else type(error).__name__)
    return QuadratError(ErrorKind.UNAVAILABLE, "The store does not answer; try again shortly.", retry_after_s=5)


def _quoted(e_tag: str | None) -> str:
    text = e_tag or ""
    return text if text.startswith('"') else f'"{text}"'
