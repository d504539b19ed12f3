"""What can be done with datasets and their image samples."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_object_id
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import access_to, require
from quadrat.identity.actions.projects import personal_project
from quadrat.identity.types import Caller
from quadrat.jobs.actions import enqueue
from quadrat.samples import rules, store
from quadrat.samples.types import (
    Dataset,
    DatasetId,
    ImageSample,
    NewDataset,
    NewSample,
    Rendition,
    SampleChange,
    SampleId,
    SampleList,
    SampleName,
)
from quadrat.storage.blobs import BlobStore
from quadrat.storage.types import SignedMethod

DELETE_BLOBS = "samples.delete_blobs"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: how many rows at most (None for all), after how many."""

    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class AddressMaker:
    """Makes signed addresses for one caller.

    Args:
        blobs: The store.
        base_url: Of this server, as the caller reaches it.
        read_life: Life of an address to read from.
        write_life: Life of an address to write to.
    """

    blobs: BlobStore
    base_url: str
    read_life: timedelta
    write_life: timedelta

    async def read(self, key: str) -> str:
        """An address to read from."""
        return await self.blobs.sign(SignedMethod.GET, key, self.read_life, base_url=self.base_url)

    async def write(self, key: str) -> str:
        """An address to write to."""
        return await self.blobs.sign(SignedMethod.PUT, key, self.write_life, base_url=self.base_url)


def _refusal(kind: ErrorKind, code: str, message: str, field: str | None = None) -> QuadratError:
    return QuadratError(kind, message, field=field, detail={"code": code})


def _name_taken(name: str) -> QuadratError:
    return _refusal(
        ErrorKind.ALREADY_EXISTS, "DATASET_NAME_EXISTS", f"You have a dataset called {name} already.", "name"
    )


def _this_moment() -> datetime:
    return rules.whole_ms(now())


# Datasets.


async def create_dataset(tx: AsyncConnection, caller: Caller, new: NewDataset) -> DatasetId:
    """Make a dataset in the caller's personal project.

    Raises:
        QuadratError: invalid name or parent; already_exists; forbidden for a service user without the right.
    """
    rules.check_dataset_name(new.name)
    project = await personal_project(tx, caller)
    require(caller, await access_to(tx, caller, project.id), "samples.create")
    if new.parent_id is not None and await store.find_dataset(tx, caller, new.parent_id) is None:
        raise _refusal(ErrorKind.INVALID, "DATASET_UNKNOWN", "The parent dataset does not exist.", "parent_id")
    dataset_id = DatasetId(new_object_id())
    if not await store.insert_dataset(tx, dataset_id, project.id, caller.uuid, new, _this_moment()):
        raise _name_taken(new.name)
    return dataset_id


async def open_dataset(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, permission: str) -> Dataset:
    """A dataset, when the caller holds the permission in its project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await store.find_dataset(tx, caller, dataset_id)
    if found is None:
        raise _refusal(ErrorKind.NOT_FOUND, "DATASET_UNKNOWN", f"Dataset {dataset_id} does not exist.")
    require(caller, await access_to(tx, caller, found.project_id), permission)
    return found


async def list_datasets(
    tx: AsyncConnection,
    caller: Caller,
    *,
    shared: bool,
    page: Page,
    name: str | None = None,
    prefix: str | None = None,
) -> Sequence[Dataset]:
    """The caller's own datasets, or those of others that the caller may see, in the order of creation."""
    return await store.list_datasets(
        tx, caller, shared=shared, name=name, prefix=prefix, page=(page.limit, page.offset)
    )


async def rename_dataset(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, name: str) -> None:
    """Give a dataset another name.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    rules.check_dataset_name(name)
    try:
        async with tx.begin_nested():
            await store.rename_dataset(tx, dataset_id, name, _this_moment())
    except IntegrityError:
        raise _name_taken(name) from None


async def delete_dataset(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId) -> None:
    """Remove a dataset with its samples; its signed addresses end at once, its bytes go by a job.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await open_dataset(tx, caller, dataset_id, "samples.delete")
    await store.delete_dataset(tx, dataset_id)
    # No project: the bytes have to go also when the project goes meanwhile.
    await enqueue(tx, DELETE_BLOBS, {"dataset_id": found.id}, owner_id=caller.user_id)


# Samples.


