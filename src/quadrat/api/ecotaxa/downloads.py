"""Stored bytes as an answer: whole or in part, and not again when the client has them."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from quadrat.storage.blobs import BlobStore
from quadrat.storage.ranges import UnsatisfiableError, parse_range
from quadrat.storage.types import ByteRange


async def send_blob(
    request: Request, key: str, media_type: str, *, file_name: str | None = None, cache: str = "private"
) -> Response:
    """Bytes of the store.

    Args:
        request: Ranges and conditions are obeyed.
        key: Where the bytes are.
        media_type: Of them.
        file_name: Makes it a download of this name.
        cache: For how long clients may keep it.

    Raises:
        QuadratError: not_found.
    """
    blobs: BlobStore = request.state.blobs
    facts = await blobs.head(key)
    headers = {
        "ETag": facts.etag,
        "Cache-Control": cache,
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if facts.etag in {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    condition = request.headers.get("if-range")
    wanted = request.headers.get("range") if condition in {None, facts.etag} else None
    try:
        part = parse_range(wanted, facts.size_bytes)
    except UnsatisfiableError:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{facts.size_bytes}"})
    if file_name is not None:
        headers["Content-Disposition"] = _attachment(file_name)
    whole = part or ByteRange(0, facts.size_bytes)
    headers["Content-Length"] = str(whole.stop - whole.start)
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{facts.size_bytes}"
    if facts.size_bytes == 0:
        return Response(headers=headers, media_type=media_type)
    reader = await blobs.open(key, part)
    status = 200 if part is None else 206
    return StreamingResponse(reader.chunks, status_code=status, headers=headers, media_type=media_type)


def _attachment(file_name: str) -> str:
    """One client's program finds the name by the quotes around it."""
    plain = file_name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_").replace("?", "_")
    disposition = f'attachment; filename="{plain}"'
    return disposition if plain == file_name else f"{disposition}; filename*=UTF-8''{quote(file_name, safe='')}"
