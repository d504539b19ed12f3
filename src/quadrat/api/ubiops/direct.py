"""Direct requests on the shortest way: the one operation whose speed people measure.

Middleware, routing and dependencies of the framework cost more than all the rest of a request's way to the model and
back, so this layer stands before them and answers exactly one address. Everything else passes by. The framework's route
of the same operation documents it and answers the same, for whoever mounts the API alone.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quadrat.api.hangups import HUNG_UP, HangUps, HungUpError
from quadrat.api.tally import TALLY
from quadrat.api.ubiops.auth import secret_of
from quadrat.api.ubiops.convert.requests import to_data, to_model_request_list
from quadrat.api.ubiops.errors import render
from quadrat.api.wire import internal_fault
from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.authenticator import Authenticator
from quadrat.serving.actions.access import VersionPath
from quadrat.serving.engine import ServingEngine
from quadrat.serving.types import Deployment

_log = structlog.get_logger("quadrat.access")
DEFAULT_TIMEOUT_S = 300
TIMEOUTS_S = range(10, 3600 + 1)

PREFIX, SUFFIX = "/v2.1/projects/", "/request"
_SEGMENTS = 9  # "", v2.1, projects, P, models, M, versions, V, request
_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
API = "ubiops"
_DOOR_LIFE_S = 1.0


async def answer(
    state: Mapping[str, Any], path: VersionPath, headers: Mapping[bytes, bytes], query: bytes, body: bytes
) -> tuple[bytes, str]:
    """Run a direct request.

    Args:
        state: What the parent application opened.
        path: The version.
        headers: Lower-case names.
        query: Of the address.
        body: Of the request.

    Returns:
        The body of the answer and the request's id.

    Raises:
        QuadratError: Everything that keeps the request from being run.
    """
    deployment = await open_version(state, path, headers.get(b"authorization"))
    return await run(state["engine"], deployment, headers, query, body)


async def open_version(state: Mapping[str, Any], path: VersionPath, authorization: bytes | None) -> Deployment:
    """The version, when whoever the header names may ask it.

    Raises:
        QuadratError: unauthenticated, forbidden, not_found.
    """
    authenticator: Authenticator = state["authenticator"]
    engine: ServingEngine = state["engine"]
    caller = await authenticator.caller(secret_of(None if authorization is None else authorization.decode("latin-1")))
    return await engine.open(caller, await authenticator.access(caller, path.project), path)


async def run(
    engine: ServingEngine, deployment: Deployment, headers: Mapping[bytes, bytes], query: bytes, body: bytes
) -> tuple[bytes, str]:
    """Run a direct request of somebody who may; see `answer`."""
    timeout_s = timeout_of(query)
    content_type = headers.get(b"content-type", b"")
    data = body if content_type == b"application/json" else to_data(body, content_type.decode("latin-1"))
    request_id, outcome = await engine.run(deployment, data, timeout_s)
    shown = str(request_id)
    return to_model_request_list(shown, outcome), shown


def timeout_of(query: bytes) -> int:
    """Seconds that a direct request may take, from the query of its address.

    Raises:
        QuadratError: invalid.
    """
    if not query:
        return DEFAULT_TIMEOUT_S
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("timeout")
    if given is None:
        return DEFAULT_TIMEOUT_S
    text = given[-1]
    if not (text.isascii() and text.isdigit() and int(text[:9]) in TIMEOUTS_S):
        raise QuadratError(
            ErrorKind.INVALID,
            f"The timeout must be from {TIMEOUTS_S.start} to {TIMEOUTS_S.stop - 1} seconds.",
            field="timeout",
        )
    return int(text[:9])


class Doors:
    """Who may ask which version, as it was found within the last second and as long as nobody says it has changed.

    Both are remembered where they are looked up as well; this saves taking the address and the credential apart.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, bytes], Deployment] = {}
        self._until = 0.0
        self._generations = (0, 0)

    def find(self, state: Mapping[str, Any], where: str, authorization: bytes) -> Deployment | None:
        """The version at an address, if this credential has just been let through."""
        generations = (state["authenticator"].generation, state["engine"].directory.generation)
        now = time.monotonic()
        if now > self._until or generations != self._generations:
            self._found.clear()
            self._until, self._generations = now + _DOOR_LIFE_S, generations
        return self._found.get((where, authorization))

    async def open(self, state: Mapping[str, Any], where: str, authorization: bytes) -> Deployment:
        """Look it up, and remember it if it stays as it is.

        Raises:
            QuadratError: unauthenticated, forbidden, not_found.
        """
        before = self._generations
        parts = where.split("/")
        path = VersionPath(parts[3], parts[5], parts[7])
        found = await open_version(state, path, authorization)
        may_keep = before == self._generations and state["authenticator"].is_trusted
        if may_keep and state["engine"].directory.is_remembered(found):
            self._found[where, authorization] = found
        return found


