"""Files on their way into the store and into models, and back."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from uuid import UUID

import msgspec

from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.identity.types import ProjectId
from quadrat.runner.base import LentFile, Reply, Runner
from quadrat.serving.actions.blobs import find_blobs
from quadrat.serving.rules.blobs import DEFAULT_TTL_S, blob_key, payload_key, safe_file_name
from quadrat.serving.rules.values import decode_json
from quadrat.serving.store import blobs as store
from quadrat.serving.types import Blob, Content, Deployment
from quadrat.storage.blobs import BlobStore, Source

SPILL_BYTES = 256 * 1024
"""Payloads of batch requests above this size lie in the store, not in their row."""

STORING_GRACE = timedelta(hours=24)
"""Bytes whose row never got an owner are removed after this time."""

# Each takes up to 100 MiB.
_LARGE_AT_A_TIME = 4
MAX_FILE_BYTES = 2 * 1024**3
_encode = msgspec.json.Encoder().encode


class Files:
    """Blobs of projects, and payloads of batch requests.

    A row is written before the bytes and gets its owner after them: what is cut off in between is found and removed.

    Args:
        db: Where their rows are.
        blobs: Where their bytes are.
        runner: Puts files where models can read them.
    """

    def __init__(self, db: Database, blobs: BlobStore, runner: Runner) -> None:
        self._db = db
        self._blobs = blobs
        self._runner = runner
        self._large = asyncio.Semaphore(_LARGE_AT_A_TIME)

    # Blobs.

    async def add_blob(
        self,
        project_id: ProjectId,
        file_name: str,
        source: Source,
        *,
        ttl_s: int = DEFAULT_TTL_S,
        max_bytes: int = MAX_FILE_BYTES,
    ) -> Blob:
        """Store a file as a new blob of a project; the caller has been allowed to.

        Raises:
            QuadratError: too_large; unavailable.
        """
        blob_id = new_uuid()
        async with self._db.begin() as tx:
            await store.announce_blob(tx, blob_id, safe_file_name(file_name), STORING_GRACE)
        facts, _ = await self._blobs.put(blob_key(blob_id), source, max_bytes=max_bytes)
        async with self._db.begin() as tx:
            return await store.keep_blob(tx, project_id, blob_id, facts.size_bytes, ttl_s)

    @asynccontextmanager
    async def lend(self, deployment: Deployment, data: bytes) -> AsyncIterator[bytes]:
        """Request data with paths of files in place of blobs; the files exist until the end of the block.

        Args:
            deployment: Whose input says which fields are blobs.
            data: Checked request data.

        Raises:
            QuadratError: invalid, when one of the blobs is not there any more; unavailable.
        """
        value = decode_json(data)
        named = {name: UUID(value[name]) for name in deployment.input.file_fields}
        async with self._db.begin() as tx:
            found = await find_blobs(tx, deployment.project_id, list(named.values()))
        files = [self._to_lend(found[id_]) for id_ in named.values()]
        async with self._runner.lend(files) as paths:
            lent = dict(zip(named, map(str, paths), strict=True))
            yield _encode({**value, **lent})

    @asynccontextmanager
    async def copied(self, project_id: ProjectId, blob_id: UUID) -> AsyncIterator[tuple[str, Path]]:
        """Name and local copy of a blob, which exists until the end of the block.

        Raises:
            QuadratError: invalid, when it is not there any more; unavailable.
        """
        async with self._db.begin() as tx:
            blob = (await find_blobs(tx, project_id, [blob_id]))[blob_id]
        with TemporaryDirectory(prefix="quadrat-blob-") as folder:
            path = Path(folder) / "blob"
            await self._blobs.fetch_to(blob_key(blob_id), path)
            yield blob.file_name, path

    def _to_lend(self, blob: Blob) -> LentFile:
        async def fetch(target: Path) -> None:
            await self._blobs.fetch_to(blob_key(blob.id), target)

        return LentFile(blob.file_name, fetch)

    async def keep(self, deployment: Deployment, reply: Reply) -> Reply:
        """The reply with ids of new blobs in place of the files that the model gave."""
        value: dict[str, Any] = msgspec.json.decode(reply.result)
        try:
            for field, given in (reply.files or {}).items():
                blob = await self.add_blob(deployment.project_id, given.name, _pieces(given.stream))
                value[field] = str(blob.id)
        finally:
            reply.close_files()
        return Reply(reply.success, _encode(value), reply.error_message, reply.duration_ns)

    # Payloads.

    async def add_payload(self, data: bytes) -> UUID:
        """Store what is too large for a row; the request that it belongs to must be named soon."""
        payload_id = new_uuid()
        async with self._db.begin() as tx:
            await store.announce_payload(tx, payload_id, len(data))
        await self._blobs.put(payload_key(payload_id), data)
        return payload_id

    async def spill(self, items: Sequence[bytes]) -> dict[int, UUID]:
        """Store those of the items that are too large for a row; which payload holds which, by position."""
        return {position: await self.add_payload(item) for position, item in enumerate(items) if is_large(item)}

    def brought(self, content: Content) -> AbstractAsyncContextManager[bytes]:
        """The text of a content. What lies in the store is in memory only for a few at a time.

        Raises:
            QuadratError: not_found when its request was deleted meanwhile; unavailable.
        """
        # Most are at hand, and every step of every request comes by here.
        return nullcontext(content) if isinstance(content, bytes) else self._bring(content)

    @asynccontextmanager
    async def _bring(self, payload_id: UUID) -> AsyncIterator[bytes]:
        async with self._large:
            yield await self.read_payload(payload_id)

    async def read_payload(self, payload_id: UUID) -> bytes:
        """All of a payload.

        Raises:
            QuadratError: not_found when its request was deleted meanwhile; unavailable.
        """
        return await self._blobs.read(payload_key(payload_id), max_bytes=MAX_FILE_BYTES)

    async def stream_payload(self, payload_id: UUID) -> AsyncIterator[bytes]:
        """The pieces of a payload."""
        reader = await self._blobs.open(payload_key(payload_id))
        async for chunk in reader.chunks:
            yield chunk

    async def remove_waste(self, block: int) -> Mapping[str, int]:
        """Remove the bytes of blobs that are over and of payloads whose requests are gone. Safe to repeat."""
        blobs = payloads = 0
        while True:
            async with self._db.begin() as tx:
                expired = await store.list_expired(tx, STORING_GRACE, block)
                abandoned = await store.list_abandoned_payloads(tx, STORING_GRACE, block)
            for key in (*map(blob_key, expired), *map(payload_key, abandoned)):
                # The rows go last: a run that is cut off here finds them again.
                await self._blobs.delete(key)
            async with self._db.begin() as tx:
                await store.delete_blobs(tx, expired)
                await store.delete_payloads(tx, abandoned)
            blobs, payloads = blobs + len(expired), payloads + len(abandoned)
            if max(len(expired), len(abandoned)) < block:
                return {"blobs": blobs, "payloads": payloads}


def is_large(content: bytes) -> bool:
    """Whether this lies in the store when it is kept, and not in its row."""
    return len(content) > SPILL_BYTES


async def _pieces(stream: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := stream.read(1024 * 1024):
        yield piece
