"""What can be done with datasets."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_object_id
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import access_to, require
from quadrat.identity.actions.projects import personal_project
from quadrat.identity.types import Caller
from quadrat.jobs.actions import enqueue
from quadrat.samples.rules.common import refusal, this_moment
from quadrat.samples.rules.samples import check_dataset_name
from quadrat.samples.store import datasets
from quadrat.samples.types import Dataset, DatasetId, NewDataset

DELETE_BLOBS = "samples.delete_blobs"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: how many rows at most (None for all), after how many."""

    limit: int | None = None
    offset: int = 0


def _name_taken(name: str) -> QuadratError:
    return refusal(
        ErrorKind.ALREADY_EXISTS, "DATASET_NAME_EXISTS", f"You have a dataset called {name} already.", "name"
    )


def unknown_dataset(dataset_id: DatasetId) -> QuadratError:
    """The one answer for a dataset that is not there, or that the caller may not know of."""
    return refusal(ErrorKind.NOT_FOUND, "DATASET_UNKNOWN", f"Dataset {dataset_id} does not exist.")


async def create_dataset(tx: AsyncConnection, caller: Caller, new: NewDataset) -> DatasetId:
    """Make a dataset in the caller's personal project.

    Raises:
        QuadratError: invalid name or parent; already_exists; forbidden for a service user without the right.
    """
    check_dataset_name(new.name)
    project = await personal_project(tx, caller)
    require(caller, await access_to(tx, caller, project.id), "samples.create")
    if new.parent_id is not None and await datasets.find_dataset(tx, caller, new.parent_id) is None:
        raise refusal(ErrorKind.INVALID, "DATASET_UNKNOWN", "The parent dataset does not exist.", "parent_id")
    dataset_id = DatasetId(new_object_id())
    if not await datasets.insert_dataset(tx, dataset_id, project.id, caller.uuid, new, this_moment()):
        raise _name_taken(new.name)
    return dataset_id


async def open_dataset(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, permission: str) -> Dataset:
    """A dataset, when the caller holds the permission in its project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await datasets.find_dataset(tx, caller, dataset_id)
    if found is None:
        raise unknown_dataset(dataset_id)
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
    return await datasets.list_datasets(
        tx, caller, shared=shared, name=name, prefix=prefix, page=(page.limit, page.offset)
    )


async def rename_dataset(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, name: str) -> None:
    """Give a dataset another name.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    check_dataset_name(name)
    try:
        async with tx.begin_nested():
            await datasets.rename_dataset(tx, dataset_id, name, this_moment())
    except IntegrityError:
        raise _name_taken(name) from None


async def delete_dataset(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId) -> None:
    """Remove a dataset with its samples; its signed addresses end at once, its bytes go by a job.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await open_dataset(tx, caller, dataset_id, "samples.delete")
    await datasets.delete_dataset(tx, dataset_id)
    # No project: the bytes have to go also when the project goes meanwhile.
    await enqueue(tx, DELETE_BLOBS, {"dataset_id": found.id}, owner_id=caller.user_id)
