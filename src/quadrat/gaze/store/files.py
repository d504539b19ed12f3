"""SQL of uploaded files and of the planes that are made of them."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.gaze.tables import dead_blob, file, reference
from quadrat.gaze.types import File, Reference, ReferenceKind, Size
from quadrat.identity.types import OrganizationId


def _select_files() -> Select[*tuple[Any, ...]]:
    return select(
        file.c.uuid,
        file.c.organization_id,
        file.c.name,
        file.c.size_bytes,
        file.c.offset_bytes,
        file.c.parts,
        file.c.media_type,
        file.c.width,
        file.c.height,
        file.c.created_by,
        file.c.created_at,
    )


def _to_file(row: Sequence[Any]) -> File:
    return File(
        uuid=row[0],
        organization_id=OrganizationId(row[1]),
        name=row[2],
        size_bytes=row[3],
        offset_bytes=row[4],
        parts=tuple(row[5]),
        media_type=row[6],
        size=None if row[7] is None else Size(row[7], row[8]),
        created_by=row[9],
        created_at=row[10],
    )


async def insert_file(tx: AsyncConnection, made: File) -> None:
    """A file of which no byte has come yet, or that is complete."""
    await tx.execute(
        insert(file).values(
            uuid=made.uuid,
            organization_id=made.organization_id,
            name=made.name,
            size_bytes=made.size_bytes,
            offset_bytes=made.offset_bytes,
            parts=list(made.parts),
            media_type=made.media_type,
            width=None if made.size is None else made.size.width,
            height=None if made.size is None else made.size.height,
            created_by=made.created_by,
            created_at=made.created_at,
        )
    )


async def find_file(
    tx: AsyncConnection, organization_id: OrganizationId, uuid: UUID, *, keep: bool = False
) -> File | None:
    """One of a workspace's files.

    Args:
        tx: The transaction.
        organization_id: Whose workspace.
        uuid: Which file.
        keep: Whether it must not be removed before the transaction ends.
    """
    query = _select_files().where(file.c.organization_id == organization_id, file.c.uuid == uuid)
    row = (await tx.execute(query.with_for_update(read=True, key_share=True) if keep else query)).one_or_none()
    return None if row is None else _to_file(row)


async def touch_file(tx: AsyncConnection, uuid: UUID) -> bool:
    """Note that somebody goes on with an upload; False when it is gone."""
    statement = update(file).where(file.c.uuid == uuid).values(updated_at=func.now()).returning(file.c.uuid)
    return (await tx.execute(statement)).one_or_none() is not None


async def expire_files(tx: AsyncConnection, life: timedelta, *, limit: int) -> int:
    """Remove files that nothing has referred to since they came, and unfinished ones that nobody goes on with.

    A file that somebody uses or sends at this moment is locked, and skipped. The locks of the first statement keep
    others from referring to a file; the second sees those who did just before.
    """
    unused = ~exists().where(reference.c.file_uuid == file.c.uuid)
    old = file.c.updated_at < func.now() - life
    query = select(file.c.uuid).where(old, unused).limit(limit).with_for_update(skip_locked=True)
    found = list(await tx.scalars(query))
    gone = await tx.execute(delete(file).where(file.c.uuid.in_(found), unused).returning(file.c.uuid))
    return len(gone.all())


async def advance_file(tx: AsyncConnection, before: File, after: File) -> bool:
    """Note bytes that have arrived, and what they turned out to be; False when another was faster."""
    statement = (
        update(file)
        .where(file.c.uuid == before.uuid, file.c.offset_bytes == before.offset_bytes)
        .values(
            offset_bytes=after.offset_bytes,
            parts=[] if after.is_complete else list(after.parts),
            media_type=after.media_type,
            width=None if after.size is None else after.size.width,
            height=None if after.size is None else after.size.height,
            updated_at=func.now(),
        )
        .returning(file.c.uuid)
    )
    return (await tx.execute(statement)).one_or_none() is not None


def select_references() -> Select[*tuple[Any, ...]]:
    """Planes with the size of their pictures, for `to_reference`."""
    return select(*REFERENCE_COLUMNS).outerjoin(file, file.c.uuid == reference.c.file_uuid)


REFERENCE_COLUMNS: tuple[Any, ...] = (
    reference.c.uuid,
    reference.c.organization_id,
    reference.c.kind,
    reference.c.name,
    reference.c.file_uuid,
    file.c.width,
    file.c.height,
    reference.c.scanning_recording,
    reference.c.markers,
    reference.c.created_by,
    reference.c.created_at,
)


def to_reference(row: Sequence[Any]) -> Reference:
    """A row of `select_references`."""
    return Reference(
        uuid=row[0],
        organization_id=OrganizationId(row[1]),
        kind=ReferenceKind(row[2]),
        name=row[3],
        file_uuid=row[4],
        size=None if row[5] is None else Size(row[5], row[6]),
        scanning_recording=row[7],
        markers=tuple(row[8]),
        created_by=row[9],
        created_at=row[10],
    )


async def insert_reference(tx: AsyncConnection, made: Reference) -> None:
    """A new plane."""
    await tx.execute(
        insert(reference).values(
            uuid=made.uuid,
            organization_id=made.organization_id,
            kind=made.kind,
            name=made.name,
            file_uuid=made.file_uuid,
            scanning_recording=made.scanning_recording,
            markers=list(made.markers),
            created_by=made.created_by,
            created_at=made.created_at,
        )
    )


async def find_reference(
    tx: AsyncConnection, organization_id: OrganizationId, uuid: UUID, kind: ReferenceKind
) -> Reference | None:
    """One of a workspace's planes of one kind."""
    query = select_references().where(
        reference.c.organization_id == organization_id, reference.c.uuid == uuid, reference.c.kind == kind
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else to_reference(row)


async def set_markers(tx: AsyncConnection, organization_id: OrganizationId, uuid: UUID, markers: Sequence[str]) -> None:
    """Change the markers around a surface."""
    statement = update(reference).where(reference.c.organization_id == organization_id, reference.c.uuid == uuid)
    await tx.execute(statement.values(markers=list(markers)))


async def list_dead_blobs(tx: AsyncConnection) -> list[tuple[int, str]]:
    """Folders of bytes whose rows are gone."""
    return [(id_, prefix) for id_, prefix in await tx.execute(select(dead_blob.c.id, dead_blob.c.prefix))]


async def insert_dead_blob(tx: AsyncConnection, prefix: str) -> None:
    """Note a folder for the purge."""
    await tx.execute(insert(dead_blob).values(prefix=prefix))


async def forget_dead_blobs(tx: AsyncConnection, ids: Collection[int]) -> None:
    """They have been removed."""
    await tx.execute(delete(dead_blob).where(dead_blob.c.id.in_(ids)))


async def measure_files(tx: AsyncConnection) -> tuple[int, int]:
    """How many files there are, and their bytes."""
    count, size = (
        await tx.execute(select(func.count(), func.coalesce(func.sum(file.c.offset_bytes), 0)).select_from(file))
    ).one()
    return count, int(size)
