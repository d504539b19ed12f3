"""What people decided in one go, kept so that it can be taken back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.frames.specs import Ids
from quadrat.objects.store.arrays import array_of
from quadrat.objects.store.classification import Change
from quadrat.objects.tables import annotation_batch as batch


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it was made.

    Args:
        made: The change that it made.
        user_id: Who decided.
        object_ids: Which objects were named.
        n_changed: How many of them changed.
        undone_at: When it was taken back.
    """

    made: Change
    user_id: UserId
    object_ids: Ids
    n_changed: int
    undone_at: datetime | None


async def find_batch(tx: AsyncConnection, batch_id: UUID, *, for_update: bool = False) -> Batch | None:
    """The batch, locked when asked."""
    query = select(
        batch.c.project_id,
        batch.c.change,
        batch.c.at,
        batch.c.user_id,
        batch.c.object_ids,
        batch.c.n_changed,
        batch.c.undone_at,
    ).where(batch.c.id == batch_id)
    row = (await tx.execute(query.with_for_update() if for_update else query)).one_or_none()
    if row is None:
        return None
    made = Change(ProjectId(row[0]), row[1], row[2])
    return Batch(made, UserId(row[3]), np.array(row[4], np.int64), row[5], row[6])


async def insert_batch(tx: AsyncConnection, batch_id: UUID, new: Batch) -> None:
    """Keep a batch."""
    await tx.execute(
        insert(batch).values(
            id=batch_id,
            project_id=new.made.project_id,
            user_id=new.user_id,
            change=new.made.number,
            at=new.made.at,
            object_ids=array_of(new.object_ids),
            n_changed=new.n_changed,
        )
    )


async def mark_undone(tx: AsyncConnection, batch_id: UUID) -> None:
    """Note that a batch was taken back."""
    await tx.execute(update(batch).where(batch.c.id == batch_id).values(undone_at=func.now()))


async def delete_batches_before(tx: AsyncConnection, user_id: UserId, at: datetime) -> None:
    """Forget what a user decided long ago."""
    await tx.execute(delete(batch).where(batch.c.user_id == user_id, batch.c.at < at))
