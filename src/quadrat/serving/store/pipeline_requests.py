"""Rows of pipelines' batch requests: a queue under leases, with what each object made of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.pipeline_types import ClaimedPipelineRequest, PipelineId, PipelineRequest, StepRun
from quadrat.serving.store.blobs import attach_pipeline_payloads
from quadrat.serving.store.queue import NO_LEASE, Queue
from quadrat.serving.tables import pipeline_request as request
from quadrat.serving.tables import pipeline_run as run
from quadrat.serving.types import Content, RequestState

QUEUE = Queue(request, request.c, request.c.pipeline_id, PipelineId)
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


async def claim(
    tx: AsyncConnection, pipeline_id: PipelineId, owner: UUID, limit: int, lease: timedelta
) -> list[ClaimedPipelineRequest]:
    """Take the oldest waiting requests of a pipeline under a lease, with what has been finished of them before."""
    columns = (request.c.id, request.c.data, request.c.data_payload_id, request.c.attempt, request.c.created_at)
    claimed = await QUEUE.claim(tx, pipeline_id, (owner, lease), limit, columns)
    done = await _runs_of(tx, [id_ for id_, _data, _payload_id, attempt, _at in claimed if attempt > 1])
    return [
        ClaimedPipelineRequest(
            id_, _from_columns(data, payload_id), attempt, created_at, {item.path: item for item in done[id_]}
        )
        for id_, data, payload_id, attempt, created_at in claimed
    ]


async def insert_runs(tx: AsyncConnection, runs: Sequence[tuple[UUID, StepRun]]) -> None:
    """Write what objects have made of requests that are held; each step once."""
    stored = {value: id_ for id_, item in runs for value in (item.data, item.result) if isinstance(value, UUID)}
    rows = [
        {
            "pipeline_request_id": id_,
            "path": item.path,
            "object_name": item.object_name,
            "is_model": item.is_model,
            "request_id": item.request_id,
            "success": item.success,
            "data": item.data,
            "result": item.result,
            "error_message": item.error_message,
            "started_at": item.started_at,
            "finished_at": item.finished_at,
        }
        for id_, item in runs
    ]
    if stored:
        for row, (_id, item) in zip(rows, runs, strict=True):
            row |= {**_to_columns("data", item.data), **_to_columns("result", item.result)}
    await tx.execute(pg_insert(run).on_conflict_do_nothing(), rows)
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
            **NO_LEASE,
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


async def list_waiting_pipelines(tx: AsyncConnection) -> Sequence[PipelineId]:
    """Pipelines with requests that wait."""
    query = select(request.c.pipeline_id).where(request.c.state == RequestState.PENDING).distinct()
    return [PipelineId(id_) for id_ in (await tx.execute(query)).scalars()]


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
