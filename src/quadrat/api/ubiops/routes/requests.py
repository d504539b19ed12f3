"""Batch requests of a version."""

from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.requests import (
    to_create_responses,
    to_filter,
    to_ids,
    to_items,
    to_list_response,
    to_request_detail,
    to_request_id,
    to_result_list,
)
from quadrat.api.ubiops.paths import VERSION, AtVersion
from quadrat.api.ubiops.results import results_response
from quadrat.api.ubiops.schemas.requests import (
    BatchModelRequestCreateResponse,
    BatchModelRequestListResponse,
    BatchModelRequestResultList,
    ModelRequestDetail,
    RequestListQuery,
)
from quadrat.api.wire import Tx, json_response
from quadrat.db.engine import Database
from quadrat.serving.actions import requests
from quadrat.serving.files import is_large

router = new_router("Model requests")

_BATCH = VERSION + "/request-batch"
_ONE = _BATCH + "/{request_id}"


def _body(schema: dict[str, Any], *, text: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if text:
        content["text/plain"] = {"schema": {"type": "string"}}
    return {"requestBody": {"required": True, "content": content}}


_ITEMS = _body({"description": "A list of request data, at most 250, or the data of one request"}, text=True)
_IDS = _body({"type": "array", "items": {"type": "string", "format": "uuid"}, "maxItems": requests.MAX_ITEMS})


@router.post(
    _BATCH,
    operation_id="batch_model_requests_create",
    response_model=list[BatchModelRequestCreateResponse],
    openapi_extra=_ITEMS,
)
async def batch_model_requests_create(request: Request, path: AtVersion, caller: SignedIn) -> Response:
    """Accept requests that run in the background, all or none."""
    db: Database = request.state.db
    items = to_items(await request.body(), request.headers.get("content-type", ""))
    if any(map(is_large, items)):
        # Nothing is stored before it is sure that the caller may.
        async with db.begin() as tx:
            await requests.check_requests(tx, caller, path, items)
    payloads = await request.state.engine.files.spill(items)
    async with db.begin() as tx:
        accepted = await requests.create_requests(tx, caller, path, items, payloads)
    return json_response(to_create_responses(*accepted))


@router.get(_BATCH, operation_id="batch_model_requests_list", response_model=list[BatchModelRequestListResponse])
async def batch_model_requests_list(
    path: AtVersion, caller: SignedIn, tx: Tx, query: Annotated[RequestListQuery, Query()]
) -> Response:
    """In order of creation, newest first unless asked otherwise."""
    found = await requests.list_requests(
        tx,
        caller,
        path,
        to_filter(query),
        (query.offset, query.limit),
        newest_first=query.sort == "desc",
    )
    return json_response([to_list_response(item) for item in found])


@router.get(_ONE, operation_id="batch_model_requests_get", response_model=BatchModelRequestResultList)
async def batch_model_requests_get(
    request: Request, path: AtVersion, request_id: str, caller: SignedIn, tx: Tx
) -> Response:
    """One request with its data, and its result once it has completed."""
    (found,) = await requests.get_requests(tx, caller, path, [to_request_id(request_id)])
    return results_response(to_result_list(found), request.state.engine.files)


@router.delete(_ONE, operation_id="batch_model_requests_delete", status_code=204)
async def batch_model_requests_delete(path: AtVersion, request_id: str, caller: SignedIn, tx: Tx) -> None:
    """Forget a request; what waits or runs for it is cancelled."""
    await requests.delete_requests(tx, caller, path, [to_request_id(request_id)])


@router.post(
    VERSION + "/request-batch-collect",
    operation_id="batch_model_requests_batch_collect",
    response_model=list[BatchModelRequestResultList],
    openapi_extra=_IDS,
)
async def batch_model_requests_batch_collect(request: Request, path: AtVersion, caller: SignedIn) -> Response:
    """Several requests with their data and results, all or none."""
    db: Database = request.state.db
    ids = to_ids(await request.body())
    async with db.begin() as tx:
        found = await requests.get_requests(tx, caller, path, ids)
    return results_response([to_result_list(item) for item in found], request.state.engine.files)


@router.post(
    VERSION + "/request-batch-delete",
    operation_id="batch_model_requests_batch_delete",
    status_code=201,
    openapi_extra=_IDS,
)
async def batch_model_requests_batch_delete(request: Request, path: AtVersion, caller: SignedIn) -> dict[str, Any]:
    """Forget several requests, all or none."""
    db: Database = request.state.db
    ids = to_ids(await request.body())
    async with db.begin() as tx:
        await requests.delete_requests(tx, caller, path, ids)
    return {}


@router.get(VERSION + "/requests/{request_id}", operation_id="model_requests_get", response_model=ModelRequestDetail)
async def model_requests_get(path: AtVersion, request_id: str, caller: SignedIn, tx: Tx) -> Response:
    """When a request was accepted, begun and finished; a direct request is known from a second after its end on."""
    record = await requests.get_record(tx, caller, path, to_request_id(request_id))
    return json_response(to_request_detail(path, record))
