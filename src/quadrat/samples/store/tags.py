"""All SQL of tags."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.samples.rules.masks import from_bytes, to_bytes
from quadrat.samples.store.datasets import later
from quadrat.samples.tables import dataset, tag
from quadrat.samples.types import DatasetId, ImageKind, Tag, TagId


def _select() -> Select[*tuple[Any, ...]]:
    return select(
        tag.c.id,
        tag.c.dataset_id,
        tag.c.previous_id,
        tag.c.query_id,
        tag.c.preselected_id,
        tag.c.name,
        tag.c.mask,
        tag.c.total,
        tag.c.changes,
        tag.c.run_id,
        tag.c.created_at,
        tag.c.last_modified_at,
    )


def _to_tag(row: Sequence[Any]) -> Tag:
    return Tag(
        id=TagId(row[0]),
        dataset_id=DatasetId(row[1]),
        previous_id=None if row[2] is None else TagId(row[2]),
        query_id=None if row[3] is None else TagId(row[3]),
        preselected_id=None if row[4] is None else TagId(row[4]),
        name=row[5],
        mask=from_bytes(row[6]),
        total=row[7],
        changes=row[8],
        run_id=row[9],
        created_at=row[10],
        last_modified_at=row[11],
    )


async def list_tags(tx: AsyncConnection, dataset_id: DatasetId) -> list[Tag]:
    """All tags of a dataset, in the order of creation."""
    query = _select().where(tag.c.dataset_id == dataset_id).order_by(tag.c.created_at, tag.c.id)
    return [_to_tag(row) for row in await tx.execute(query)]


async def find_tag(tx: AsyncConnection, dataset_id: DatasetId, id_: TagId) -> Tag | None:
    """One tag of a dataset."""
    row = (await tx.execute(_select().where(tag.c.dataset_id == dataset_id, tag.c.id == id_))).one_or_none()
    return None if row is None else _to_tag(row)


async def find_initial(tx: AsyncConnection, dataset_id: DatasetId) -> Tag | None:
    """The root of a dataset's tags."""
    query = _select().where(tag.c.dataset_id == dataset_id, tag.c.previous_id.is_(None)).limit(1)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _to_tag(row)


async def insert_tag(tx: AsyncConnection, made: Tag, creator: str | None) -> bool:
    """Whether it was made; False when the dataset has one of that name."""
    statement = (
        insert(tag)
        .values(
            id=made.id,
            dataset_id=made.dataset_id,
            previous_id=made.previous_id,
            query_id=made.query_id,
            preselected_id=made.preselected_id,
            name=made.name,
            mask=to_bytes(made.mask),
            total=made.total,
            creator=creator,
            changes=null() if made.changes is None else made.changes,
            run_id=made.run_id,
            created_at=made.created_at,
            last_modified_at=made.last_modified_at,
        )
        .on_conflict_do_nothing(index_elements=[tag.c.dataset_id, tag.c.name])
        .returning(tag.c.id)
    )
    if (await tx.execute(statement)).one_or_none() is None:
        return False
    await _touch(tx, made.dataset_id, made.created_at)
    return True


async def rename_tag(tx: AsyncConnection, found: Tag, name: str, at: datetime) -> None:
    """Change the name.

    Raises:
        IntegrityError: The dataset has another one of that name.
    """
    await tx.execute(update(tag).where(tag.c.id == found.id).values(name=name, last_modified_at=later(tag, at)))
    await _touch(tx, found.dataset_id, at)


async def has_children(tx: AsyncConnection, id_: TagId) -> bool:
    """Whether other tags were made from it."""
    query = select(literal(1)).where(tag.c.previous_id == id_).limit(1)
    return (await tx.execute(query)).one_or_none() is not None


async def delete_tag(tx: AsyncConnection, found: Tag, at: datetime) -> None:
    """Remove one that has no children."""
    await tx.execute(delete(tag).where(tag.c.id == found.id))
    await _touch(tx, found.dataset_id, at)


async def upsize(tx: AsyncConnection, dataset_id: DatasetId, initial: Tag, mask: int, total: int, at: datetime) -> None:
    """Give every tag of the dataset the new total, and the initial one all samples."""
    everything = update(tag).where(tag.c.dataset_id == dataset_id)
    await tx.execute(everything.values(total=total, last_modified_at=later(tag, at)))
    await tx.execute(update(tag).where(tag.c.id == initial.id).values(mask=to_bytes(mask)))


async def set_image_kind(tx: AsyncConnection, dataset_id: DatasetId, kind: ImageKind) -> None:
    """Which bytes the makers of the dataset store."""
    await tx.execute(update(dataset).where(dataset.c.id == dataset_id).values(image_kind=kind))


async def _touch(tx: AsyncConnection, dataset_id: DatasetId, at: datetime) -> None:
    statement = update(dataset).where(dataset.c.id == dataset_id)
    await tx.execute(statement.values(last_modified_at=later(dataset, at)))
