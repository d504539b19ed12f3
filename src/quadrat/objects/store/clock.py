"""The clock of a project: one writer at a time, every change numbered and noted for the caches."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import LargeBinary, and_, case, column, delete, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.frames.specs import Ids
from quadrat.objects.store.arrays import array_of, read_ids
from quadrat.objects.tables import change, clock
from quadrat.objects.types import ChangeKind

CHANNEL = "objects_changed"
"""Messages on it are numbers of projects."""

KEPT_CHANGES = 256
MOST_NAMED_OBJECTS = 250_000
_FORGET_EVERY = 32


async def tick(tx: AsyncConnection, project_id: ProjectId, *, by_number: bool = False) -> int:
    """Become the only writer of the project's objects until the transaction ends, and take the number of the change.

    Call it before anything is read that the change depends on.

    Args:
        tx: The transaction.
        project_id: Of the objects.
        by_number: Whether all that the transaction does begins with numbers of objects and needs no whole table.
    """
    statement = insert(clock).values(project_id=project_id, last=1)
    statement = statement.on_conflict_do_update(index_elements=[clock.c.project_id], set_={"last": clock.c.last + 1})
    # Objects are found by index, also by the ten thousand: the planner's default takes every page for a seek of a disk.
    hints = [func.set_config("random_page_cost", "1.1", True)]
    if by_number:
        # It would rather read the table than go to the places of a hundred thousand rows that it has just been given.
        hints.append(func.set_config("enable_seqscan", "off", True))
    number: int = (await tx.execute(statement.returning(clock.c.last, *hints))).scalar_one()
    return number


# `tick` by number, for the driver.
_TICK = b"""
INSERT INTO objects.clock (project_id, last) VALUES (%(project)s, 1)
ON CONFLICT (project_id) DO UPDATE SET last = clock.last + 1
RETURNING set_config('random_page_cost', '1.1', true), set_config('enable_seqscan', 'off', true)
"""
_PARAMETER = re.compile(r"(?<!:):(\w+)")


def sent_behind(statement: str) -> bytes:
    """A statement for `tick_first`, from one with parameters as ``:name``.

    It finds number and time of the change in its own part ``turn``.
    """
    behind = {"number": "(SELECT number FROM turn)", "at": "(SELECT at FROM turn)"}
    text = statement.replace("%", "%%")
    return _PARAMETER.sub(lambda found: behind.get(found[1], f"%({found[1]})s"), text).encode()


def tick_first(
    project_id: ProjectId, statement: bytes, parameters: Mapping[str, Any]
) -> tuple[tuple[bytes, Mapping[str, Any]], tuple[bytes, Mapping[str, Any]]]:
    """`tick` by number, and a statement right behind it, for `Database.at_once`.

    It begins when it is our turn, and sees all that those before have committed.
    """
    return (_TICK, {"project": project_id}), (statement, parameters)


async def note_change(
    tx: AsyncConnection, project_id: ProjectId, number: int, kind: ChangeKind, object_ids: Ids | Sequence[int] | None
) -> None:
    """Say which objects the change concerned, and wake the caches when the transaction commits. May be called again.

    Args:
        tx: The transaction that called `tick`.
        project_id: Of the objects.
        number: What `tick` gave.
        kind: What happened to them.
        object_ids: Which ones; None, or more than a cache would rather read one by one, for "read all anew".
    """
    named = None if object_ids is None or len(object_ids) > MOST_NAMED_OBJECTS else object_ids
    statement = insert(change).values(
        project_id=project_id,
        number=number,
        kind=kind,
        object_ids=null() if named is None else array_of(np.asarray(named, np.int64)),
    )
    new = statement.excluded
    same, known = change.c.kind == new.kind, change.c.object_ids.is_not(None) & new.object_ids.is_not(None)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[change.c.project_id, change.c.number],
            # Of several kinds at once the caches make the one that lets them read everything anew.
            set_={
                "kind": case((same, change.c.kind), else_=ChangeKind.ADDED.value),
                "object_ids": case((same & known, func.array_cat(change.c.object_ids, new.object_ids))),
            },
        ).returning(func.pg_notify(CHANNEL, str(project_id)))
    )
    if kind is not ChangeKind.STATE:
        content = {"content": func.gen_random_uuid()}
        await tx.execute(update(clock).where(clock.c.project_id == project_id).values(content))
    await forget_changes(tx, project_id, number)


def is_time_to_forget(number: int) -> bool:
    """Whether `forget_changes` has something to do once there is a change of this number."""
    return number % _FORGET_EVERY == 0 and number > KEPT_CHANGES


async def forget_changes(tx: AsyncConnection, project_id: ProjectId, number: int) -> None:
    """Now and then, keep only the last `KEPT_CHANGES` explained; in the transaction of the change, or after it."""
    if not is_time_to_forget(number):
        return
    horizon = number - KEPT_CHANGES
    # The clock first, as every writer takes it; another process may have come further.
    further = {"horizon": func.greatest(clock.c.horizon, horizon)}
    await tx.execute(update(clock).where(clock.c.project_id == project_id).values(further))
    await tx.execute(delete(change).where(change.c.project_id == project_id, change.c.number <= horizon))


@dataclass(frozen=True, slots=True)
class ClockState:
    """How far a project's objects have come.

    Args:
        last: Number of the last change; 0 when there never was one.
        horizon: Changes up to this one are not explained any more.
        content: Another one whenever objects, facts or features change.
    """

    last: int
    horizon: int
    content: UUID


NEVER = ClockState(0, 0, UUID(int=0))


@dataclass(frozen=True, slots=True)
class NotedChange:
    """What a change did; no objects means too many to name."""

    number: int
    kind: ChangeKind
    object_ids: Ids | None


async def read_clock(tx: AsyncConnection, project_id: ProjectId) -> ClockState:
    """How far the project is for everyone who looks now."""
    query = select(clock.c.last, clock.c.horizon, clock.c.content).where(clock.c.project_id == project_id)
    row = (await tx.execute(query)).one_or_none()
    return NEVER if row is None else ClockState(row[0], row[1], row[2])


async def changes_after(tx: AsyncConnection, project_id: ProjectId, number: int) -> list[NotedChange] | None:
    """The later changes, oldest first; None when one of them is not explained any more.

    Changes and horizon are of one moment: others may forget changes between two statements.
    """
    packed = select(func.string_agg(func.int8send(column("id")), literal(b"", LargeBinary))).select_from(
        func.unnest(change.c.object_ids).alias("id")
    )
    later = and_(change.c.project_id == clock.c.project_id, change.c.number > number)
    query = (
        select(clock.c.horizon, change.c.number, change.c.kind, change.c.object_ids.is_(None), packed.scalar_subquery())
        .select_from(clock.outerjoin(change, later))
        .where(clock.c.project_id == project_id)
        .order_by(change.c.number)
    )
    rows = (await tx.execute(query)).all()
    if rows and rows[0][0] > number:
        return None
    return [
        NotedChange(row[1], ChangeKind(row[2]), None if row[3] else read_ids(row[4] or b""))
        for row in rows
        if row[1] is not None
    ]
