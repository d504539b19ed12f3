"""What can be done with image samples."""

from collections.abc import AsyncIterator

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_object_id
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.samples.actions.datasets import open_dataset
from quadrat.samples.rules import samples as rules
from quadrat.samples.rules.common import refusal, this_moment
from quadrat.samples.store import samples as store
from quadrat.samples.store.datasets import lock_dataset
from quadrat.samples.types import (
    DatasetId,
    ImageSample,
    NewSample,
    SampleChange,
    SampleId,
    SampleList,
    SampleName,
)


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
    index = await lock_dataset(tx, dataset_id)
    if index is None:
        raise refusal(ErrorKind.NOT_FOUND, "DATASET_UNKNOWN", f"Dataset {dataset_id} does not exist.")
    existing = await store.find_by_name(tx, dataset_id, new.file_name)
    if existing is not None:
        sample_id, digest = existing
        if digest == new.digest:
            return sample_id
        raise refusal(
            ErrorKind.ALREADY_EXISTS,
            "CREATION_FAILED",
            f"The dataset has another sample called {new.file_name} already.",
            "file_name",
        )
    if index >= max_samples:
        raise refusal(
            ErrorKind.LIMIT_REACHED, "DATASET_AT_MAX_CAPACITY", f"A dataset holds at most {max_samples} samples."
        )
    at = this_moment()
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
    return refusal(ErrorKind.NOT_FOUND, "SAMPLE_UNKNOWN", f"Sample {sample_id} does not exist in this dataset.")


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
            found = await store.update_sample(tx, dataset_id, sample_id, change, this_moment())
    except IntegrityError:
        raise refusal(
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
