"""Around every request: an id, a limit on the body, one log line without the query, a count for Prometheus."""

import re
import time
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quadrat.api.tally import TALLY
from quadrat.base import origin
from quadrat.base.ids import new_uuid

_log = structlog.get_logger("quadrat.access")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMiddleware:
    """The outermost layer.

    Args:
        app: What answers.
        max_body_bytes: Limit for bodies; uploads of files have limits of their own.
        unlimited: Matches paths whose routes limit their bodies themselves.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, unlimited: re.Pattern[str]) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._unlimited = unlimited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        if self._unlimited.fullmatch(scope["path"]) is None:
            exchange.max_body_bytes = self._max_body_bytes
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id, api=exchange.api)
        client = scope.get("client")
        origin.begin(origin.Origin(exchange.api, client[0] if client else None, exchange.request_id))
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:  # noqa: BLE001 - the outermost handler of all
            # Each API has answered and logged its own faults by now; what comes here unanswered is ours alone.
            if not exchange.answered:
                _log.exception("request.failed", path=scope["path"])
                await _internal_error(exchange.request_id)(scope, exchange.receive, exchange.send)
        finally:
            exchange.finish()
            structlog.contextvars.unbind_contextvars("request_id", "api")


class _Exchange:
    """What is measured of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = _given_id(scope) or new_uuid().hex
        self.api = api_of(scope["path"])
        self.max_body_bytes: int | None = None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._status = 0
        self._received_bytes = 0
        self._began = time.perf_counter()
        scope["quadrat.request_id"] = self.request_id

    @property
    def answered(self) -> bool:
        return self._status != 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and self.max_body_bytes is not None:
            self._received_bytes += len(message.get("body", b""))
            if self._received_bytes > self.max_body_bytes:
                # Raised where a route reads its body, so the API's own error body is sent.
                raise HTTPException(413, f"A request body may have at most {self.max_body_bytes} bytes.")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message.setdefault("headers", [])
            message["headers"] = [*message["headers"], (b"x-request-id", self.request_id.encode())]
        await self._send(message)

    def finish(self) -> None:
        seconds = time.perf_counter() - self._began
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        TALLY.count(self.api, method, self._status, seconds)
        # Pages and programs read hundreds of pictures at a time, which would bury everything else.
        is_picture = self.api == "files" and method == "GET" and self._status < HTTPStatus.BAD_REQUEST
        # Never the query: one API's client carries its token there.
        (_log.debug if is_picture else _log.info)(
            "request.finished",
            method=method,
            path=self._scope["path"],
            status=self._status,
            duration_ms=round(seconds * 1000, 1),
        )


def _internal_error(request_id: str) -> Response:
    return JSONResponse({"error": f"Something went wrong inside the server (request {request_id})."}, 500)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return bytes(value).decode()
    return None


def api_of(path: str) -> str:
    """Which door a path leads through, as a label."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return {"v2.1": "ubiops", "v1": "lightly", "api": "ecotaxa", "v2": "pupilcloud", "files": "files"}.get(
        first, "other"
    )
