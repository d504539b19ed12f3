"""Ties the signed addresses of images to their samples."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.db.together import Together
from quadrat.errors import ErrorKind, QuadratError
from quadrat.samples.actions.embeddings import csv_came
from quadrat.samples.actions.images import note_images
from quadrat.samples.intake import GATHER_S
from quadrat.samples.places import Places
from quadrat.samples.rules.samples import parse_blob_key, parse_csv_key
from quadrat.samples.store import images as store
from quadrat.samples.store.datasets import lock_dataset
from quadrat.samples.types import DatasetId, Rendition, SampleId, StoredImage
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References
from quadrat.storage.sniff import SNIFFED_BYTES, UNKNOWN, image_type
from quadrat.storage.types import BlobFacts, ByteRange, ByteSource, Received


@dataclass(frozen=True, slots=True)
class _Arrival:
    sample_id: SampleId
    rendition: Rendition
    stored: StoredImage
    key: str
    received: Received


class SampleBlobGuard:
    """Asked at each use of a signed address of this server.

    Args:
        db: Where samples are.
        blobs: Where their bytes are.
        references: Reads those that were imported without a copy.
        places: Knows where each lies.
    """

    def __init__(self, db: Database, blobs: BlobStore, references: References, places: Places) -> None:
        self._db = db
        self._blobs = blobs
        self._references = references
        self._arrivals = Together(self._note, "sample-arrivals", gather_s=GATHER_S)
        self._places = places
        # Whether the database knows of these was not to be learned when they came: it went away meanwhile.
        self._doubtful: list[tuple[str, Received]] = []
        self._settling = asyncio.Lock()

    def admits_at_once(self, key: str) -> bool:
        """Whether `admit` would say at this moment, without a look, that the bytes are to be read in the store."""
        named = parse_blob_key(key)
        return named is None or self._places.is_in_store(named[0], named[1])

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
        place = await self._places.find(dataset_id, sample_id)
        if place is None:
            raise QuadratError(ErrorKind.NOT_FOUND, "The sample of this address does not exist any more.")
        (location,) = place
        if location is None or rendition is not Rendition.FULL:
            return None
        return ByteSource(partial(self._references.head, location), partial(self._references.open, location))

    async def expect(self, key: str, size_bytes: int | None) -> None:
        """Refuse bytes whose sample is gone before they come, unless that costs more than to drop them afterwards.

        While the database is away all are refused: nothing is replaced of which it could not be told.

        Raises:
            QuadratError: not_found, unavailable.
        """
        if self._doubtful:
            await self._settle()
        elif self._blobs.stages(size_bytes):
            return
        await self.admit(key)

    async def _settle(self) -> None:
        """Do with bytes in doubt what the database says, now that it says something."""
        async with self._settling:
            while self._doubtful:
                doubt = self._doubtful[-1]
                if not await self._finish_known(*doubt):
                    await self._blobs.drop(*doubt)
                    self._doubtful.remove(doubt)

    async def _finish_known(self, key: str, received: Received) -> bool:
        """Finish bytes in doubt that the database knows of, before anybody can note newer ones."""
        named = parse_blob_key(key)
        if named is None:
            return False
        dataset_id, sample_id, rendition = named
        async with self._db.begin() as tx:
            await lock_dataset(tx, dataset_id)
            known = await store.find_image(tx, sample_id, rendition)
            if known is None or known.etag != received.facts.etag:
                return False
            self._blobs.finish(key, received)
            # At once: they are not there for another time, whatever becomes of this transaction.
            self._doubtful.remove((key, received))
        return True

    async def stored(self, key: str, received: Received) -> None:
        """Note the bytes that came and have them looked into; drop them when the sample went while they came.

        Raises:
            QuadratError: not_found, unavailable.
        """
        named, embedding = parse_blob_key(key), parse_csv_key(key)
        kept = True
        if named is not None:
            kept = await self._image_stored(*named, key, received)
        else:
            # Nobody keeps count of other bytes, but a job reads a table as soon as it is known of.
            self._blobs.place(key, received)
            if embedding is not None:
                async with self._db.begin() as tx:
                    kept = await csv_came(tx, *embedding)
            self._blobs.end(received.note)
        if not kept:
            await self._blobs.drop(key, received)
            await self._blobs.delete(key)
            raise QuadratError(ErrorKind.NOT_FOUND, "What this address belongs to does not exist any more.")

    async def recover(self) -> None:
        """Note bytes that a killed server had taken in and not noted, and remove what it had written in part.

        To be called before any address is used.
        """
        for note, key in self._blobs.list_begun():
            known = await self._known_etag(key)
            await self._blobs.forget_unfinished(key, known_etag=known)
            try:
                facts = await self._blobs.head(key)
                if facts.etag != known:
                    await self.stored(key, Received(facts, await self._beginning(key, facts), None))
            except QuadratError as error:
                if error.kind is not ErrorKind.NOT_FOUND:
                    raise
            self._blobs.end(note)

    async def _known_etag(self, key: str) -> str | None:
        named = parse_blob_key(key)
        if named is None:
            return None
        _, sample_id, rendition = named
        async with self._db.begin() as tx:
            known = await store.find_image(tx, sample_id, rendition)
        return None if known is None else known.etag

    async def _image_stored(
        self, dataset_id: DatasetId, sample_id: SampleId, rendition: Rendition, key: str, received: Received
    ) -> bool:
        facts = received.facts
        stored = StoredImage(facts.size_bytes, facts.etag, image_type(received.beginning) or UNKNOWN, now())
        arrival = _Arrival(sample_id, rendition, stored, key, received)
        try:
            return await self._arrivals.join(dataset_id, arrival)
        except Exception:
            if received.staged is not None:
                self._doubtful.append((key, received))
            raise

    async def _note(self, dataset_id: DatasetId, arrivals: Sequence[_Arrival]) -> Sequence[bool]:
        # Of bytes that came twice the later count.
        came = {(arrival.sample_id, arrival.rendition): arrival.stored for arrival in arrivals}
        async with self._db.begin() as tx:
            kept = await note_images(tx, dataset_id, came)
        # In their order, before anything of the next transaction: what lies there is what the database knows of.
        await self._blobs.finish_all([(one.key, one.received) for one in arrivals if one.sample_id in kept])
        return [arrival.sample_id in kept for arrival in arrivals]

    async def _beginning(self, key: str, facts: BlobFacts) -> bytes:
        if not facts.size_bytes:
            return b""
        reader = await self._blobs.open(key, ByteRange(0, min(SNIFFED_BYTES, facts.size_bytes)))
        return b"".join([chunk async for chunk in reader.chunks])
