"""Batch requests of pipelines, as their owner sees them. The engine works on them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.serving.actions.blobs import find_blobs
from quadrat.serving.actions.pipelines import PipelinePath, open_pipeline
from quadrat.serving.pipeline_types import Pipeline, PipelineRequest
from quadrat.serving.rules.values import blobs_in, check_input
from quadrat.serving.signals import announce_pipeline_requests
from quadrat.serving.store import pipeline_requests as store
from quadrat.serving.store import pipelines as pipeline_store
from quadrat.serving.types import BatchRequestSummary, RequestFilter

MAX_ITEMS = 100
_IN_ROWS: Mapping[int, UUID] = {}


async def check_requests(tx: AsyncConnection, caller: Caller, path: PipelinePath, items: Sequence[bytes]) -> Pipeline:
    """Whether these requests may be made, and would be accepted now.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The pipeline.
        items: The request data of each, as JSON text.

    Returns:
        The pipeline.

    Raises:
        QuadratError: not_found, forbidden; invalid, also when nothing is attached to the start.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.requests.create")
    if not 1 <= len(items) <= MAX_ITEMS:
        raise QuadratError(ErrorKind.INVALID, f"One call takes 1 to {MAX_ITEMS} requests, not {len(items)}.")
    await _check_items(tx, pipeline, items)
    return pipeline


async def create_requests(
    tx: AsyncConnection,
    caller: Caller,
    path: PipelinePath,
    items: Sequence[bytes],
    payloads: Mapping[int, UUID] = _IN_ROWS,
) -> tuple[list[UUID], datetime]:
    """Accept requests, all or none.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The pipeline.
        items: The request data of each, as JSON text.
        payloads: For those of the items, by their position, that lie in the store already: under which payload.

    Returns:
        Their ids in the order of the items, and the time of their creation.

    Raises:
        QuadratError: As `check_requests`.
    """
    pipeline = await check_requests(tx, caller, path, items)
    return await _insert(tx, pipeline, items, payloads)


async def accept_requests(
    tx: AsyncConnection, pipeline: Pipeline, items: Sequence[bytes], payloads: Mapping[int, UUID] = _IN_ROWS
) -> tuple[list[UUID], datetime]:
    """Accept requests of a pipeline that was opened before, all or none.

    Raises:
        QuadratError: invalid.
    """
    await _check_items(tx, pipeline, items)
    return await _insert(tx, pipeline, items, payloads)


async def _check_items(tx: AsyncConnection, pipeline: Pipeline, items: Sequence[bytes]) -> None:
    for item in items:
        check_input(pipeline.input, item)
    if pipeline.input.file_fields:
        await find_blobs(tx, pipeline.project_id, [id_ for item in items for id_ in blobs_in(pipeline.input, item)])
    if not any(item.source_id is None for item in await pipeline_store.list_attachments(tx, pipeline.id)):
        raise QuadratError(
            ErrorKind.INVALID, f"Nothing is attached to the start of pipeline {pipeline.name}: attach an object."
        )


async def _insert(
    tx: AsyncConnection, pipeline: Pipeline, items: Sequence[bytes], payloads: Mapping[int, UUID]
) -> tuple[list[UUID], datetime]:
    # Ids sort by time, but only between milliseconds.
    ids = sorted(new_uuid() for _ in items)
    contents = {id_: payloads.get(at, item) for at, (id_, item) in enumerate(zip(ids, items, strict=True))}
    created_at = await store.insert_requests(tx, pipeline.id, contents)
    await announce_pipeline_requests(tx, pipeline.id)
    return ids, created_at


async def get_requests(
    tx: AsyncConnection, caller: Caller, path: PipelinePath, ids: Collection[UUID]
) -> tuple[Pipeline, Sequence[PipelineRequest]]:
    """All of these requests, in the order of the ids; each once.

    Raises:
        QuadratError: forbidden; invalid when there are too many; not_found when one of them does not exist.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.requests.get")
    _refuse_too_many(ids)
    found = {item.id: item for item in await store.list_requests(tx, pipeline.id, ids)}
    _refuse_missing(ids, found)
    return pipeline, [found[id_] for id_ in dict.fromkeys(ids)]


async def list_requests(
    tx: AsyncConnection,
    caller: Caller,
    path: PipelinePath,
    wanted: RequestFilter,
    page: tuple[int, int],
    *,
    newest_first: bool,
) -> Sequence[BatchRequestSummary]:
    """The batch requests of a pipeline that are wanted, in order of creation; `page` is (offset, limit).

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.requests.list")
    return await store.QUEUE.page(tx, pipeline.id, wanted, page, newest_first=newest_first)


async def delete_requests(tx: AsyncConnection, caller: Caller, path: PipelinePath, ids: Collection[UUID]) -> None:
    """Remove all of these requests or none. All model requests that wait or run for them are cancelled.

    Raises:
        QuadratError: forbidden; invalid when there are too many; not_found when one of them does not exist.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.requests.delete")
    _refuse_too_many(ids)
    _refuse_missing(ids, await store.QUEUE.lock(tx, pipeline.id, ids))
    await store.QUEUE.delete(tx, ids)
    await announce_pipeline_requests(tx, pipeline.id, deleted=True)


def _refuse_too_many(ids: Collection[UUID]) -> None:
    if len(ids) > MAX_ITEMS:
        raise QuadratError(ErrorKind.INVALID, f"One call takes at most {MAX_ITEMS} ids, not {len(ids)}.")


def _refuse_missing(ids: Collection[UUID], found: Collection[UUID]) -> None:
    missing = next((id_ for id_ in ids if id_ not in found), None)
    if missing is not None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Request {missing} does not exist for this pipeline.")
