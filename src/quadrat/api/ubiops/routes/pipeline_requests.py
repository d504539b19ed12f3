"""Direct and batch requests of a pipeline."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.hangups import HUNG_UP, HungUpError, unless_hung_up
from quadrat.api.ubiops.auth import SignedIn, secret_of
from quadrat.api.ubiops.convert.pipeline_requests import to_pipeline_request_list, to_pipeline_result_list
from quadrat.api.ubiops.convert.requests import (
    to_create_responses,
    to_data,
    to_filter,
    to_ids,
    to_items,
    to_list_response,
    to_request_id,
)
from quadrat.api.ubiops.paths import PIPELINE, AtPipeline
from quadrat.api.ubiops.results import results_response
from quadrat.api.ubiops.routes.direct import BareRoute
from quadrat.api.ubiops.schemas.pipeline_requests import BatchPipelineRequestResultList, PipelineRequestList
from quadrat.api.ubiops.schemas.requests import (
    BatchModelRequestCreateResponse,
    BatchModelRequestListResponse,
    RequestListQuery,
)
from quadrat.api.wire import Tx, json_response
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.authenticator import Authenticator
from quadrat.serving.actions import pipeline_requests as requests
from quadrat.serving.actions.pipelines import PipelinePath
from quadrat.serving.files import is_large
from quadrat.serving.flow.engine import PipelineEngine

_PIPELINE_TIMEOUTS_S, _PIPELINE_DEFAULT_S = range(10, 7200 + 1), 3600
_MODEL_TIMEOUTS_S, _MODEL_DEFAULT_S = range(10, 3600 + 1), 300

_TEXT = {"type": "string"}


def _timeout(name: str, description: str, allowed: range, default: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": allowed.start, "maximum": allowed.stop - 1, "default": default}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_DIRECT: dict[str, Any] = {
    "security": [{"api_key": []}],
    "parameters": [
        *(
            {"name": name, "in": "path", "required": True, "schema": _TEXT}
            for name in ("project_name", "pipeline_name")
        ),
        _timeout("pipeline_timeout", "Seconds for everything", _PIPELINE_TIMEOUTS_S, _PIPELINE_DEFAULT_S),
        _timeout("model_timeout", "Seconds for each model request", _MODEL_TIMEOUTS_S, _MODEL_DEFAULT_S),
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"description": "An object with the pipeline's input fields, or a text for a plain pipeline"}
            },
            "text/plain": {"schema": _TEXT},
        },
    },
}


def _body(schema: dict[str, Any], *, text: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if text:
        content["text/plain"] = {"schema": {"type": "string"}}
    return {"requestBody": {"required": True, "content": content}}


_ITEMS = _body({"description": "A list of request data, at most 100, or the data of one request"}, text=True)
_IDS = _body({"type": "array", "items": {"type": "string", "format": "uuid"}, "maxItems": requests.MAX_ITEMS})

direct = APIRouter(tags=["Pipeline requests"], route_class=BareRoute)
router = new_router("Pipeline requests")

_BATCH = PIPELINE + "/request-batch"
_ONE = _BATCH + "/{pipeline_request_id}"


@direct.post(
    PIPELINE + "/request",
    operation_id="pipelines_request",
    response_model=PipelineRequestList,
    openapi_extra=_DIRECT,
)
async def pipelines_request(request: Request) -> Response:
    """Run a request now; objects that fail stop their own branch, and the answer is still 200."""
    authenticator: Authenticator = request.state.authenticator
    engine: PipelineEngine = request.state.pipelines
    header = request.headers.get
    caller = await authenticator.caller(secret_of(header("authorization")))
    path = PipelinePath(request.path_params["project_name"], request.path_params["pipeline_name"])
    plan = await engine.open(caller, await authenticator.access(caller, path.project), path)
    pipeline_timeout_s = _seconds_of(request, "pipeline_timeout", _PIPELINE_TIMEOUTS_S, _PIPELINE_DEFAULT_S)
    model_timeout_s = _seconds_of(request, "model_timeout", _MODEL_TIMEOUTS_S, _MODEL_DEFAULT_S)
    data = to_data(await request.body(), header("content-type", ""))
    try:
        async with unless_hung_up(request.receive):
            done = await engine.run(plan, data, pipeline_timeout_s=pipeline_timeout_s, model_timeout_s=model_timeout_s)
    except HungUpError:
        return Response(status_code=HUNG_UP)
    return Response(to_pipeline_request_list(plan, *done), media_type="application/json")


@router.post(
    _BATCH,
    operation_id="batch_pipeline_requests_create",
    response_model=list[BatchModelRequestCreateResponse],
    openapi_extra=_ITEMS,
)
async def batch_pipeline_requests_create(request: Request, path: AtPipeline, caller: SignedIn) -> Response:
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


@router.get(_BATCH, operation_id="batch_pipeline_requests_list", response_model=list[BatchModelRequestListResponse])
async def batch_pipeline_requests_list(
    path: AtPipeline, caller: SignedIn, tx: Tx, query: Annotated[RequestListQuery, Query()]
) -> Response:
    """In order of creation, newest first unless asked otherwise."""
    page = (query.offset, query.limit)
    found = await requests.list_requests(tx, caller, path, to_filter(query), page, newest_first=query.sort == "desc")
    return json_response([to_list_response(item) for item in found])


@router.get(_ONE, operation_id="batch_pipeline_request_get", response_model=BatchPipelineRequestResultList)
async def batch_pipeline_request_get(
    request: Request, path: AtPipeline, pipeline_request_id: str, caller: SignedIn, tx: Tx
) -> Response:
    """One request, with what each object has made of it once all have ended."""
    pipeline, (found,) = await requests.get_requests(tx, caller, path, [to_request_id(pipeline_request_id)])
    return results_response(to_pipeline_result_list(pipeline, found), request.state.engine.files)


@router.delete(_ONE, operation_id="batch_pipeline_request_delete", status_code=204)
async def batch_pipeline_request_delete(path: AtPipeline, pipeline_request_id: str, caller: SignedIn, tx: Tx) -> None:
    """Forget a request; all its model requests that wait or run are cancelled."""
    await requests.delete_requests(tx, caller, path, [to_request_id(pipeline_request_id)])


@router.post(
    PIPELINE + "/request-batch-collect",
    operation_id="batch_pipeline_requests_batch_collect",
    response_model=list[BatchPipelineRequestResultList],
    openapi_extra=_IDS,
)
async def batch_pipeline_requests_batch_collect(request: Request, path: AtPipeline, caller: SignedIn) -> Response:
    """Several requests, all or none."""
    db: Database = request.state.db
    ids = to_ids(await request.body())
    async with db.begin() as tx:
        pipeline, found = await requests.get_requests(tx, caller, path, ids)
    made = [to_pipeline_result_list(pipeline, item) for item in found]
    return results_response(made, request.state.engine.files)


@router.post(
    PIPELINE + "/request-batch-delete",
    operation_id="batch_pipeline_requests_batch_delete",
    status_code=201,
    openapi_extra=_IDS,
)
async def batch_pipeline_requests_batch_delete(request: Request, path: AtPipeline, caller: SignedIn) -> dict[str, Any]:
    """Forget several requests, all or none."""
    db: Database = request.state.db
    ids = to_ids(await request.body())
    async with db.begin() as tx:
        await requests.delete_requests(tx, caller, path, ids)
    return {}


def _seconds_of(request: Request, name: str, allowed: range, default: int) -> int:
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and int(given[:9]) in allowed):
        raise QuadratError(
            ErrorKind.INVALID, f"The {name} must be from {allowed.start} to {allowed.stop - 1} seconds.", field=name
        )
    return int(given[:9])
