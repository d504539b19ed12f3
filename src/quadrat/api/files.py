"""The signed addresses of the disk store: ``/files/<key>?method=...&expires=...&signature=...``."""

import asyncio
from collections.abc import AsyncIterator
from email.utils import format_datetime
from functools import partial
from urllib.parse import quote

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from quadrat.api.state import BlobGuard, Limits
from quadrat.api.wire import error_response, internal_fault
from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.blobs import BlobStore
from quadrat.storage.ranges import UnsatisfiableError, parse_range
from quadrat.storage.signing import PATH_PREFIX, Permit
from quadrat.storage.sniff import SNIFFED_BYTES, UNKNOWN, image_type
from quadrat.storage.types import BlobFacts, BlobReader, ByteRange, ByteSource, SignedMethod

_log = structlog.get_logger(__name__)
IDLE_TIMEOUT_S = 60.0
_METHODS = frozenset({"GET", "HEAD", "PUT"})
_CONDITIONS = {"range", "if-none-match"}
_STATUS = {
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.UNAVAILABLE: 503,
}


class SignedFiles:
    """Answers signed addresses before the framework looks for a route, which costs more than a small file's answer.

    Args:
        app: What answers everything else, and methods that no address is signed for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["path"].startswith(PATH_PREFIX) and scope["method"] in _METHODS:
            response = await serve_file(Request(scope, receive), scope["path"].removeprefix(PATH_PREFIX))
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def serve_file(request: Request, key: str) -> Response:
    """GET and HEAD read, PUT writes; each only with an address that was signed for it."""
    try:
        return await _serve(request, key)
    except QuadratError as error:
        return error_response(_STATUS.get(error.kind, 400), {"error": error.message}, error)
    except ClientDisconnect:
        # Nobody is left to read this; what had been stored before is still there.
        return Response(status_code=400)
    except Exception:  # noqa: BLE001 - the outermost handler of these routes
        _log.exception("request.failed", path=request.url.path)
        return JSONResponse({"error": internal_fault(request).message}, 500)


async def _route(request: Request) -> Response:
    return await serve_file(request, request.path_params["key"])


async def _serve(request: Request, key: str) -> Response:
    blobs: BlobStore = request.state.blobs
    pairs = request.query_params.multi_items()
    permit = blobs.permit(key, dict(pairs) if len(pairs) == len(dict(pairs)) else {})
    wanted = SignedMethod.PUT if request.method == "PUT" else SignedMethod.GET
    if permit.method is not wanted:
        raise QuadratError(ErrorKind.FORBIDDEN, f"This address was signed for {permit.method}.")
    guard: BlobGuard = request.state.blob_guard
    if wanted is SignedMethod.PUT:
        return await _write(request, blobs, permit)
    elsewhere = await guard.admit(permit.key)
    is_plain = request.method == "GET" and _CONDITIONS.isdisjoint(request.headers.keys())
    if is_plain and elsewhere is None and (found := await blobs.read_quickly(permit.key)) is not None:
        facts, content = found
        return Response(content, headers=headers_of_all(facts, content, permit))
    source = elsewhere or _in_store(blobs, permit.key)
    return await (_read_whole(source, permit) if is_plain else _read(request, source, permit))


def _in_store(blobs: BlobStore, key: str) -> ByteSource:
    return ByteSource(partial(blobs.head, key), partial(blobs.open, key))


async def _write(request: Request, blobs: BlobStore, permit: Permit) -> Response:
    limits: Limits = request.state.limits
    guard: BlobGuard = request.state.blob_guard
    declared = request.headers.get("content-length", "")
    size_bytes = int(declared) if declared.isdigit() else None
    if size_bytes is not None and size_bytes > limits.max_upload_bytes:
        raise QuadratError(ErrorKind.TOO_LARGE, f"The file is larger than {limits.max_upload_bytes} bytes.")
    await guard.expect(permit.key, size_bytes)
    try:
        received = await blobs.receive(permit.key, _body(request), max_bytes=limits.max_upload_bytes)
    except TimeoutError:
        return JSONResponse(
            {"error": f"No bytes came for {IDLE_TIMEOUT_S:g} seconds."}, 408, headers={"Connection": "close"}
        )
    await guard.stored(permit.key, received)
    return Response(headers={"ETag": received.facts.etag})


async def _body(request: Request) -> AsyncIterator[bytes]:
    pieces = request.stream().__aiter__()
    while True:
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece


async def _read(request: Request, source: ByteSource, permit: Permit) -> Response:
    facts = await source.head()
    if facts.etag in _etags(request.headers.get("if-none-match")):
        return Response(status_code=304, headers=_validators(facts))
    try:
        content_range = parse_range(_range_header(request, facts), facts.size_bytes)
    except UnsatisfiableError:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{facts.size_bytes}"})
    headers = {**_validators(facts), **_content(await _beginning(source, facts), permit)}
    part = content_range or ByteRange(0, facts.size_bytes)
    headers["Content-Length"] = str(part.stop - part.start)
    if content_range is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{facts.size_bytes}"
    status = 206 if content_range is not None else 200
    if request.method == "HEAD" or facts.size_bytes == 0:
        return Response(status_code=status, headers=headers)
    reader = await source.open(content_range)
    if reader.facts.etag != facts.etag:
        # Replaced between the two looks: begin again with what is there now.
        return await _read(request, source, permit)
    return _stream(reader, status, headers)


async def _read_whole(source: ByteSource, permit: Permit) -> Response:
    """All of a file, opened once: what most requests ask for."""
    reader = await source.open(None)
    first = await anext(reader.chunks, b"")
    headers = headers_of_all(reader.facts, first, permit)
    if len(first) == reader.facts.size_bytes:
        return Response(bytes(first), headers=headers)

    async def pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in reader.chunks:
            yield piece

    return StreamingResponse(pieces(), headers=headers)


def headers_of_all(facts: BlobFacts, beginning: bytes | bytearray | memoryview, permit: Permit) -> dict[str, str]:
    """What is said of a file that is sent as a whole."""
    return {
        **_validators(facts),
        **_content(bytes(beginning[:SNIFFED_BYTES]), permit),
        "Content-Length": str(facts.size_bytes),
    }


def _stream(reader: BlobReader, status: int, headers: dict[str, str]) -> Response:
    return StreamingResponse(reader.chunks, status_code=status, headers=headers)


def _range_header(request: Request, facts: BlobFacts) -> str | None:
    condition = request.headers.get("if-range")
    if condition is not None and condition != facts.etag:
        return None
    return request.headers.get("range")


def _etags(header: str | None) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in (header or "").split(",")}


def _validators(facts: BlobFacts) -> dict[str, str]:
    return {
        "ETag": facts.etag,
        "Last-Modified": format_datetime(facts.modified_at, usegmt=True),
        "Cache-Control": "private",
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Access-Control-Allow-Origin": "*",
    }


async def _beginning(source: ByteSource, facts: BlobFacts) -> bytes:
    if not facts.size_bytes:
        return b""
    reader = await source.open(ByteRange(0, min(SNIFFED_BYTES, facts.size_bytes)))
    return b"".join([chunk async for chunk in reader.chunks])


def _content(beginning: bytes, permit: Permit) -> dict[str, str]:
    """Pictures are shown, everything else is a download: nothing that a browser would run leaves this origin."""
    media_type = image_type(beginning[:SNIFFED_BYTES]) if beginning else None
    kind = "inline" if media_type else "attachment"
    disposition = kind if permit.filename is None else f"{kind}; {named(permit.filename)}"
    return {"Content-Type": media_type or UNKNOWN, "Content-Disposition": disposition}


def named(filename: str) -> str:
    """The part of Content-Disposition that names a file, for old and new readers of it."""
    plain = filename.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    plain = "".join(character if character.isprintable() else "_" for character in plain)
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


ROUTES = (Route(PATH_PREFIX + "{key:path}", _route, methods=sorted(_METHODS)),)
