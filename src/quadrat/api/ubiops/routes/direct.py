"""The direct request as the framework sees it; `quadrat.api.ubiops.direct` is the short way to the same."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from quadrat.api.hangups import HUNG_UP, HungUpError, unless_hung_up
from quadrat.api.ubiops.direct import DEFAULT_TIMEOUT_S, TIMEOUTS_S, answer
from quadrat.api.ubiops.paths import VERSION
from quadrat.api.ubiops.schemas.requests import ModelRequestList
from quadrat.serving.actions.access import VersionPath

_TEXT = {"type": "string"}
_DOCUMENT: dict[str, Any] = {
    "security": [{"api_key": []}],
    "parameters": [
        *(
            {"name": name, "in": "path", "required": True, "schema": _TEXT}
            for name in ("project_name", "model_name", "version")
        ),
        {
            "name": "timeout",
            "in": "query",
            "required": False,
            "description": "Seconds for everything, a cold start included",
            "schema": {
                "type": "integer",
                "minimum": TIMEOUTS_S.start,
                "maximum": TIMEOUTS_S.stop - 1,
                "default": DEFAULT_TIMEOUT_S,
            },
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"description": "An object with the model's input fields, or a text for a plain model"}
            },
            "text/plain": {"schema": _TEXT},
        },
    },
}


class BareRoute(APIRoute):
    """Hands the request to its endpoint as it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        return self.endpoint


router = APIRouter(tags=["Model requests"], route_class=BareRoute)


@router.post(
    VERSION + "/request",
    operation_id="model_requests_create",
    response_model=ModelRequestList,
    openapi_extra=_DOCUMENT,
)
async def model_requests_create(request: Request) -> Response:
    """Run a request now; a model that fails answers 200 with ``success`` false."""
    named = request.path_params
    path = VersionPath(named["project_name"], named["model_name"], named["version"])
    headers = dict(request.scope["headers"])
    content = await request.body()
    try:
        async with unless_hung_up(request.receive):
            body, _ = await answer(request.scope["state"], path, headers, request.scope["query_string"], content)
    except HungUpError:
        return Response(status_code=HUNG_UP)
    return Response(body, media_type="application/json")
