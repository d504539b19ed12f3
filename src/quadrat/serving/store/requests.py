"""Rows of batch requests: a queue under leases, and what users see of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    LargeBinary,
    Text,
    Uuid,
    case,
    column,
    delete,
    exists,
    func,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.outcomes import Outcome
from quadrat.serving.store.blobs import attach_payloads
from quadrat.serving.tables import request, version
from quadrat.serving.types import (
    BatchRequest,
    BatchRequestSummary,
    ClaimedRequest,
    RequestState,
    VersionId,
    VersionStatus,
)

_COPY = "COPY serving.request (id, version_id, data, data_payload_id) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ("uuid", "int8", "bytea", "uuid")
_NO_LEASE = {"lease_owner": null(), "lease_expires_at": null()}


async def insert_requests(
    tx: AsyncConnection, version_id: VersionId, items: Mapping[UUID, bytes], payloads: Mapping[UUID, UUID]
) -> datetime:
    """Accept requests; returns the time of their creation.

    Args:
        tx: The transaction.
        version_id: For which version.
        items: Their data.
        payloads: For those whose data lies in the store, under which payload; the data is not written then.
    """
    raw = await tx.get_raw_connection()
    connection = raw.driver_connection
    assert connection is not None  # noqa: S101 - the transaction is open
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for id_, data in items.items():
            payload_id = payloads.get(id_)
            await copy.write_row((id_, version_id, data if payload_id is None else None, payload_id))
    if payloads:
        await attach_payloads(tx, {payload_id: id_ for id_, payload_id in payloads.items()})
    return (await tx.execute(select(func.now()))).scalar_one()


async def list_requests(tx: AsyncConnection, version_id: VersionId, ids: Collection[UUID]) -> Sequence[BatchRequest]:
    """Those of the ids that are requests of the version."""
    query = select(
        request.c.id,
        request.c.state,
        request.c.data,
        request.c.result,
        request.c.error_message,
        request.c.created_at,
        request.c.updated_at,
        request.c.data_payload_id,
        request.c.result_payload_id,
    ).where(request.c.version_id == version_id, request.c.id.in_(ids))
    return [BatchRequest(row[0], RequestState(row[1]), *row[2:]) for row in await tx.execute(query)]


async def page_requests(
    tx: AsyncConnection,
    version_id: VersionId,
    states: Collection[RequestState],
    page: tuple[int, int],
    *,
    newest_first: bool,
) -> Sequence[BatchRequestSummary]:
    """Requests in these states, in order of creation.

    Args:
        tx: The transaction.
        version_id: Whose.
        states: Which.
        page: (offset, limit).
        newest_first: The direction.
    """
    offset, limit = page
    order = (request.c.created_at, request.c.id)
    query = (
        select(request.c.id, request.c.state, request.c.created_at, request.c.updated_at)
        .where(request.c.version_id == version_id, request.c.state.in_(states))
        .order_by(*((column.desc() for column in order) if newest_first else order))
        .offset(offset)
        .limit(limit)
    )
    return [
        BatchRequestSummary(id_, RequestState(state), created_at, updated_at)
        for id_, state, created_at, updated_at in await tx.execute(query)
    ]


async def lock_requests(tx: AsyncConnection, version_id: VersionId, ids: Collection[UUID]) -> set[UUID]:
    """Those of the ids that are requests of the version, held until the transaction ends."""
    query = (
        select(request.c.id)
        .where(request.c.version_id == version_id, request.c.id.in_(ids))
        .order_by(request.c.id)
        .with_for_update()
    )
    return set((await tx.execute(query)).scalars())


async def delete_requests(tx: AsyncConnection, ids: Collection[UUID]) -> None:
    """Remove requests; what runs for them is dropped."""
    await tx.execute(delete(request).where(request.c.id.in_(ids)))


async def delete_anywhere(tx: AsyncConnection, ids: Collection[UUID]) -> set[VersionId]:
    """Remove requests of whatever version; the versions that had any."""
    statement = delete(request).where(request.c.id.in_(ids)).returning(request.c.version_id)
    return {VersionId(id_) for id_ in (await tx.execute(statement)).scalars()}


async def claim(
    tx: AsyncConnection, version_id: VersionId, owner: UUID, limit: int, lease: timedelta
) -> list[ClaimedRequest]:
    """Take the oldest waiting requests of a version under a lease; other engines take other ones at the same time."""
    oldest = (
        select(request.c.id)
        .where(request.c.version_id == version_id, request.c.state == RequestState.PENDING)
        .order_by(request.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("oldest")
    )
    statement = (
        update(request)
        .where(request.c.id == oldest.c.id)
        .values(
            state=RequestState.PROCESSING,
            lease_owner=owner,
            lease_expires_at=func.now() + lease,
            attempt=request.c.attempt + 1,
            started_at=func.coalesce(request.c.started_at, func.now()),
            updated_at=func.now(),
        )
        .returning(request.c.id, request.c.data, request.c.attempt, request.c.created_at, request.c.data_payload_id)
    )
    claimed = [ClaimedRequest(*row) for row in await tx.execute(statement)]
    return sorted(claimed, key=lambda item: item.id)


async def renew(tx: AsyncConnection, owner: UUID, ids: Collection[UUID], lease: timedelta) -> set[UUID]:
    """Prolong the leases of requests; returns those that the engine still holds."""
    statement = (
        update(request)
        .where(request.c.id.in_(ids), request.c.lease_owner == owner, request.c.state == RequestState.PROCESSING)
        .values(lease_expires_at=func.now() + lease)
        .returning(request.c.id)
    )
    return set((await tx.execute(statement)).scalars())


async def release(tx: AsyncConnection, owner: UUID, ids: Collection[UUID]) -> None:
    """Give requests back that were not begun, or whose work was thrown away without any fault of theirs."""
    await tx.execute(
        update(request)
        .where(request.c.id.in_(ids), request.c.lease_owner == owner, request.c.state == RequestState.PROCESSING)
        .values(state=RequestState.PENDING, attempt=request.c.attempt - 1, updated_at=func.now(), **_NO_LEASE)
    )


async def record(tx: AsyncConnection, owner: UUID, outcomes: Sequence[Outcome]) -> set[UUID]:
    """Write results, each once: one that this engine no longer holds is left as it is.

    Returns:
        The requests whose results were written.
    """
    held = (
        select(request.c.id)
        .where(
            request.c.id.in_([outcome.request_id for outcome in outcomes]),
            request.c.lease_owner == owner,
            request.c.state == RequestState.PROCESSING,
        )
        # One order for all engines, so that two of them cannot wait for each other.
        .order_by(request.c.id)
        .with_for_update()
        .cte("held")
    )
    columns: dict[str, tuple[list[Any], Any]] = {
        "id": ([outcome.request_id for outcome in outcomes], Uuid()),
        "state": ([outcome.state.value for outcome in outcomes], Text()),
        "result": ([_result_for_row(outcome) for outcome in outcomes], LargeBinary()),
        "result_payload_id": ([outcome.result_payload_id for outcome in outcomes], Uuid()),
        "error_message": ([outcome.answer.error_message for outcome in outcomes], Text()),
        "started_at": ([outcome.started_at for outcome in outcomes], DateTime(timezone=True)),
    }
    answer = (
        func.unnest(*(literal(values, ARRAY(type_)) for values, type_ in columns.values()))
        .table_valued(*(column(name, type_) for name, (_, type_) in columns.items()))
        .render_derived(name="answer")
    )
    statement = (
        update(request)
        .where(request.c.id == held.c.id, request.c.id == answer.c.id)
        .values(
            state=answer.c.state,
            result=answer.c.result,
            result_payload_id=answer.c.result_payload_id,
            error_message=answer.c.error_message,
            started_at=func.coalesce(answer.c.started_at, request.c.started_at),
            updated_at=func.clock_timestamp(),
            finished_at=func.clock_timestamp(),
            **_NO_LEASE,
        )
        .returning(request.c.id)
    )
    recorded = set((await tx.execute(statement)).scalars())
    await attach_payloads(
        tx,
        {
            outcome.result_payload_id: outcome.request_id
            for outcome in outcomes
            if outcome.result_payload_id is not None and outcome.request_id in recorded
        },
    )
    return recorded


def _result_for_row(outcome: Outcome) -> bytes | None:
    return outcome.answer.result if outcome.result_payload_id is None else None


async def requeue_expired(tx: AsyncConnection, *, attempts: int, message: str) -> set[VersionId]:
    """Let requests of lost engines run again.

    Args:
        tx: The transaction.
        attempts: A request that was claimed this often fails instead.
        message: What such a request fails with.

    Returns:
        Versions with requests that wait now.
    """
    expired = (
        select(request.c.id)
        .where(request.c.state == RequestState.PROCESSING, request.c.lease_expires_at < func.now())
        .with_for_update(skip_locked=True)
        .cte("expired")
    )
    given_up = request.c.attempt >= attempts
    statement = (
        update(request)
        .where(request.c.id == expired.c.id)
        .values(
            state=case((given_up, literal(RequestState.FAILED)), else_=literal(RequestState.PENDING)),
            error_message=case((given_up, literal(message)), else_=null()),
            finished_at=case((given_up, func.now()), else_=null()),
            updated_at=func.now(),
            **_NO_LEASE,
        )
        .returning(request.c.version_id)
    )
    return {VersionId(id_) for id_ in (await tx.execute(statement)).scalars()}


async def list_waiting_versions(tx: AsyncConnection) -> Sequence[VersionId]:
    """Versions that can serve and have requests that wait."""
    waiting = exists().where(request.c.version_id == version.c.id, request.c.state == RequestState.PENDING)
    query = select(version.c.id).where(version.c.status.startswith(VersionStatus.AVAILABLE), waiting)
    return [VersionId(id_) for id_ in (await tx.execute(query)).scalars()]


async def has_finished_before(tx: AsyncConnection, moment: datetime) -> bool:
    """Whether there are requests whose results have been kept long enough."""
    return (await tx.execute(select(request.c.id).where(request.c.finished_at < moment).limit(1))).first() is not None


async def delete_finished_before(tx: AsyncConnection, moment: datetime, limit: int) -> int:
    """Remove requests whose results have been kept long enough; returns how many there were, at most `limit`."""
    old = select(request.c.id).where(request.c.finished_at < moment).limit(limit)
    return (await tx.execute(delete(request).where(request.c.id.in_(old)))).rowcount
