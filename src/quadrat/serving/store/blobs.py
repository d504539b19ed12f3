"""Rows of blobs and of payloads that are too large for a row."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.serving.tables import blob, package, payload
from quadrat.serving.types import Blob

_COLUMNS = (blob.c.id, blob.c.file_name, blob.c.size_bytes, blob.c.ttl_s, blob.c.created_at, blob.c.expires_at)


async def announce_blob(tx: AsyncConnection, blob_id: UUID, file_name: str, grace: timedelta) -> None:
    """Note that bytes are being stored; they are removed after the grace unless `keep_blob` is called."""
    await tx.execute(
        insert(blob).values(
            id=blob_id, project_id=None, file_name=file_name, size_bytes=0, ttl_s=0, expires_at=func.now() + grace
        )
    )


async def keep_blob(tx: AsyncConnection, project_id: ProjectId, blob_id: UUID, size_bytes: int, ttl_s: int) -> Blob:
    """Make an announced blob one of the project's; its life begins now."""
    statement = (
        update(blob)
        .where(blob.c.id == blob_id)
        .values(
            project_id=project_id,
            size_bytes=size_bytes,
            ttl_s=ttl_s,
            created_at=func.now(),
            expires_at=func.now() + timedelta(seconds=ttl_s),
        )
        .returning(*_COLUMNS)
    )
    return Blob(*(await tx.execute(statement)).one())


async def list_live(tx: AsyncConnection, project_id: ProjectId, ids: Collection[UUID]) -> Sequence[Blob]:
    """Those of the ids that are blobs of the project and have not expired."""
    query = select(*_COLUMNS).where(_is_live(project_id), blob.c.id.in_(ids))
    return [Blob(*row) for row in await tx.execute(query)]


async def page_blobs(
    tx: AsyncConnection, project_id: ProjectId, *, limit: int, start_at: datetime | None, towards_past: bool
) -> Sequence[Blob]:
    """Blobs of the project from a moment on, in that direction of time.

    Args:
        tx: The transaction.
        project_id: Whose.
        limit: How many.
        start_at: Included, to the second; None for the newest or the oldest.
        towards_past: The direction.
    """
    query = select(*_COLUMNS).where(_is_live(project_id))
    order = (blob.c.created_at, blob.c.id)
    if towards_past:
        query = query.order_by(*(column.desc() for column in order))
        if start_at is not None:
            query = query.where(blob.c.created_at < start_at + timedelta(seconds=1))
    else:
        query = query.order_by(*order)
        if start_at is not None:
            query = query.where(blob.c.created_at >= start_at)
    return [Blob(*row) for row in await tx.execute(query.limit(limit))]


async def expire_blob(tx: AsyncConnection, project_id: ProjectId, blob_id: UUID) -> bool:
    """End the life of a blob now; False when there is none."""
    statement = update(blob).where(_is_live(project_id), blob.c.id == blob_id).values(expires_at=func.now())
    return (await tx.execute(statement)).rowcount == 1


async def list_expired(tx: AsyncConnection, abandoned_after: timedelta, limit: int) -> Sequence[UUID]:
    """Blobs whose bytes nobody can ask for any more."""
    return list((await tx.execute(select(blob.c.id).where(_is_over(abandoned_after)).limit(limit))).scalars())


async def delete_blobs(tx: AsyncConnection, ids: Collection[UUID]) -> None:
    """Forget blobs whose bytes are gone."""
    await tx.execute(delete(blob).where(blob.c.id.in_(ids)))


async def announce_payload(tx: AsyncConnection, payload_id: UUID, size_bytes: int) -> None:
    """Note that bytes are being stored for a request to come."""
    await tx.execute(insert(payload).values(id=payload_id, size_bytes=size_bytes))


async def attach_payloads(tx: AsyncConnection, request_ids: dict[UUID, UUID]) -> None:
    """Give payloads to their requests, each under its own id."""
    for payload_id, request_id in request_ids.items():
        await tx.execute(update(payload).where(payload.c.id == payload_id).values(request_id=request_id))


async def attach_pipeline_payloads(tx: AsyncConnection, request_ids: Mapping[UUID, UUID]) -> None:
    """Give payloads to their requests of pipelines, each under its own id."""
    statement = (
        update(payload)
        .where(payload.c.id == bindparam("attached_id"))
        .values(pipeline_request_id=bindparam("attached_to"))
    )
    rows = [{"attached_id": id_, "attached_to": request_id} for id_, request_id in sorted(request_ids.items())]
    if rows:
        await tx.execute(statement, rows)


async def list_abandoned_payloads(tx: AsyncConnection, abandoned_after: timedelta, limit: int) -> Sequence[UUID]:
    """Payloads whose requests are gone, or never came."""
    query = select(payload.c.id).where(_is_abandoned(abandoned_after)).limit(limit)
    return list((await tx.execute(query)).scalars())


async def delete_payloads(tx: AsyncConnection, ids: Collection[UUID]) -> None:
    """Forget payloads whose bytes are gone."""
    await tx.execute(delete(payload).where(payload.c.id.in_(ids)))


async def has_waste(tx: AsyncConnection, abandoned_after: timedelta) -> bool:
    """Whether there are bytes to remove."""
    some_blob = exists().where(_is_over(abandoned_after))
    some_payload = exists().where(_is_abandoned(abandoned_after))
    return (await tx.execute(select(literal(True)).where(or_(some_blob, some_payload)))).scalar() is not None


def _is_live(project_id: ProjectId) -> ColumnElement[bool]:
    return and_(blob.c.project_id == project_id, blob.c.expires_at > func.now())


def _is_over(abandoned_after: timedelta) -> ColumnElement[bool]:
    # Only one that is still being stored has no life yet; whoever has one and no project has lost it.
    lost = and_(blob.c.project_id.is_(None), blob.c.ttl_s > 0)
    abandoned = and_(blob.c.project_id.is_(None), blob.c.created_at < func.now() - abandoned_after)
    return or_(blob.c.expires_at <= func.now(), lost, abandoned)


def _is_abandoned(abandoned_after: timedelta) -> ColumnElement[bool]:
    return and_(
        payload.c.request_id.is_(None),
        payload.c.pipeline_request_id.is_(None),
        payload.c.created_at < func.now() - abandoned_after,
    )


async def measure_bytes(tx: AsyncConnection) -> tuple[int, int]:
    """How many packages, blobs and payloads there are, and their bytes."""
    parts = [
        select(func.count(), func.coalesce(func.sum(table.c.size_bytes), 0)).select_from(table)
        for table in (package, blob, payload)
    ]
    found = [(await tx.execute(part)).one() for part in parts]
    return sum(count for count, _ in found), sum(int(size) for _, size in found)
