"""What is said of a dataset as a whole: where its images lie, which metadata is shown, how an upload goes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_object_id
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import Queueing
from quadrat.samples.actions.datasets import open_dataset
from quadrat.samples.rules.common import refusal, this_moment
from quadrat.samples.rules.datasource import kept_settings
from quadrat.samples.rules.samples import clean, storable
from quadrat.samples.store import settings as store
from quadrat.samples.types import DatasetId, DataSource, MetadataConfiguration

MAX_CONFIGURATION_ENTRIES = 1000
FOLLOW_UPLOAD = "samples.follow_upload"


async def get_datasource(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId) -> DataSource:
    """Where a dataset's images lie.

    Raises:
        QuadratError: not_found, also when nobody said so; forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    found = await store.find_datasource(tx, dataset_id)
    if found is None:
        raise refusal(ErrorKind.NOT_FOUND, "DATASET_DATASOURCE_UNKNOWN", "The dataset has no datasource.")
    return found


async def set_datasource(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, given: Mapping[str, Any]) -> None:
    """Say where a dataset's images lie. Secrets are dropped: a server reads with credentials of its own.

    Args:
        tx: The transaction.
        caller: Who says it.
        dataset_id: Of which dataset.
        given: ``type``, ``purpose``, ``fullPath`` and what the type needs.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    given = clean(dict(given))
    kind, purpose, full_path = given.get("type"), given.get("purpose"), given.get("fullPath")
    if not isinstance(full_path, str):
        raise QuadratError(
            ErrorKind.INVALID, "fullPath is a text: bucket or folder, and the path in it.", field="fullPath"
        )
    settings = kept_settings(str(kind), str(purpose), given)
    await store.set_datasource(
        tx, dataset_id, DataSource(new_object_id(), str(kind), str(purpose), full_path, settings)
    )


async def create_configuration(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, name: str, entries: Sequence[Mapping[str, Any]]
) -> str:
    """Say which paths into the custom metadata are shown, and how.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    if len(entries) > MAX_CONFIGURATION_ENTRIES:
        raise QuadratError(
            ErrorKind.INVALID, f"A configuration has at most {MAX_CONFIGURATION_ENTRIES} entries.", field="configs"
        )
    id_ = new_object_id()
    await store.insert_configuration(
        tx, dataset_id, id_, storable(name), [clean(dict(entry)) for entry in entries], this_moment()
    )
    return id_


async def list_configurations(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId
) -> Sequence[MetadataConfiguration]:
    """All of a dataset, in the order of creation.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    return await store.list_configurations(tx, dataset_id)


async def register_upload(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, progress: Mapping[str, Any]
) -> None:
    """Show an upload that a client is about to do as a job: it ends when all samples have their bytes.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await open_dataset(tx, caller, dataset_id, "samples.create")
    await enqueue(
        tx,
        FOLLOW_UPLOAD,
        {"dataset_id": dataset_id, **progress},
        owner_id=caller.user_id,
        project_id=found.project_id,
        queueing=Queueing(once=True),
    )
