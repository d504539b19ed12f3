"""What can be done with image samples."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_object_id
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.samples.actions.datasets import open_dataset, unknown_dataset
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


async def create_samples(
    tx: AsyncConnection, dataset_id: DatasetId, wanted: Sequence[NewSample], *, max_samples: int
) -> list[SampleId | QuadratError]:
    """Add samples at the next free indexes; the same creation again gives the same sample.

    Args:
        tx: The transaction.
        dataset_id: Where; whoever asks may create samples there, as `Intake` has made sure.
        wanted: What is said of each.
        max_samples: Most samples of one dataset.

    Returns:
        For each its id, or why it was refused: already_exists for another sample of that name; limit_reached.

    Raises:
        QuadratError: not_found.
    """
    start = await lock_dataset(tx, dataset_id)
    if start is None:
        raise unknown_dataset(dataset_id)
    known = await store.find_by_names(tx, dataset_id, [new.file_name for new in wanted])
    at = this_moment()
    made: list[tuple[ImageSample, NewSample]] = []
    outcomes: list[SampleId | QuadratError] = []
    for new in wanted:
        existing = known.get(new.file_name)
        if existing is not None:
            outcomes.append(existing[0] if existing[1] == new.digest else _name_taken(new.file_name))
        elif start + len(made) >= max_samples:
            message = f"A dataset holds at most {max_samples} samples."
            outcomes.append(refusal(ErrorKind.LIMIT_REACHED, "DATASET_AT_MAX_CAPACITY", message))
        else:
            sample = _new_sample(dataset_id, start + len(made), new, at)
            made.append((sample, new))
            known[new.file_name] = (sample.id, new.digest)
            outcomes.append(sample.id)
    if made:
        await store.insert_samples(tx, dataset_id, made)
    return outcomes


def _new_sample(dataset_id: DatasetId, index: int, new: NewSample, at: datetime) -> ImageSample:
    return ImageSample(
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


def _name_taken(file_name: str | None) -> QuadratError:
    message = f"The dataset has another sample called {file_name} already."
    return refusal(ErrorKind.ALREADY_EXISTS, "CREATION_FAILED", message, "file_name")


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


async def unknown_sample(tx: AsyncConnection, dataset_id: DatasetId, sample_id: SampleId) -> QuadratError:
    """What is said of a sample that is not there: with its dataset, or without."""
    return (
        unknown_dataset(dataset_id) if await store.find_project(tx, dataset_id) is None else _unknown_sample(sample_id)
    )


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
        raise _name_taken(change.file_name) from None
    if not found:
        raise _unknown_sample(sample_id)


async def allow_list(tx: AsyncConnection, caller: Caller, wanted: SampleList) -> SampleList:
    """The list, once it is decided that the caller may read it.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, wanted.dataset_id, "samples.read")
    return wanted


async def stream_samples(db: Database, allowed: SampleList) -> AsyncIterator[ImageSample]:
    """The samples of a list that `allow_list` has allowed, all from one moment, in a transaction of their own."""
    async with db.snapshot() as conn:
        async for found in store.iterate_samples(conn, allowed):
            yield found


async def stream_names(db: Database, allowed: SampleList) -> AsyncIterator[Sequence[SampleName]]:
    """Ids and file names alone of such a list, in blocks."""
    async with db.snapshot() as conn:
        async for block in store.iterate_names(conn, allowed):
            yield block
