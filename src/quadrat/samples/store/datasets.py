"""All SQL of datasets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.actions.access import visible
from quadrat.identity.types import Caller, ProjectId
from quadrat.samples.tables import dataset
from quadrat.samples.types import Dataset, DatasetId, DatasetKind, ImageKind, NewDataset


def _select_datasets(caller: Caller) -> Select[*tuple[Any, ...]]:
    return select(
        dataset.c.id,
        dataset.c.project_id,
        dataset.c.owner_uuid,
        dataset.c.name,
        dataset.c.kind,
        dataset.c.image_kind,
        dataset.c.parent_id,
        dataset.c.n_samples,
        dataset.c.size_bytes,
        dataset.c.created_at,
        dataset.c.last_modified_at,
    ).where(dataset.c.project_id.in_(visible(caller)))


def _to_dataset(row: Sequence[Any]) -> Dataset:
    return Dataset(
        id=DatasetId(row[0]),
        project_id=ProjectId(row[1]),
        owner=row[2],
        name=row[3],
        kind=DatasetKind(row[4]),
        image_kind=None if row[5] is None else ImageKind(row[5]),
        parent_id=None if row[6] is None else DatasetId(row[6]),
        n_samples=row[7],
        size_bytes=row[8],
        created_at=row[9],
        last_modified_at=row[10],
    )


async def insert_dataset(
    tx: AsyncConnection, id_: DatasetId, project_id: ProjectId, owner: UUID, new: NewDataset, at: datetime
) -> bool:
    """Whether it was made; False when the owner has one of that name."""
    statement = (
        insert(dataset)
        .values(
            id=id_,
            project_id=project_id,
            owner_uuid=owner,
            name=new.name,
            kind=new.kind,
            image_kind=new.image_kind,
            parent_id=new.parent_id,
            n_samples=0,
            size_bytes=0,
            created_at=at,
            last_modified_at=at,
        )
        .on_conflict_do_nothing(index_elements=[dataset.c.owner_uuid, dataset.c.name])
        .returning(dataset.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def find_dataset(tx: AsyncConnection, caller: Caller, id_: DatasetId) -> Dataset | None:
    """One that the caller may know of."""
    row = (await tx.execute(_select_datasets(caller).where(dataset.c.id == id_))).one_or_none()
    return None if row is None else _to_dataset(row)


async def list_datasets(
    tx: AsyncConnection,
    caller: Caller,
    *,
    shared: bool,
    name: str | None,
    prefix: str | None,
    page: tuple[int | None, int],
) -> list[Dataset]:
    """The caller's own, or those of others that the caller may know of, in the order of creation.

    Args:
        tx: The transaction.
        caller: Who asks.
        shared: Those of others instead of the caller's own.
        name: Only of exactly this name.
        prefix: Only those whose name begins so.
        page: Limit (None for all) and offset.
    """
    own = dataset.c.owner_uuid == caller.uuid
    query = _select_datasets(caller).where(~own if shared else own)
    if name is not None:
        query = query.where(dataset.c.name == name)
    if prefix is not None:
        query = query.where(dataset.c.name.startswith(prefix, autoescape=True))
    limit, offset = page
    query = query.order_by(dataset.c.created_at, dataset.c.id).limit(limit).offset(offset)
    return [_to_dataset(row) for row in await tx.execute(query)]


async def rename_dataset(tx: AsyncConnection, id_: DatasetId, name: str, at: datetime) -> None:
    """Change the name.

    Raises:
        IntegrityError: The owner has another one of that name.
    """
    await tx.execute(update(dataset).where(dataset.c.id == id_).values(name=name, last_modified_at=later(dataset, at)))


async def delete_dataset(tx: AsyncConnection, id_: DatasetId) -> None:
    """Remove it with its samples."""
    await tx.execute(delete(dataset).where(dataset.c.id == id_))


def later(table: Any, at: datetime) -> Any:
    """The time of a change; it grows strictly, also within one millisecond and when a clock goes back."""
    return func.greatest(literal(at), table.c.last_modified_at + func.make_interval(0, 0, 0, 0, 0, 0, 0.001))


async def lock_dataset(tx: AsyncConnection, id_: DatasetId) -> int | None:
    """The dataset's next free index, its row locked so that no index is given twice or lost; None when it is gone."""
    # Not against those who write rows that refer to the dataset: they hold what the owner of this lock may want next.
    query = select(dataset.c.n_samples).where(dataset.c.id == id_).with_for_update(key_share=True)
    return (await tx.execute(query)).scalar_one_or_none()


async def measure_datasets(tx: AsyncConnection) -> tuple[int, int]:
    """How many samples there are in all datasets, and their bytes."""
    sums = select(func.coalesce(func.sum(dataset.c.n_samples), 0), func.coalesce(func.sum(dataset.c.size_bytes), 0))
    count, size = (await tx.execute(sums)).one()
    return int(count), int(size)
