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
    any_,
    column,
    exists,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.outcomes import Outcome
from quadrat.serving.store.blobs import attach_payloads
from quadrat.serving.store.queue import NO_LEASE, Queue
from quadrat.serving.tables import request, version
from quadrat.serving.types import (
    BatchRequest,
    ClaimedRequest,
    RequestState,
    VersionId,
    VersionStatus,
)

_COPY = "COPY serving.request (id, version_id, data, data_payload_id) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ("uuid", "int8", "bytea", "uuid")
QUEUE = Queue(request, request.c, request.c.version_id, VersionId)


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
    ).where(request.c.version_id == version_id, request.c.id == any_(literal(list(ids), ARRAY(Uuid()))))
    return [BatchRequest(row[0], RequestState(row[1]), *row[2:]) for row in await tx.execute(query)]


async def claim(
    tx: AsyncConnection, version_id: VersionId, owner: UUID, limit: int, lease: timedelta
) -> list[ClaimedRequest]:
    """Take the oldest waiting requests of a version under a lease."""
    columns = (request.c.id, request.c.data, request.c.attempt, request.c.created_at, request.c.data_payload_id)
    begun = {"started_at": func.coalesce(request.c.started_at, func.now())}
    return [ClaimedRequest(*row) for row in await QUEUE.claim(tx, version_id, (owner, lease), limit, columns, begun)]


async def record(tx: AsyncConnection, owner: UUID, outcomes: Sequence[Outcome]) -> set[UUID]:
    """Write results, each once: one that this engine no longer holds is left as it is.

    Returns:
        The requests whose results were written.
    """
    # Locked one by one in one order for all, so that no two engines wait for each other. Who holds a lease is enough to
    # know: only what is processing has one.
    ordered = sorted(outcomes, key=lambda outcome: outcome.request_id)
    columns: dict[str, tuple[list[Any], Any]] = {
        "id": ([outcome.request_id for outcome in ordered], Uuid()),
        "state": ([outcome.state.value for outcome in ordered], Text()),
        "result": ([_result_for_row(outcome) for outcome in ordered], LargeBinary()),
        "result_payload_id": ([outcome.result_payload_id for outcome in ordered], Uuid()),
        "error_message": ([outcome.answer.error_message for outcome in ordered], Text()),
        "started_at": ([outcome.started_at for outcome in ordered], DateTime(timezone=True)),
    }
    given = (
        func.unnest(*(literal(values, ARRAY(type_)) for values, type_ in columns.values()))
        .table_valued(*(column(name, type_) for name, (_, type_) in columns.items()))
        .render_derived(name="given")
    )
    # Looked up for each by its key: a kept plan that joins two lists may go through one of them for each of the other.
    held = select(request.c.id).where(request.c.id == given.c.id, request.c.lease_owner == owner).with_for_update()
    answer = select(given).join(held.lateral("held"), true()).cte("answer")
    statement = (
        update(request)
        .where(request.c.id == answer.c.id)
        .values(
            state=answer.c.state,
            result=answer.c.result,
            result_payload_id=answer.c.result_payload_id,
            error_message=answer.c.error_message,
            started_at=func.coalesce(answer.c.started_at, request.c.started_at),
            updated_at=func.clock_timestamp(),
            finished_at=func.clock_timestamp(),
            **NO_LEASE,
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


async def list_waiting_versions(tx: AsyncConnection) -> Sequence[VersionId]:
    """Versions that can serve and have requests that wait."""
    waiting = exists().where(request.c.version_id == version.c.id, request.c.state == RequestState.PENDING)
    query = select(version.c.id).where(version.c.status.startswith(VersionStatus.AVAILABLE), waiting)
    return [VersionId(id_) for id_ in (await tx.execute(query)).scalars()]
