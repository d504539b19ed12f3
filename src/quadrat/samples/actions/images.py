"""What can be done with the bytes of samples: write, read, and see which are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind
from quadrat.identity.types import Caller, ProjectId, UserId
from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import Queueing
from quadrat.samples.actions.datasets import Page, open_dataset
from quadrat.samples.actions.samples import unknown_sample
from quadrat.samples.places import Places
from quadrat.samples.rules.common import refusal
from quadrat.samples.rules.samples import blob_key
from quadrat.samples.store import images as store
from quadrat.samples.thumbnails import MADE, Thumbnails
from quadrat.samples.types import ByteCounts, ByteState, DatasetId, Rendition, SampleBytes, SampleId, StoredImage
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References, is_bucket
from quadrat.storage.types import SignedMethod

READ_IMAGES = "samples.read_images"
# Long enough for a client's PUT to have reached the bucket, which tells nobody.
_LOOK_AFTER = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class AddressMaker:
    """Makes signed addresses for one caller.

    Args:
        blobs: The store.
        references: What lies outside of it.
        base_url: Of this server, as the caller reaches it.
        read_life: Life of an address to read from.
        write_life: Life of an address to write to.
    """

    blobs: BlobStore
    references: References
    base_url: str
    read_life: timedelta
    write_life: timedelta

    async def read(self, key: str) -> str:
        """An address to read from."""
        return await self.blobs.sign(SignedMethod.GET, key, self.read_life, base_url=self.base_url)

    async def write(self, key: str) -> str:
        """An address to write to."""
        return await self.blobs.sign(SignedMethod.PUT, key, self.write_life, base_url=self.base_url)

    async def read_reference(self, key: str, location: str) -> str:
        """An address to read an image from that lies elsewhere: its provider's own, or one of this server."""
        if is_bucket(location) and (address := await self.references.sign(location, self.read_life)) is not None:
            return address
        return self.blobs.sign_here(key, self.read_life, base_url=self.base_url)


async def write_address(
    db: Database,
    places: Places,
    sample: tuple[DatasetId, SampleId],
    rendition: Rendition,
    addresses: AddressMaker,
) -> str:
    """A signed address to PUT the bytes of a rendition to, for a caller who may change samples of the dataset.

    Raises:
        QuadratError: not_found.
    """
    if await places.find(*sample) is None:
        async with db.look() as tx:
            raise await unknown_sample(tx, *sample)
    if rendition is Rendition.FULL and not addresses.blobs.is_local:
        async with db.begin() as tx:
            await read_images_later(tx, sample[0], after=_LOOK_AFTER)
    return await addresses.write(blob_key(*sample, rendition))


async def read_address(
    db: Database,
    sample: tuple[DatasetId, SampleId],
    rendition: Rendition,
    addresses: AddressMaker,
    thumbnails: Thumbnails,
) -> str:
    """A signed address to read the bytes of a rendition from; a missing thumbnail is made at once.

    For a caller who may read samples of the dataset. Holds no connection while a thumbnail is made.

    Raises:
        QuadratError: not_found, also when no bytes have come or they show no picture; unavailable.
    """
    if rendition is Rendition.FULL:
        return await _full_address(db, sample, addresses)
    await _require_sample(db, sample)
    await thumbnails.ensure(*sample)
    async with db.look() as tx:
        return await _thumbnail_address(tx, *sample, addresses)


async def _require_sample(db: Database, sample: tuple[DatasetId, SampleId]) -> None:
    async with db.look() as tx:
        if await store.find_place(tx, *sample) is None:
            raise await unknown_sample(tx, *sample)


async def _full_address(db: Database, sample: tuple[DatasetId, SampleId], addresses: AddressMaker) -> str:
    async with db.look() as tx:
        found = await store.find_bytes(tx, *sample)
        if found is None:
            raise await unknown_sample(tx, *sample)
    location, is_stored = found
    key = blob_key(*sample, Rendition.FULL)
    if location is not None:
        return await addresses.read_reference(key, location)
    # Bytes that went straight into a bucket are known of only there.
    if not is_stored and (addresses.blobs.is_local or not await addresses.blobs.exists(key)):
        raise refusal(ErrorKind.NOT_FOUND, "NOT_FOUND", f"The image of sample {sample[1]} has not been uploaded.")
    return await addresses.read(key)


async def _thumbnail_address(
    tx: AsyncConnection, dataset_id: DatasetId, sample_id: SampleId, addresses: AddressMaker
) -> str:
    for rendition in MADE:
        if await store.find_image(tx, sample_id, rendition) is not None:
            return await addresses.read(blob_key(dataset_id, sample_id, rendition))
    key = blob_key(dataset_id, sample_id, Rendition.THUMBNAIL)
    if not addresses.blobs.is_local and await addresses.blobs.exists(key):
        return await addresses.read(key)
    raise refusal(ErrorKind.NOT_FOUND, "SAMPLE_THUMBNAME_UNKNOWN", f"Sample {sample_id} has no thumbnail.")


async def note_images(
    tx: AsyncConnection, dataset_id: DatasetId, came: Mapping[tuple[SampleId, Rendition], StoredImage]
) -> set[SampleId]:
    """Note the bytes of images that came, and have full ones looked into; returns the samples that are there still."""
    taken = await store.take_in(tx, dataset_id, came)
    if taken is None:
        return set()
    kept, place = taken
    if any(rendition is Rendition.FULL and id_ in kept for id_, rendition in came):
        await read_images_later(tx, dataset_id, place=place)
    return kept


async def read_images_later(
    tx: AsyncConnection,
    dataset_id: DatasetId,
    *,
    place: tuple[UserId | None, ProjectId | None] = (None, None),
    after: timedelta | None = None,
) -> None:
    """Have the images of a dataset looked into that came, by one job at a time.

    Args:
        tx: The transaction in which they came.
        dataset_id: Whose images.
        place: Owner and project of the job.
        after: Not before this long from now.
    """
    await enqueue(
        tx,
        READ_IMAGES,
        {"dataset_id": dataset_id},
        owner_id=place[0],
        project_id=place[1],
        queueing=Queueing(after=after, lock=f"samples.read_images:{dataset_id}", once=True),
    )


async def list_bytes(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, state: ByteState | None, page: Page
) -> Sequence[SampleBytes]:
    """Samples with the state of their bytes, in the order of their index; those in one state, or all.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    return await store.list_bytes(tx, dataset_id, state, (page.limit, page.offset))


async def count_bytes(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId) -> ByteCounts:
    """How many samples are in which state.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    return await store.count_bytes(tx, dataset_id)
