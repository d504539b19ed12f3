"""Batch requests as a queue under leases: what those of versions and those of pipelines have in common."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.tables import QueueColumns
from quadrat.serving.types import BatchRequestSummary, RequestFilter, RequestState

Key = TypeVar("Key", bound=int)
_NOTHING: Mapping[str, Any] = {}

NO_LEASE = {"lease_owner": null(), "lease_expires_at": null()}


@dataclass(frozen=True, slots=True)
class Queue(Generic[Key]):
    """The requests of one table.

    Args:
        table: Where they are.
        c: Its columns.
        of: That which says whose requests they are.
        key: What a number in it means.
    """

    table: Table[Any]
    c: QueueColumns
    of: Column[int]
    key: Callable[[int], Key]

    # States are written into the statements: the indexes of those that wait and of those that run are partial, and a
    # plan that is kept for a parameter cannot use them. Ids are one parameter, however many they are, so that the plan
    # is kept at all.

    def _is_in(self, *states: RequestState) -> ColumnElement[bool]:
        return self.c.state.in_(bindparam("states", states, Text(), expanding=True, literal_execute=True))

    def _is_one_of(self, ids: Collection[UUID]) -> ColumnElement[bool]:
        return self.c.id == any_(literal(list(ids), ARRAY(Uuid())))

    def _made_in(self, wanted: RequestFilter) -> list[ColumnElement[bool]]:
        begun = [] if wanted.since is None else [self.c.created_at >= wanted.since]
        return begun if wanted.until is None else [*begun, self.c.created_at < wanted.until]

    # What their owner sees and does.

    async def page(
        self,
        tx: AsyncConnection,
        key: Key,
        wanted: RequestFilter,
        page: tuple[int, int],
        *,
        newest_first: bool,
    ) -> Sequence[BatchRequestSummary]:
        """Requests in order of creation.

        Args:
            tx: The transaction.
            key: Whose.
            wanted: Which.
            page: (offset, limit).
            newest_first: The direction.
        """
        offset, limit = page
        order = (self.c.created_at, self.c.id)
        query = (
            select(self.c.id, self.c.state, self.c.created_at, self.c.updated_at)
            .where(self.of == key, self._is_in(*wanted.states), *self._made_in(wanted))
            .order_by(*((column.desc() for column in order) if newest_first else order))
            .offset(offset)
            .limit(limit)
        )
        return [
            BatchRequestSummary(id_, RequestState(state), created_at, updated_at)
            for id_, state, created_at, updated_at in await tx.execute(query)
        ]

    async def lock(self, tx: AsyncConnection, key: Key, ids: Collection[UUID]) -> set[UUID]:
        """Those of the ids that are requests of this one, held until the transaction ends."""
        query = select(self.c.id).where(self.of == key, self._is_one_of(ids)).order_by(self.c.id).with_for_update()
        return set((await tx.execute(query)).scalars())

    async def delete(self, tx: AsyncConnection, ids: Collection[UUID]) -> set[Key]:
        """Remove requests, whosesoever they are; what runs for them is dropped. Returns those who had any."""
        statement = delete(self.table).where(self._is_one_of(ids)).returning(self.of)
        return {self.key(number) for number in (await tx.execute(statement)).scalars()}

    # Leases.

    async def claim(
        self,
        tx: AsyncConnection,
        key: Key,
        lease: tuple[UUID, timedelta],
        limit: int,
        columns: Sequence[Column[Any]],
        values: Mapping[str, Any] = _NOTHING,
    ) -> list[tuple[Any, ...]]:
        """Take the oldest waiting requests; other engines take other ones at the same time.

        Args:
            tx: The transaction.
            key: Whose.
            lease: Who takes them, and for how long.
            limit: How many at the most.
            columns: What is wanted of them, the id first.
            values: What is written besides.
        """
        owner, length = lease
        oldest = (
            select(self.c.id)
            .where(self.of == key, self._is_in(RequestState.PENDING))
            .order_by(self.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = (
            update(self.table)
            # As an array, which is always looked up by the primary key: a join may be planned as a walk over all rows.
            .where(self.c.id == any_(func.array(oldest.scalar_subquery())))
            .values(
                state=RequestState.PROCESSING,
                lease_owner=owner,
                lease_expires_at=func.now() + length,
                attempt=self.c.attempt + 1,
                updated_at=func.now(),
                **values,
            )
            .returning(*columns)
        )
        return sorted(map(tuple, await tx.execute(statement)), key=lambda row: row[0])

    def held(self, owner: UUID, ids: Collection[UUID]) -> Select[UUID]:
        """Those of the requests that are still this engine's, and will be until the transaction ends.

        They are locked in one order for all, so that no two engines wait for each other. Who holds a lease is enough to
        know: only what is processing has one.
        """
        return (
            select(self.c.id)
            .where(self._is_one_of(ids), self.c.lease_owner == owner)
            .order_by(self.c.id)
            .with_for_update()
        )

    async def hold(self, tx: AsyncConnection, owner: UUID, ids: Collection[UUID]) -> set[UUID]:
        """Those of the requests that are still this engine's, and will be until the transaction ends."""
        return set((await tx.execute(self.held(owner, ids))).scalars())

    async def renew(self, tx: AsyncConnection, owner: UUID, ids: Collection[UUID], lease: timedelta) -> set[UUID]:
        """Prolong the leases of requests; returns those that the engine still holds."""
        statement = (
            update(self.table)
            .where(self.c.id.in_(self.held(owner, ids)))
            .values(lease_expires_at=func.now() + lease)
            .returning(self.c.id)
        )
        return set((await tx.execute(statement)).scalars())

    async def release(self, tx: AsyncConnection, owner: UUID, ids: Collection[UUID]) -> None:
        """Give requests back that were not begun, or whose work was cut off without any fault of theirs.

        It does not count as an attempt, but that there has been one stays known.
        """
        attempt = func.greatest(self.c.attempt - 1, 1)
        await tx.execute(
            update(self.table)
            .where(self.c.id.in_(self.held(owner, ids)))
            .values(state=RequestState.PENDING, attempt=attempt, updated_at=func.now(), **NO_LEASE)
        )

    async def requeue_expired(self, tx: AsyncConnection, *, attempts: int, message: str) -> set[Key]:
        """Let requests of lost engines run again.

        Args:
            tx: The transaction.
            attempts: A request that was claimed this often fails instead.
            message: What such a request fails with.

        Returns:
            Those of whom requests wait now.
        """
        expired = (
            select(self.c.id)
            .where(self._is_in(RequestState.PROCESSING), self.c.lease_expires_at < func.now())
            .with_for_update(skip_locked=True)
            .cte("expired")
        )
        given_up = self.c.attempt >= attempts
        statement = (
            update(self.table)
            .where(self.c.id == expired.c.id)
            .values(
                state=case((given_up, literal(RequestState.FAILED)), else_=literal(RequestState.PENDING)),
                error_message=case((given_up, literal(message)), else_=null()),
                finished_at=case((given_up, func.now()), else_=null()),
                updated_at=func.now(),
                **NO_LEASE,
            )
            .returning(self.of)
        )
        return {self.key(number) for number in (await tx.execute(statement)).scalars()}

    # Retention.

    async def has_finished_before(self, tx: AsyncConnection, moment: datetime) -> bool:
        """Whether there are requests whose results have been kept long enough."""
        query = select(self.c.id).where(self.c.finished_at < moment).limit(1)
        return (await tx.execute(query)).first() is not None

    async def delete_finished_before(self, tx: AsyncConnection, moment: datetime, limit: int) -> int:
        """Remove requests whose results have been kept long enough; returns how many there were, at most `limit`."""
        old = select(self.c.id).where(self.c.finished_at < moment).limit(limit)
        return (await tx.execute(delete(self.table).where(self.c.id.in_(old)))).rowcount
