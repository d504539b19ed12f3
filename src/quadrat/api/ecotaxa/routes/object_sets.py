"""Sets of objects: lists, counts, classification, corrections, removal."""

import asyncio
from typing import Annotated

import numpy as np
from fastapi import Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from quadrat.api.ecotaxa import convert_objects as convert
from quadrat.api.ecotaxa import short_ways
from quadrat.api.ecotaxa.auth import Anyone, SignedIn
from quadrat.api.ecotaxa.schemas.object_sets import (
    BulkUpdateReq,
    ClassifyAutoMultipleReq,
    ClassifyAutoReq,
    ClassifyReq,
    Id,
    ObjectSetQueryRsp,
    ObjectSetRevertToHistoryRsp,
    ObjectSetSummaryRsp,
    PredictionsRsp,
    ProjectFilters,
)
from quadrat.api.guard import new_router, with_short_way
from quadrat.api.wire import Tx
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.actions import classification, objects, queries
from quadrat.objects.actions.queries import ListRequest
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.frames.sorting import Window
from quadrat.objects.types import TaxonId

router = new_router("objects")
_JSON = "application/json"
_DETAILED_AT_ONCE = 5_000


async def _cache(request: Request) -> ColumnCache:
    cache: ColumnCache = request.state.columns
    return cache


Columns = Annotated[ColumnCache, Depends(_cache)]
WindowNumber = Annotated[int | None, Query(ge=0, lt=2**63)]


async def _list_request(
    body: ProjectFilters,
    fields: str | None = None,
    order_field: str | None = None,
    window_start: WindowNumber = None,
    window_size: WindowNumber = None,
) -> ListRequest:
    return ListRequest(body.model_dump(), fields, order_field, Window(window_start or 0, window_size))


async def _project(project_id: Id) -> ProjectId:
    return ProjectId(project_id)


Project = Annotated[ProjectId, Depends(_project)]


async def _into(forced_id: Id, reason: str) -> tuple[TaxonId, str]:
    return TaxonId(forced_id), reason


async def _how(dry_run: bool, target: Id | None = None) -> tuple[UserId | None, bool]:
    return None if target is None else UserId(target), dry_run


@router.post("/object_set/{project_id}/query", operation_id="get_object_set", response_model=ObjectSetQueryRsp)
@with_short_way(short_ways.query)
async def get_object_set(
    request: Request,
    tx: Tx,
    columns: Columns,
    caller: Anyone,
    project_id: Project,
    wanted: Annotated[ListRequest, Depends(_list_request)],
) -> Response:
    """Objects of a project under filters, in an order; a window of them, or all."""
    found = await queries.list_objects(tx, columns, caller, project_id, wanted)
    if found.fields and len(found.object_ids) > _DETAILED_AT_ONCE:
        rows = queries.stream_details(request.state.db, found.object_ids, found.fields)
        return StreamingResponse(convert.stream(found, project_id, rows), media_type=_JSON)
    rows_ = await queries.details(tx, columns, found) if found.fields else None

    return Response(await asyncio.to_thread(convert.whole_list, found, project_id, rows_), media_type=_JSON)


@router.post("/object_set/{project_id}/summary", operation_id="get_object_set_summary")
async def get_object_set_summary(
    tx: Tx, columns: Columns, caller: Anyone, project_id: Project, body: ProjectFilters, only_total: bool
) -> ObjectSetSummaryRsp:
    """How many objects there are under filters, by state."""
    counts = await queries.count_objects(tx, columns, caller, project_id, body.model_dump())
    return convert.summary(counts, only_total=only_total)


@router.post("/object_set/parents", operation_id="query_object_set_parents", response_model=ObjectSetQueryRsp)
async def query_object_set_parents(tx: Tx, columns: Columns, caller: SignedIn, body: list[Id]) -> Response:
    """What objects belong to."""
    found = await queries.list_parents(tx, columns, caller, convert.ids(body))
    return Response(convert.parents(found), media_type=_JSON)


@router.post("/object_set/classify", operation_id="classify_object_set")
@with_short_way(short_ways.classify)
async def classify_object_set(tx: Tx, columns: Columns, caller: SignedIn, body: ClassifyReq) -> int:
    """Decide on objects; answers how many changed."""
    state = convert.qualification(body.wanted_qualification)
    target, taxa = convert.ids(body.target_ids), convert.ids(body.classifications)
    return await classification.classify(tx, caller, target, taxa, state, columns)