async def create_sample(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, new: NewSample, *, max_samples: int
) -> SampleId:
    """Add a sample at the next free index; the same creation again gives the same sample.

    Args:
        tx: The transaction.
        caller: Who asks.
        dataset_id: Where.
        new: What is said of it.
        max_samples: Most samples of one dataset.

    Raises:
        QuadratError: not_found, forbidden; already_exists for another sample of that name; limit_reached.
    """
    await open_dataset(tx, caller, dataset_id, "samples.create")
    index = await store.lock_dataset(tx, dataset_id)
    if index is None:
        raise _refusal(ErrorKind.NOT_FOUND, "DATASET_UNKNOWN", f"Dataset {dataset_id} does not exist.")
    existing = await store.find_by_name(tx, dataset_id, new.file_name)
    if existing is not None:
        sample_id, digest = existing
        if digest == new.digest:
            return sample_id
        raise _refusal(
            ErrorKind.ALREADY_EXISTS,
            "CREATION_FAILED",
            f"The dataset has another sample called {new.file_name} already.",
            "file_name",
        )
    if index >= max_samples:
        raise _refusal(
            ErrorKind.LIMIT_REACHED, "DATASET_AT_MAX_CAPACITY", f"A dataset holds at most {max_samples} samples."
        )
    at = _this_moment()
    made = ImageSample(
        id=SampleId(new_object_id()),
        dataset_id=dataset_id,
        index=index,
        kind=rules.kind_of(new.documents),
        file_name=new.file_name,
        thumb_name=new.thumb_name,
        created_at=at,
        last_modified_at=at,
        documents=new.documents,
    )
    await store.insert_sample(tx, made, new)
    return made.id


async def get_sample(
    tx: AsyncConnection,
    caller: Caller,
    dataset_id: DatasetId,
    sample_id: SampleId,
    permission: str = "samples.read",
) -> ImageSample:
    """One sample of a dataset.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, permission)
    found = await store.find_sample(tx, dataset_id, sample_id)
    if found is None:
        raise _unknown_sample(sample_id)
    return found


def _unknown_sample(sample_id: SampleId) -> QuadratError:
    return _refusal(ErrorKind.NOT_FOUND, "SAMPLE_UNKNOWN", f"Sample {sample_id} does not exist in this dataset.")


async def update_sample(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, sample_id: SampleId, change: SampleChange
) -> None:
    """Replace what is given, leave the rest; id, index and image stay.

    Raises:
        QuadratError: not_found, forbidden, invalid; already_exists for a name that another sample has.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    if change.file_name is not None:
        rules.check_file_name(change.file_name)
    try:
        async with tx.begin_nested():
            found = await store.update_sample(tx, dataset_id, sample_id, change, _this_moment())
    except IntegrityError:
        raise _refusal(
            ErrorKind.ALREADY_EXISTS,
            "CREATION_FAILED",
            f"The dataset has another sample called {change.file_name} already.",
            "file_name",
        ) from None
    if not found:
        raise _unknown_sample(sample_id)


async def allow_list(tx: AsyncConnection, caller: Caller, wanted: SampleList) -> SampleList:
    """The list, once it is decided that the caller may read it.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, wanted.dataset_id, "samples.read")
    return wanted


async def stream_samples(db: Database, allowed: SampleList) -> AsyncIterator[ImageSample | SampleName]:
    """The samples of a list that `allow_list` has allowed, all from one moment, in a transaction of their own."""
    async with db.snapshot() as conn:
        async for found in store.iterate_samples(conn, allowed):
            yield found


# Bytes.


async def write_address(
    tx: AsyncConnection,
    caller: Caller,
    sample: tuple[DatasetId, SampleId],
    rendition: Rendition,
    addresses: AddressMaker,
) -> str:
    """A signed address to PUT the bytes of a rendition to.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await get_sample(tx, caller, *sample, permission="samples.update")
    return await addresses.write(rules.blob_key(found.dataset_id, found.id, rendition))


async def read_address(
    tx: AsyncConnection,
    caller: Caller,
    sample: tuple[DatasetId, SampleId],
    rendition: Rendition,
    addresses: AddressMaker,
) -> str:
    """A signed address to read the bytes of a rendition from.

    Raises:
        QuadratError: not_found, also when no bytes have come; forbidden.
    """
    found = await get_sample(tx, caller, *sample)
    key = rules.blob_key(found.dataset_id, found.id, rendition)
    stored = await store.find_image(tx, found.id, rendition)
    # Bytes that went straight into a bucket are known of only there.
    if stored is None and (addresses.blobs.is_local or not await addresses.blobs.exists(key)):
        code = "NOT_FOUND" if rendition is Rendition.FULL else "SAMPLE_THUMBNAME_UNKNOWN"
        what = "image" if rendition is Rendition.FULL else "thumbnail"
        raise _refusal(ErrorKind.NOT_FOUND, code, f"The {what} of sample {found.id} has not been uploaded.")
    return await addresses.read(key)