class DirectRequests:
    """The layer before everything else.

    There is no access log line for an answered request: the request log in the database has a row for each.

    Args:
        app: What answers all other requests.
        max_body_bytes: Limit for bodies.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._hang_ups = HangUps()
        self.doors = Doors()
        """What it remembers; others may use it too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["method"] == "POST":
            where: str = scope["path"]
            if where.endswith(SUFFIX) and where.startswith(PREFIX):
                headers = dict(scope["headers"])
                authorization = headers.get(b"authorization")
                # Whoever has no such header may have another credential, which others know to read.
                if authorization is not None:
                    found = self.doors.find(scope["state"], where, authorization)
                    if found is not None or _is_version(where):
                        await self._answer(found, headers, scope, receive, send)
                        return
        await self._app(scope, receive, send)

    async def _answer(
        self, found: Deployment | None, headers: Mapping[bytes, bytes], scope: Scope, receive: Receive, send: Send
    ) -> None:
        began = time.perf_counter()
        try:
            body = await _read(receive, headers, self._max_body_bytes)
            waiting = self._hang_ups.begin(receive)
            try:
                state = scope["state"]
                if found is None:
                    found = await self.doors.open(state, scope["path"], headers[b"authorization"])
                content, request_id = await run(state["engine"], found, headers, scope["query_string"], body)
            except asyncio.CancelledError:
                if not waiting.has_hung_up:
                    raise
                waiting.task.uncancel()
                raise HungUpError from None
            finally:
                self._hang_ups.end(waiting)
        except HungUpError:
            TALLY.count(API, "POST", HUNG_UP, time.perf_counter() - began)
            return
        except Exception as error:  # noqa: BLE001 - the outermost handler of all
            status = await _refuse(error, headers, scope, receive, send)
        else:
            status = 200
            await send(_start(headers.get(b"x-request-id"), request_id, len(content)))
            await send({"type": "http.response.body", "body": content})
        TALLY.count(API, "POST", status, time.perf_counter() - began)


def _is_version(where: str) -> bool:
    parts = where.split("/")
    return len(parts) == _SEGMENTS and parts[4] == "models" and parts[6] == "versions"


async def _read(receive: Receive, headers: Mapping[bytes, bytes], max_bytes: int) -> bytes:
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False) and len(body) <= max_bytes:
        return body
    return await _read_on(message, receive, max_bytes)


async def _read_on(message: Message, receive: Receive, max_bytes: int) -> bytes:
    pieces, length = [], 0
    while True:
        if message["type"] != "http.request":
            raise HungUpError
        piece = message.get("body", b"")
        pieces.append(piece)
        length += len(piece)
        if length > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            return b"".join(pieces)
        message = await receive()


def _too_large(max_bytes: int) -> QuadratError:
    return QuadratError(ErrorKind.TOO_LARGE, f"A request body may have at most {max_bytes} bytes.")


def _start(given_id: bytes | None, request_id: str, length: int) -> Message:
    shown = given_id if given_id is not None and _GIVEN_ID.fullmatch(given_id) else request_id.encode()
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % length),
            (b"x-request-id", shown),
        ],
    }


async def _refuse(error: Exception, headers: Mapping[bytes, bytes], scope: Scope, receive: Receive, send: Send) -> int:
    """Answer with the API's own error body, and write it to the access log."""
    given = headers.get(b"x-request-id")
    shown = given.decode() if given is not None and _GIVEN_ID.fullmatch(given) else new_uuid().hex
    scope["quadrat.request_id"] = shown
    request = Request(scope, receive)
    if isinstance(error, QuadratError):
        response = render(error, request)
    else:
        _log.error("request.failed", path=scope["path"], request_id=shown, exc_info=error)
        response = render(internal_fault(request), request)
        response.status_code = 500
    response.headers["X-Request-ID"] = shown
    _log.info(
        "request.finished",
        method="POST",
        path=scope["path"],
        status=response.status_code,
        request_id=shown,
        api=API,
    )
    await response(scope, receive, send)
    return response.status_code
