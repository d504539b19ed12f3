"""Files on their way in and out: one part of a multipart body, and a download under its name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from quadrat.api.limited import limit_body
from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.types import BlobReader

_PART = "file"
_BLOCK_BYTES = 1024 * 1024
_MAX_NAME = 255

MULTIPART_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [_PART],
                    "properties": {_PART: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
"""Documents a body that `received_file` reads."""


@asynccontextmanager
async def received_file(request: Request, max_bytes: int) -> AsyncIterator[UploadFile]:
    """The part ``file`` of a multipart body, spooled to disk while the block runs.

    Raises:
        QuadratError: too_large; invalid when there is no such part, or no bytes come for a minute.
    """
    limited = limit_body(request, max_bytes)
    async with limited.form(max_files=1, max_fields=100) as form:
        found = form.get(_PART)
        if not isinstance(found, UploadFile):
            raise QuadratError(ErrorKind.INVALID, f"The multipart part {_PART} is missing.", field=_PART)
        yield found


async def blocks_of(upload: UploadFile) -> AsyncIterator[bytes]:
    """The bytes of an upload, from its beginning."""
    await upload.seek(0)
    while block := await upload.read(_BLOCK_BYTES):
        yield block


def base_name(upload: UploadFile, fallback: str) -> str:
    """The name under which a file was sent, without folders and without what a header cannot hold."""
    name = (upload.filename or "").replace("\\", "/").rpartition("/")[2]
    cleaned = "".join(character if character.isprintable() else "_" for character in name)
    return cleaned[-_MAX_NAME:] or fallback


def download(reader: BlobReader, file_name: str) -> Response:
    """Bytes as a file; one client's program finds the name by the quotes around it."""
    plain = file_name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_").replace("?", "_")
    disposition = f'attachment; filename="{plain}"'
    if plain != file_name:
        disposition += f"; filename*=UTF-8''{quote(file_name, safe='')}"
    return StreamingResponse(
        reader.chunks,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": disposition,
            "Content-Length": str(reader.facts.size_bytes),
            "X-Content-Type-Options": "nosniff",
        },
    )
