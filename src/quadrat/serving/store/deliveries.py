"""Rows of messages on their way to connectors."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.connector_types import ConnectorId, Delivery
from quadrat.serving.tables import connector, delivery


async def insert_deliveries(
    tx: AsyncConnection, owner: UUID | None, items: Sequence[Delivery], due: timedelta
) -> set[UUID]:
    """Accept messages; one that was accepted before, or whose connector has gone, is left out.

    Args:
        tx: The transaction.
        owner: Who delivers them at once; None when they have to wait.
        items: The messages.
        due: When others may take them: the lease of the owner, or the pause.

    Returns:
        Ids of those that were accepted now.
    """
    known = select(connector.c.id).where(connector.c.id.in_({item.connector_id for item in items}))
    alive = set((await tx.execute(known.with_for_update(key_share=True))).scalars())
    rows = [
        {
            "id": item.id,
            "connector_id": item.connector_id,
            "pipeline_id": item.pipeline_id,
            "object_id": item.object_id,
            "object_name": item.object_name,
            "pipeline_request_id": item.pipeline_request_id,
            "data": item.data,
            "due_at": func.now() + due,
            "lease_owner": owner,
            "attempt": 0 if owner is None else 1,
        }
        for item in items
        if item.connector_id in alive
    ]
    if not rows:
        return set()
    statement = pg_insert(delivery).values(rows).on_conflict_do_nothing().returning(delivery.c.id)
    return set((await tx.execute(statement)).scalars())


async def claim(
    tx: AsyncConnection, connector_id: ConnectorId, owner: UUID, limit: int, lease: timedelta
) -> list[Delivery]:
    """Take the oldest messages of a connector whose time has come."""
    due = (
        select(delivery.c.id)
        .where(delivery.c.connector_id == connector_id, delivery.c.due_at <= func.now())
        .order_by(delivery.c.due_at, delivery.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(delivery)
        .where(delivery.c.id == due.c.id)
        .values(lease_owner=owner, due_at=func.now() + lease, attempt=delivery.c.attempt + 1)
        .returning(
            delivery.c.id,
            delivery.c.connector_id,
            delivery.c.pipeline_id,
            delivery.c.object_id,
            delivery.c.object_name,
            delivery.c.pipeline_request_id,
            delivery.c.data,
            delivery.c.attempt,
            delivery.c.created_at,
        )
    )
    rows = (await tx.execute(statement)).all()
    return sorted(
        (
            Delivery(id_, ConnectorId(to), pipeline_id, object_id, object_name, request_id, data, attempt, created_at)
            for id_, to, pipeline_id, object_id, object_name, request_id, data, attempt, created_at in rows
        ),
        key=lambda item: item.id,
    )


async def renew(tx: AsyncConnection, owner: UUID, lease: timedelta) -> None:
    """Prolong all that an engine holds."""
    await tx.execute(update(delivery).where(delivery.c.id.in_(_held_by(owner))).values(due_at=func.now() + lease))


async def remove(tx: AsyncConnection, owner: UUID, ids: Collection[UUID]) -> None:
    """Forget messages that have arrived, or were given up."""
    await tx.execute(delete(delivery).where(delivery.c.id.in_(_held_by(owner, ids))))


async def put_off(tx: AsyncConnection, owner: UUID, ids: Collection[UUID], pause: timedelta) -> None:
    """Let messages wait for another attempt, by whoever is there then."""
    await tx.execute(
        update(delivery)
        .where(delivery.c.id.in_(_held_by(owner, ids)))
        .values(lease_owner=null(), due_at=func.now() + pause)
    )


async def hurry(tx: AsyncConnection, connector_id: ConnectorId) -> None:
    """Let messages that wait for another attempt have it now."""
    await tx.execute(
        update(delivery)
        .where(delivery.c.connector_id == connector_id, delivery.c.lease_owner.is_(None))
        .values(due_at=func.now())
    )


async def list_due_connectors(tx: AsyncConnection) -> Sequence[ConnectorId]:
    """Connectors with messages whose time has come."""
    query = select(delivery.c.connector_id).where(delivery.c.due_at <= func.now()).distinct()
    return [ConnectorId(id_) for id_ in (await tx.execute(query)).scalars()]


async def release(tx: AsyncConnection, owner: UUID) -> None:
    """Let others bring at once what an engine holds."""
    await tx.execute(
        update(delivery).where(delivery.c.id.in_(_held_by(owner))).values(lease_owner=null(), due_at=func.now())
    )


def _held_by(owner: UUID, ids: Collection[UUID] | None = None) -> Select[UUID]:
    """What an engine holds, locked in one order for all, so that no two of its writes wait for each other in a ring."""
    query = select(delivery.c.id).where(delivery.c.lease_owner == owner).order_by(delivery.c.id).with_for_update()
    return query if ids is None else query.where(delivery.c.id.in_(ids))
