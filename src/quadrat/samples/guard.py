"""Ties the signed addresses of images to their samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.db.together import Together
from quadrat.errors import ErrorKind, QuadratError
from quadrat.samples.actions.embeddings import csv_came
from quadrat.samples.actions.images import note_images
from quadrat.samples.rules.samples import parse_blob_key, parse_csv_key
from quadrat.samples.store import images as store
from quadrat.samples.types import DatasetId, Rendition, SampleId, StoredImage
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References
from quadrat.storage.sniff import SNIFFED_BYTES, UNKNOWN, image_type
from quadrat.storage.types import BlobFacts, ByteRange, ByteSource


@dataclass(frozen=True, slots=True)
class _Arrival:
    sample_id: SampleId
    rendition: Rendition
    stored: StoredImage


class SampleBlobGuard:
    """Asked at each use of a signed address of this server.

    Args:
        db: Where samples are.
        blobs: Where their bytes are.
        references: Reads those that were imported without a copy.
    """

    def __init__(self, db: Database, blobs: BlobStore, references: References) -> None:
        self._db = db
        self._blobs = blobs
        self._references = references
        self._arrivals = Together(self._note, "sample-arrivals")
        # All who ask while one look is under way share the next.
        self._places = Together(self._find_places, "sample-places", gather_s=0)

    async def admit(self, key: str) -> ByteSource | None:
        """Refuse an address whose sample is gone, though its signature is good and its bytes may be there still.

        Returns:
            Where to read when that is not the store.

        Raises:
            QuadratError: not_found.
        """
        named = parse_blob_key(key)
        if named is None:
            return None
        dataset_id, sample_id, rendition = named
        place = await self._places.join(dataset_id, sample_id)
        if place is None:
            raise QuadratError(ErrorKind.NOT_FOUND, "The sample of this address does not exist any more.")
        (location,) = place
        if location is None or rendition is not Rendition.FULL:
            return None
        return ByteSource(partial(self._references.head, location), partial(self._references.open, location))

    async def _find_places(self, dataset_id: DatasetId, ids: Sequence[SampleId]) -> Sequence[tuple[str | None] | None]:
        async with self._db.look() as tx:
            found = await store.find_places(tx, dataset_id, ids)
        return [found.get(id_) for id_ in ids]

    async def stored(self, key: str, facts: BlobFacts, beginning: bytes) -> None:
        """Note the bytes that came and have them looked into; remove them when the sample went while they came."""
        embedding = parse_csv_key(key)
        if embedding is not None:
            async with self._db.begin() as tx:
                kept = await csv_came(tx, *embedding)
        else:
            kept = await self._image_stored(key, facts, beginning)
        if not kept:
            await self._blobs.delete(key)
            raise QuadratError(ErrorKind.NOT_FOUND, "What this address belongs to does not exist any more.")

    async def recover(self) -> None:
        """Note bytes that a killed server had taken in and not noted, and remove what it had written in part.

        To be called before any address is used.
        """
        for note, key in self._blobs.list_begun():
            await self._blobs.forget_unfinished(key)
            try:
                facts = await self._blobs.head(key)
                if not await self._is_noted(key, facts):
                    await self.stored(key, facts, await self._beginning(key, facts))
            except QuadratError as error:
                if error.kind is not ErrorKind.NOT_FOUND:
                    raise
            self._blobs.end(note)

    async def _is_noted(self, key: str, facts: BlobFacts) -> bool:
        named = parse_blob_key(key)
        if named is None:
            return False
        _, sample_id, rendition = named
        async with self._db.begin() as tx:
            known = await store.find_image(tx, sample_id, rendition)
        return known is not None and known.etag == facts.etag

    async def _image_stored(self, key: str, facts: BlobFacts, beginning: bytes) -> bool:
        named = parse_blob_key(key)
        if named is None:
            return True
        dataset_id, sample_id, rendition = named
        stored = StoredImage(facts.size_bytes, facts.etag, image_type(beginning) or UNKNOWN, now())
        return await self._arrivals.join(dataset_id, _Arrival(sample_id, rendition, stored))

    async def _note(self, dataset_id: DatasetId, arrivals: Sequence[_Arrival]) -> Sequence[bool]:
        # Of bytes that came twice the later count.
        came = {(arrival.sample_id, arrival.rendition): arrival.stored for arrival in arrivals}
        async with self._db.begin() as tx:
            kept = await note_images(tx, dataset_id, came)
        return [arrival.sample_id in kept for arrival in arrivals]

    async def _beginning(self, key: str, facts: BlobFacts) -> bytes:
        if not facts.size_bytes:
            return b""
        reader = await self._blobs.open(key, ByteRange(0, min(SNIFFED_BYTES, facts.size_bytes)))
        return b"".join([chunk async for chunk in reader.chunks])
