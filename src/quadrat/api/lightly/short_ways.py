"""What is asked for every single image, before the framework looks for a route, which costs more than the answer."""

import re
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from quadrat.api.lightly.auth import identify
from quadrat.api.lightly.errors import render
from quadrat.api.lightly.routes.creation import create_sample_by_dataset_id
from quadrat.api.lightly.routes.samples import address_maker
from quadrat.api.lightly.schemas.scalars import FALSE, TRUE
from quadrat.api.wire import internal_fault, json_response
from quadrat.errors import QuadratError
from quadrat.samples.actions.images import write_address
from quadrat.samples.types import DatasetId, Rendition, SampleId

_log = structlog.get_logger(__name__)
_SAMPLES = re.compile(r"/v1/datasets/(?P<datasetId>[a-f0-9]{24})/samples(/(?P<sampleId>[a-f0-9]{24})/writeurl)?")
_KNOWN = {"token", "isThumbnail"}
Answer = Callable[[Request], Awaitable[Response]]


class ShortWays:
    """Answers what looks as clients send it; all else goes to the framework, whose routes say the same.

    Args:
        app: The framework.
        max_body_bytes: Limit for bodies; of a longer one, or one of unknown length, the framework knows what to say.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        match = _SAMPLES.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is not None:
            request = Request(scope, receive)
            answer = self._find(request, creates=match["sampleId"] is None)
            if answer is not None:
                scope["path_params"] = match.groupdict()
                await (await _answered(request, answer))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _find(self, request: Request, *, creates: bool) -> Answer | None:
        headers = request.headers
        if "cookie" in headers:  # a page's, which may be its credential
            return None
        if creates:
            length = headers.get("content-length", "")
            fits = length.isascii() and length.isdigit() and int(length) <= self._max_body_bytes
            return create_sample_by_dataset_id if fits and request.method == "POST" else None
        return write_url if request.method == "GET" and _is_plain(request) else None


def _is_plain(request: Request) -> bool:
    query = request.query_params
    return (
        _KNOWN.issuperset(query)
        and len(query) == len(query.multi_items())
        and query.get("isThumbnail", "None") in {*TRUE, *FALSE, "None"}
    )


async def write_url(request: Request) -> Response:
    """A signed address to PUT the image or its thumbnail to."""
    caller = await identify(request)
    sample = DatasetId(request.path_params["datasetId"]), SampleId(request.path_params["sampleId"])
    rendition = Rendition.THUMBNAIL if request.query_params.get("isThumbnail") in TRUE else Rendition.FULL
    state = request.state
    await state.door.check(caller, sample[0], "samples.update")
    address = await write_address(state.db, state.image_places, sample, rendition, await address_maker(request))
    return json_response(address)


async def _answered(request: Request, answer: Answer) -> Response:
    try:
        return await answer(request)
    except QuadratError as error:
        return render(error, request)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is left to read this
    except Exception:  # noqa: BLE001 - the outermost handler of these operations
        _log.exception("request.failed", path=request.url.path)
        response = render(internal_fault(request), request)
        response.status_code = 500
        return response