@router.post("/object_set/classify_auto", operation_id="classify_auto_object_set")
@with_short_way(short_ways.classify_auto)
async def classify_auto_object_set(tx: Tx, columns: Columns, caller: SignedIn, body: ClassifyAutoReq) -> int:
    """Note what a machine says of objects; decisions of people stay. Answers how many objects there are."""
    guesses = convert.ids(body.target_ids), convert.ids(body.classifications), np.array(body.scores, np.float64)
    return await classification.classify_auto(tx, caller, guesses, keep_log=body.keep_log, cache=columns)


@router.post("/object_set/classify_auto_multiple", operation_id="classify_auto_multiple_object_set")
async def classify_auto_multiple_object_set(tx: Tx, caller: SignedIn, body: ClassifyAutoMultipleReq) -> int:
    """Note several guesses for each object; the three best are kept, the best one counts."""
    if [len(each) for each in body.classifications] != [len(each) for each in body.scores]:
        raise QuadratError(ErrorKind.INVALID, "There must be one score for each category.", field="scores")
    guesses = [
        list(zip(taxa, scores, strict=True)) for taxa, scores in zip(body.classifications, body.scores, strict=True)
    ]
    return await classification.classify_auto_multiple(
        tx, caller, convert.ids(body.target_ids), guesses, keep_log=body.keep_log
    )


@router.post("/object_set/predictions", operation_id="query_object_set_predictions")
async def query_object_set_predictions(tx: Tx, caller: SignedIn, body: list[Id]) -> PredictionsRsp:
    """What was predicted last of objects."""
    return PredictionsRsp(result=list(await classification.list_predictions(tx, caller, convert.ids(body))))


@router.post("/object_set/{project_id}/reclassify", operation_id="reclassify_object_set")
async def reclassify_object_set(
    tx: Tx,
    columns: Columns,
    caller: SignedIn,
    project_id: Project,
    body: ProjectFilters,
    into: Annotated[tuple[TaxonId, str], Depends(_into)],
) -> int:
    """Give all objects under filters another category; answers how many there are."""
    return await classification.reclassify(tx, columns, caller, project_id, body.model_dump(), into)


@router.post("/object_set/{project_id}/reset_to_predicted", operation_id="reset_object_set_to_predicted")
async def reset_object_set_to_predicted(
    tx: Tx, columns: Columns, caller: SignedIn, project_id: Project, body: ProjectFilters
) -> None:
    """Turn decisions on objects under filters into predictions."""
    await classification.reset_to_predicted(tx, columns, caller, project_id, body.model_dump())


@router.post(
    "/object_set/{project_id}/revert_to_history",
    operation_id="revert_object_set_to_history",
    response_model=ObjectSetRevertToHistoryRsp,
)
async def revert_object_set_to_history(
    tx: Tx,
    columns: Columns,
    caller: SignedIn,
    project_id: Project,
    body: ProjectFilters,
    how: Annotated[tuple[UserId | None, bool], Depends(_how)],
) -> Response:
    """Take objects under filters back to their last former state, or only say what that would do."""
    done = await classification.revert_to_history(tx, columns, caller, project_id, body.model_dump(), how)
    return Response(await asyncio.to_thread(convert.reverted, done), media_type=_JSON)


@router.post("/object_set/update", operation_id="update_object_set")
async def update_object_set(tx: Tx, columns: Columns, caller: SignedIn, body: BulkUpdateReq) -> int:
    """Give objects new values; answers how many there are."""
    updates = [(update.ucol, update.uval) for update in body.updates]
    return await objects.correct_objects(tx, columns, caller, convert.ids(body.target_ids), updates)


@router.delete("/object_set/", operation_id="erase_object_set")
async def erase_object_set(tx: Tx, caller: SignedIn, body: list[Id]) -> tuple[int, int, int, int]:
    """Remove objects; answers how many objects, 0, images, and files."""
    done = await objects.erase_objects(tx, caller, convert.ids(body))
    return done.n_objects, 0, done.n_images, done.n_files
