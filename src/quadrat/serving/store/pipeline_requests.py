"""Rows of pipelines' batch requests: a queue under leases, with what each object made of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, case, delete, func, insert, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.pipeline_types import ClaimedPipelineRequest, PipelineId, PipelineRequest, StepRun
from quadrat.serving.store.blobs import attach_pipeline_payloads
from quadrat.serving.tables import pipeline_request as request
from quadrat.serving.tables import pipeline_run as run
from quadrat.serving.types import BatchRequestSummary, Content, RequestState

_NO_LEASE = {"lease_owner": null(), "lease_expires_at": null()}
_ENDED = (RequestState.COMPLETED, RequestState.FAILED)


async def insert_requests(tx: AsyncConnection, pipeline_id: PipelineId, items: Mapping[UUID, Content]) -> datetime:
    """Accept requests; returns the time of their creation."""
    rows = [{"id": id_, "pipeline_id": pipeline_id, **_to_columns("data", data)} for id_, data in items.items()]
    await tx.execute(insert(request), rows)
    await attach_pipeline_payloads(tx, {data: id_ for id_, data in items.items() if isinstance(data, UUID)})
    return (await tx.execute(select(func.now()))).scalar_one()


async def list_requests(
    tx: AsyncConnection, pipeline_id: PipelineId, ids: Collection[UUID]
) -> Sequence[PipelineRequest]:
    """Those of the ids that are requests of the pipeline; with their runs once all of these have ended."""
    query = select(
        request.c.id,
        request.c.state,
        request.c.data,
        request.c.data_payload_id,
        request.c.error_message,
        request.c.created_at,
        request.c.updated_at,
    ).where(request.c.pipeline_id == pipeline_id, request.c.id.in_(ids))
    rows = (await tx.execute(query)).all()
    runs = await _runs_of(tx, [row[0] for row in rows if row[1] in _ENDED])
    return [
        PipelineRequest(
            id_, RequestState(state), _from_columns(data, payload_id), message, created_at, updated_at, tuple(runs[id_])
        )
        for id_, state, data, payload_id, message, created_at, updated_at in rows
    ]


async def page_requests(
    tx: AsyncConnection,
    pipeline_id: PipelineId,
    states: Collection[RequestState],
    page: tuple[int, int],
    *,
    newest_first: bool,
) -> Sequence[BatchRequestSummary]:
    """Requests in these states, in order of creation; `page` is (offset, limit)."""
    offset, limit = page
    order = (request.c.created_at, request.c.id)
    query = (
        select(request.c.id, request.c.state, request.c.created_at, request.c.updated_at)
        .where(request.c.pipeline_id == pipeline_id, request.c.state.in_(states))
        .order_by(*((column.desc() for column in order) if newest_first else order))
        .offset(offset)
        .limit(limit)
    )
    return [
        BatchRequestSummary(id_, RequestState(state), created_at, updated_at)
        for id_, state, created_at, updated_at in await tx.execute(query)
    ]


async def lock_requests(tx: AsyncConnection, pipeline_id: PipelineId, ids: Collection[UUID]) -> set[UUID]:
    """Those of the ids that are requests of the pipeline, held until the transaction ends."""
    query = (
        select(request.c.id)
        .where(request.c.pipeline_id == pipeline_id, request.c.id.in_(ids))
        .order_by(request.c.id)
        .with_for_update()
    )
    return set((await tx.execute(query)).scalars())


async def delete_requests(tx: AsyncConnection, ids: Collection[UUID]) -> None:
    """Remove requests with their runs; what runs for them is dropped."""
    await tx.execute(delete(request).where(request.c.id.in_(ids)))


async def delete_anywhere(tx: AsyncConnection, ids: Collection[UUID]) -> set[PipelineId]:
    """Remove requests of whatever pipeline, with their runs; the pipelines that had any."""
    statement = delete(request).where(request.c.id.in_(ids)).returning(request.c.pipeline_id)
    return {PipelineId(id_) for id_ in (await tx.execute(statement)).scalars()}


async def claim(
    tx: AsyncConnection, pipeline_id: PipelineId, owner: UUID, limit: int, lease: timedelta
) -> list[ClaimedPipelineRequest]:
    """Take the oldest waiting requests of a pipeline under a lease, with what has been finished of them before."""
    oldest = (
        select(request.c.id)
        .where(request.c.pipeline_id == pipeline_id, request.c.state == RequestState.PENDING)
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
            updated_at=func.now(),
        )
        .returning(request.c.id, request.c.data, request.c.data_payload_id, request.c.attempt, request.c.created_at)
    )
    claimed = (await tx.execute(statement)).all()
    again = [id_ for id_, _data, _payload_id, attempt, _at in claimed if attempt > 1]
    done = await _runs_of(tx, again) if again else defaultdict(list)
    return [
        ClaimedPipelineRequest(
            id_, _from_columns(data, payload_id), attempt, created_at, {item.path: item for item in done[id_]}
        )
        for id_, data, payload_id, attempt, created_at in sorted(claimed, key=lambda row: row[0])
    ]


async def hold(tx: AsyncConnection, owner: UUID, ids: Collection[UUID]) -> set[UUID]:
    """Those of the requests that are still this engine's, and will be until the transaction ends."""
    query = (
        select(request.c.id)
        .where(request.c.id.in_(ids), request.c.lease_owner == owner, request.c.state == RequestState.PROCESSING)
        # One order for all engines, so that two of them cannot wait for each other.
        .order_by(request.c.id)
        .with_for_update()
    )
    return set((await tx.execute(query)).scalars())


