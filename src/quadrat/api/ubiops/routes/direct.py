"""The direct request: the one operation whose speed people measure, so it does without the framework's parsing.

Routing a request through FastAPI's dependencies costs more than all the rest of its way to the model and back.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from quadrat.api.ubiops.auth import secret_of
from quadrat.api.ubiops.convert.requests import to_data, to_model_request_list
from quadrat.api.ubiops.paths import VERSION
from quadrat.api.ubiops.schemas.requests import ModelRequestList
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.authenticator import Authenticator
from quadrat.serving.actions.access import VersionPath
from quadrat.serving.engine import ServingEngine

_DEFAULT_TIMEOUT_S = 300
_TIMEOUTS_S = range(10, 3600 + 1)

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
                "minimum": _TIMEOUTS_S.start,
                "maximum": _TIMEOUTS_S.stop - 1,
                "default": _DEFAULT_TIMEOUT_S,
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


class _BareRoute(APIRoute):
    """Hands the request to its endpoint as it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        return self.endpoint


router = APIRouter(tags=["Model requests"], route_class=_BareRoute)


@router.post(
    VERSION + "/request",
    operation_id="model_requests_create",
    response_model=ModelRequestList,
    openapi_extra=_DOCUMENT,
)
async def model_requests_create(request: Request) -> Response:
    """Run a request now; a model that fails answers 200 with ``success`` false."""
    authenticator: Authenticator = request.state.authenticator
    engine: ServingEngine = request.state.engine
    header = request.headers.get
    caller = await authenticator.caller(secret_of(header("authorization")))
    named = request.path_params
    path = VersionPath(named["project_name"], named["model_name"], named["version"])
    deployment = await engine.open(caller, await authenticator.access(caller, path.project), path)
    timeout_s = _timeout_s(request)
    data = to_data(await request.body(), header("content-type", ""))
    return Response(
        to_model_request_list(*await engine.run(deployment, data, timeout_s)), media_type="application/json"
    )


def _timeout_s(request: Request) -> int:
    given = request.query_params.get("timeout")
    if given is None:
        return _DEFAULT_TIMEOUT_S
    if not (given.isascii() and given.isdigit() and int(given[:9]) in _TIMEOUTS_S):
        raise QuadratError(
            ErrorKind.INVALID,
            f"The timeout must be from {_TIMEOUTS_S.start} to {_TIMEOUTS_S.stop - 1} seconds.",
            field="timeout",
        )
    return int(given[:9])
