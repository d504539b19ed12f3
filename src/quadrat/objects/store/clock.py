"""The clock of a project: one writer at a time, every change numbered and noted for the caches."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import BigInteger

from quadrat.db.notify import notify
from quadrat.identity.types import ProjectId
from quadrat.objects.tables import change, clock
from quadrat.objects.types import ChangeKind, ObjectId

CHANNEL = "objects_changed"
"""Messages on it are numbers of projects."""

KEPT_CHANGES = 256
MOST_NAMED_OBJECTS = 250_000
_FORGET_EVERY = 32


async def tick(tx: AsyncConnection, project_id: ProjectId) -> int:
    """Become the only writer of the project's objects until the transaction ends, and take the number of the change.

    Call it before anything is read that the change depends on.
    """
    statement = insert(clock).values(project_id=project_id, last=1)
    statement = statement.on_conflict_do_update(index_elements=[clock.c.project_id], set_={"last": clock.c.last + 1})
    number: int = (await tx.execute(statement.returning(clock.c.last))).scalar_one()
    return number


async def note_change(
    tx: AsyncConnection, project_id: ProjectId, number: int, kind: ChangeKind, object_ids: Sequence[ObjectId] | None
) -> None:
    """Say which objects the change concerned, and wake the caches when the transaction commits.

    Args:
        tx: The transaction that called `tick`.
        project_id: Of the objects.
        number: What `tick` gave.
        kind: What happened to them; a transaction notes one kind.
        object_ids: Which ones; None, or more than a cache would rather read one by one, for "read all anew".
    """
    named = None if object_ids is None or len(object_ids) > MOST_NAMED_OBJECTS else object_ids
    await tx.execute(
        insert(change).values(
            project_id=project_id,
            number=number,
            kind=kind,
            object_ids=None if named is None else literal(list(named), ARRAY(BigInteger)),
        )
    )
    values: dict[str, Any] = {}
    if kind is not ChangeKind.STATE:
        values["content"] = func.gen_random_uuid()
    if number % _FORGET_EVERY == 0 and number > KEPT_CHANGES:
        values["horizon"] = number - KEPT_CHANGES
        await tx.execute(delete(change).where(change.c.project_id == project_id, change.c.number <= values["horizon"]))
    if values:
        await tx.execute(update(clock).where(clock.c.project_id == project_id).values(values))
    await notify(tx, CHANNEL, str(project_id))


async def last_change(tx: AsyncConnection, project_id: ProjectId) -> int:
    """Number of the last change of the project's objects; 0 when there never was one."""
    query = select(clock.c.last).where(clock.c.project_id == project_id)
    return (await tx.execute(query)).scalar_one_or_none() or 0