async def insert_runs(tx: AsyncConnection, runs: Sequence[tuple[UUID, StepRun]]) -> None:
    """Write what objects have made of requests that are held; each step once."""
    rows = [
        {
            "pipeline_request_id": id_,
            "path": item.path,
            "object_name": item.object_name,
            "is_model": item.is_model,
            "request_id": item.request_id,
            "success": item.success,
            **_to_columns("data", item.data),
            **_to_columns("result", item.result),
            "error_message": item.error_message,
            "started_at": item.started_at,
            "finished_at": item.finished_at,
        }
        for id_, item in runs
    ]
    await tx.execute(pg_insert(run).on_conflict_do_nothing(), rows)
    stored = {value: id_ for id_, item in runs for value in (item.data, item.result) if isinstance(value, UUID)}
    await attach_pipeline_payloads(tx, stored)


async def finish(tx: AsyncConnection, ended: Mapping[UUID, str | None]) -> None:
    """End requests that are held: with a message as failed, without as completed."""
    statement = (
        update(request)
        .where(request.c.id == bindparam("ended_id"))
        .values(
            state=bindparam("ended_state"),
            error_message=bindparam("ended_message"),
            updated_at=func.clock_timestamp(),
            finished_at=func.clock_timestamp(),
            **_NO_LEASE,
        )
    )
    rows = [
        {
            "ended_id": id_,
            "ended_state": RequestState.COMPLETED if message is None else RequestState.FAILED,
            "ended_message": message,
        }
        for id_, message in sorted(ended.items())
    ]
    await tx.execute(statement, rows)


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
    """Give requests back whose work was cut off without any fault of theirs."""
    await tx.execute(
        update(request)
        .where(request.c.id.in_(ids), request.c.lease_owner == owner, request.c.state == RequestState.PROCESSING)
        .values(state=RequestState.PENDING, updated_at=func.now(), **_NO_LEASE)
    )


async def requeue_expired(tx: AsyncConnection, *, attempts: int, message: str) -> set[PipelineId]:
    """Let requests of lost engines go on; one that was claimed too often fails with the message.

    Returns:
        Pipelines with requests that wait now.
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
        .returning(request.c.pipeline_id)
    )
    return {PipelineId(id_) for id_ in (await tx.execute(statement)).scalars()}


async def list_waiting_pipelines(tx: AsyncConnection) -> Sequence[PipelineId]:
    """Pipelines with requests that wait."""
    query = select(request.c.pipeline_id).where(request.c.state == RequestState.PENDING).distinct()
    return [PipelineId(id_) for id_ in (await tx.execute(query)).scalars()]


async def has_finished_before(tx: AsyncConnection, moment: datetime) -> bool:
    """Whether there are requests whose results have been kept long enough."""
    return (await tx.execute(select(request.c.id).where(request.c.finished_at < moment).limit(1))).first() is not None


async def delete_finished_before(tx: AsyncConnection, moment: datetime, limit: int) -> int:
    """Remove requests whose results have been kept long enough; returns how many there were, at most `limit`."""
    old = select(request.c.id).where(request.c.finished_at < moment).limit(limit)
    return (await tx.execute(delete(request).where(request.c.id.in_(old)))).rowcount


async def _runs_of(tx: AsyncConnection, ids: Collection[UUID]) -> Mapping[UUID, list[StepRun]]:
    """The runs of requests, in the order in which they ended."""
    query = (
        select(
            run.c.pipeline_request_id,
            run.c.path,
            run.c.object_name,
            run.c.is_model,
            run.c.request_id,
            run.c.success,
            run.c.data,
            run.c.data_payload_id,
            run.c.result,
            run.c.result_payload_id,
            run.c.error_message,
            run.c.started_at,
            run.c.finished_at,
        )
        .where(run.c.pipeline_request_id.in_(ids))
        .order_by(run.c.pipeline_request_id, run.c.finished_at, run.c.path)
    )
    found: dict[UUID, list[StepRun]] = defaultdict(list)
    for row in await tx.execute(query) if ids else ():
        request_id, path, name, is_model, run_id, success, data, data_id, result, result_id, *facts = row
        contents = _from_columns(data, data_id), result if result_id is None else result_id
        found[request_id].append(StepRun(path, name, is_model, run_id, success, *contents, *facts))
    return found


def _to_columns(name: str, content: Content | None) -> dict[str, Content | None]:
    """The two columns for one content, of which at most one is filled."""
    is_stored = isinstance(content, UUID)
    return {name: None if is_stored else content, f"{name}_payload_id": content if is_stored else None}


def _from_columns(text: bytes | None, payload_id: UUID | None) -> Content:
    if payload_id is not None:
        return payload_id
    assert text is not None  # noqa: S101 - one of the two is filled
    return text
