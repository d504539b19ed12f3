"""Ties the signed addresses of images to their samples."""

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.samples import rules, store
from quadrat.samples.types import StoredImage
from quadrat.storage.blobs import BlobStore
from quadrat.storage.sniff import SNIFFED_BYTES, UNKNOWN, image_type
from quadrat.storage.types import BlobFacts, ByteRange


class SampleBlobGuard:
    """Asked at each use of a signed address of this server.

    Args:
        db: Where samples are.
        blobs: Where their bytes are.
    """

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs

    async def admit(self, key: str) -> None:
        """Refuse an address whose sample is gone, though its signature is good and its bytes may be there still.

        Raises:
            QuadratError: not_found.
        """
        named = rules.parse_blob_key(key)
        if named is None:
            return
        dataset_id, sample_id, _ = named
        async with self._db.begin() as tx:
            if not await store.has_sample(tx, dataset_id, sample_id):
                raise QuadratError(ErrorKind.NOT_FOUND, "The sample of this address does not exist any more.")

    async def stored(self, key: str, facts: BlobFacts) -> None:
        """Note the bytes that came; remove them when the sample went while they came."""
        named = rules.parse_blob_key(key)
        if named is None:
            return
        dataset_id, sample_id, rendition = named
        stored = StoredImage(facts.size_bytes, facts.etag, await self._media_type(key, facts), now())
        async with self._db.begin() as tx:
            kept = await store.set_image(tx, dataset_id, sample_id, rendition, stored)
        if not kept:
            await self._blobs.delete(key)
            raise QuadratError(ErrorKind.NOT_FOUND, "The sample of this address does not exist any more.")

    async def _media_type(self, key: str, facts: BlobFacts) -> str:
        if not facts.size_bytes:
            return UNKNOWN
        reader = await self._blobs.open(key, ByteRange(0, min(SNIFFED_BYTES, facts.size_bytes)))
        return image_type(b"".join([chunk async for chunk in reader.chunks])) or UNKNOWN
