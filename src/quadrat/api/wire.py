"""What the four APIs share below their own wire formats: state, transaction, request id, errors, bulk answers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

import msgspec
import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from quadrat.db.engine import INTEGRITY_ERRORS, Database, is_orphan
from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.full import disk_full, is_disk_full

_log = structlog.get_logger(__name__)
_ROWS_PER_CHUNK = 500
_GONE = QuadratError(ErrorKind.NOT_FOUND, "What this belongs to, or names, has just been deleted.")
_encoder = msgspec.json.Encoder()


async def open_tx(request: Request) -> AsyncIterator[AsyncConnection]:
    """One transaction per request."""
    db: Database = request.state.db
    async with db.begin() as conn:
        yield conn


# The function scope ends before the answer is sent: a commit that fails is an error, not a 200.
Tx = Annotated[AsyncConnection, Depends(open_tx, scope="function")]


def serve_both_slashes(app: FastAPI) -> None:
    """Serve each path with and without a slash at its end, without the redirect that may lose headers."""
    not_found = app.router.default

    async def try_the_other(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] != "http" or scope.get("quadrat.slash_tried"):
            await not_found(scope, receive, send)
            return
        other = path[:-1] if path.endswith("/") else f"{path}/"
        await app.router({**scope, "path": other, "quadrat.slash_tried": True}, receive, send)

    app.router.default = try_the_other


class Renderer(Protocol):
    """Writes an error the way one API's clients read it."""

    def __call__(self, error: QuadratError, request: Request, /) -> Response:
        """Status, headers and body of a refusal."""
        ...


StatusRenderer = Callable[[int, QuadratError], Response]
RequestProblems = Callable[[RequestValidationError, Request], Response]


def install_errors(
    app: FastAPI,
    render: Renderer,
    *,
    on_invalid_request: RequestProblems | None = None,
    render_status: StatusRenderer | None = None,
) -> None:
    """Give every way of failing the body of this API: refusals, bad input, unknown routes, and our own faults.

    Args:
        app: The API.
        render: From `QuadratError` to its answer.
        on_invalid_request: For an API that lists validation problems in a form of its own.
        render_status: For an API whose bodies repeat the status: renders an error under a status that no kind has.
    """

    def with_status(status: int, error: QuadratError, request: Request) -> Response:
        if render_status is not None:
            return render_status(status, error)
        response = render(error, request)
        response.status_code = status
        return response

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, QuadratError)  # noqa: S101 - registered for this class
        return render(error, request)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
        if on_invalid_request is not None:
            return on_invalid_request(error, request)
        return render(invalid_request(error), request)

    async def routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
        if error.status_code == 400:  # a body that the framework cannot read
            return render(_routing_error(error, request), request)
        # Kinds have no 405 of their own: no domain ever refuses a method.
        response = with_status(error.status_code, _routing_error(error, request), request)
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response

    app.add_exception_handler(QuadratError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, routing)
    fault = _fault_handler(render, with_status)

    # Those of the database by name, since what is left to the last is raised once more behind the answer.
    for kind in (*INTEGRITY_ERRORS, Exception):
        app.add_exception_handler(kind, fault)
    app.add_exception_handler(ClientDisconnect, _left)


async def _left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody is left to read this


def _fault_handler(
    render: Renderer, with_status: Callable[[int, QuadratError, Request], Response]
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def fault(request: Request, error: Exception) -> Response:
        if is_orphan(error):
            return render(_GONE, request)
        if is_disk_full(error):  # where a body is spooled, or in the runner's folder
            return render(disk_full(), request)
        _log.error("request.failed", path=request.url.path, exc_info=error)
        return with_status(500, internal_fault(request), request)

    return fault


def internal_fault(request: Request) -> QuadratError:
    """Our own fault as its caller reads it: a number to quote, nothing else."""
    return QuadratError(
        ErrorKind.UNAVAILABLE, f"Something went wrong inside the server (request {request_id(request)})."
    )


def invalid_request(error: RequestValidationError) -> QuadratError:
    """The problems that the framework found in a request, as one refusal."""
    problems = error.errors()
    sentences = [f"{_location(problem)}: {problem['msg']}" for problem in problems[:5]]
    field = str(problems[0]["loc"][-1]) if problems and problems[0]["loc"] else None
    return QuadratError(ErrorKind.INVALID, "; ".join(sentences) or "The request is not valid.", field=field)


def _location(problem: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in problem["loc"]) or "request"


def _routing_error(error: HTTPException, request: Request) -> QuadratError:
    if error.status_code == 405:
        return QuadratError(ErrorKind.INVALID, f"Method {request.method} is not allowed here.")
    if error.status_code == 404:
        return QuadratError(ErrorKind.NOT_FOUND, "There is nothing at this address.")
    if error.status_code == 413:
        return QuadratError(ErrorKind.TOO_LARGE, str(error.detail))
    return QuadratError(ErrorKind.INVALID, str(error.detail))


def request_id(request: Request) -> str:
    """The id that the answer carries in ``X-Request-ID`` and every log line of the request."""
    return str(request.scope.get("quadrat.request_id", ""))


def base_url(request: Request) -> str:
    """Address under which this caller reaches the server, without a trailing slash."""
    public_url: str | None = request.state.public_url
    if public_url:
        return public_url.rstrip("/")
    return f"{request.url.scheme}://{request.url.netloc}"


def json_response(content: Any, status: int = 200) -> Response:
    """An answer encoded by msgspec: for bulk, and where a model would only copy."""
    return Response(_encoder.encode(content), status_code=status, media_type="application/json")


def error_response(status: int, body: Mapping[str, Any], error: QuadratError) -> Response:
    """A JSON error body with the headers that go with it."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(round(error.retry_after_s))
    return JSONResponse(dict(body), status_code=status, headers=headers)


def stream_rows(rows: AsyncIterator[Any]) -> StreamingResponse:
    """A JSON list sent while it is read: memory stays flat however many rows there are.

    Args:
        rows: Values that msgspec can encode; opened inside the stream, since a request's transaction has ended by then.
    """

    async def body() -> AsyncIterator[bytes]:
        yield b"["
        pending: list[bytes] = []
        first = True
        async for row in rows:
            pending.append(_encoder.encode(row))
            if len(pending) == _ROWS_PER_CHUNK:
                yield (b"" if first else b",") + b",".join(pending)
                first = False
                pending.clear()
        if pending:
            yield (b"" if first else b",") + b",".join(pending)
        yield b"]"

    return StreamingResponse(body(), media_type="application/json")


def stream_blocks(blocks: AsyncIterator[Sequence[Any]]) -> StreamingResponse:
    """As `stream_rows`, of rows that come in blocks: one encoding for each block."""

    async def body() -> AsyncIterator[bytes]:
        before = b"["
        async for block in blocks:
            if block:
                yield before + _encoder.encode(block)[1:-1]
                before = b","
        yield b"[]" if before == b"[" else b"]"

    return StreamingResponse(body(), media_type="application/json")


def stream_lines(lines: AsyncIterator[str]) -> StreamingResponse:
    """A plain text sent while it is read, one line for each value."""

    async def body() -> AsyncIterator[bytes]:
        pending: list[str] = []
        async for line in lines:
            pending.append(line)
            if len(pending) == _ROWS_PER_CHUNK:
                yield ("\n".join(pending) + "\n").encode()
                pending.clear()
        yield "\n".join(pending).encode()

    return StreamingResponse(body(), media_type="text/plain; charset=utf-8")


Handler = Callable[[Request], Awaitable[Response]]
