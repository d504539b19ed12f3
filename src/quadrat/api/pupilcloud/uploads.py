"""Uploads: the multipart body of an import, and the headers of the Tus protocol."""

import base64
import binascii
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from quadrat.api.limited import limit_body
from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.blobs import BlobStore

TUS_VERSION = "1.0.0"
TUS_HEADERS = {"Tus-Resumable": TUS_VERSION, "Cache-Control": "no-store"}
_FILES = ("gaze", "fixations", "events", "sections", "info", "archive")
_FIELDS = ("name", "start_time_ns", "duration_ns", "recording_id", "wearer_name")
_BLOCK_BYTES = 1024 * 1024
_MAX_NS = 2**62
_TRUE = {"true": True, "1": True, "false": False, "0": False, "": False}

IMPORT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        **{name: {"type": "string", "format": "binary"} for name in _FILES},
                        **{name: {"type": "string"} for name in _FIELDS},
                        "replace": {"type": "boolean"},
                    },
                }
            }
        },
    }
}
"""Documents a body that `receive_import` reads."""


@dataclass(frozen=True, slots=True)
class ReceivedImport:
    """What an import's body held; its files are stored.

    Args:
        files: Names as the client sent them, by part.
        given: The other fields, as text.
    """

    files: Mapping[str, str]
    given: Mapping[str, str]
    replace: bool


async def receive_import(request: Request, blobs: BlobStore, folder: str, max_bytes: int) -> ReceivedImport:
    """Read a multipart body and store its files below `folder`, each under the name of its part.

    Raises:
        QuadratError: too_large, invalid.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise QuadratError(ErrorKind.INVALID, "Send the files as multipart/form-data.")
    async with limit_body(request, max_bytes).form(max_files=len(_FILES), max_fields=100) as form:
        files = {name: part for name in _FILES if isinstance(part := form.get(name), UploadFile)}
        if "archive" in files and len(files) > 1:
            raise QuadratError(ErrorKind.INVALID, "Send an archive, or single files, but not both.", field="archive")
        if not {"archive", "gaze", "fixations"} & set(files):
            raise QuadratError(ErrorKind.INVALID, "Send gaze, fixations or an archive.", field="gaze")
        given = {name: text for name in _FIELDS if isinstance(text := form.get(name), str) and text.strip()}
        replace = form.get("replace", "")
        received = ReceivedImport(
            files={name: _name_of(part, name) for name, part in files.items()},
            given=_checked(given),
            replace=_flag(replace if isinstance(replace, str) else ""),
        )
        for name, part in files.items():
            await blobs.put(f"{folder}/{name}", _blocks(part))
    return received


def asks_to_replace(request: Request) -> bool:
    """Whether the query asks to overwrite, which has to be known before the body."""
    return _flag(request.query_params.get("replace", ""))


def _flag(text: str) -> bool:
    found = _TRUE.get(text.strip().lower())
    if found is None:
        raise QuadratError(ErrorKind.INVALID, "replace is true or false.", field="replace")
    return found


def _name_of(part: UploadFile, fallback: str) -> str:
    name = (part.filename or "").replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in name if character.isprintable())[-255:] or fallback


def _checked(given: dict[str, str]) -> dict[str, str]:
    for name in ("start_time_ns", "duration_ns"):
        text = given.get(name)
        if text is not None and not (text.strip().isascii() and text.strip().isdigit() and int(text[:30]) < _MAX_NS):
            raise QuadratError(ErrorKind.INVALID, f"{name} is a whole number of nanoseconds.", field=name)
    if "recording_id" in given:
        try:
            UUID(given["recording_id"].strip())
        except ValueError:
            raise QuadratError(ErrorKind.INVALID, "recording_id is no UUID.", field="recording_id") from None
    for name in ("name", "wearer_name"):
        if len(given.get(name, "")) > 500 or "\0" in given.get(name, ""):
            raise QuadratError(ErrorKind.INVALID, f"{name} has at most 500 characters.", field=name)
    return {name: text.strip() for name, text in given.items()}


async def _blocks(part: UploadFile) -> AsyncIterator[bytes]:
    await part.seek(0)
    while block := await part.read(_BLOCK_BYTES):
        yield block


# Tus.


def require_tus(request: Request) -> None:
    """Refuse another version of the protocol.

    Raises:
        QuadratError: invalid.
    """
    version = request.headers.get("tus-resumable")
    if version is not None and version != TUS_VERSION:
        raise QuadratError(ErrorKind.INVALID, f"This server speaks Tus {TUS_VERSION}.", field="Tus-Resumable")


def number_of(request: Request, header: str) -> int:
    """A header that is a whole number.

    Raises:
        QuadratError: invalid.
    """
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise QuadratError(ErrorKind.INVALID, f"The header {header} has to be a whole number.", field=header)
    return int(text)


def upload_name(request: Request) -> str:
    """The file's name in ``Upload-Metadata``.

    Raises:
        QuadratError: invalid.
    """
    for pair in request.headers.get("upload-metadata", "").split(","):
        key, _, value = pair.strip().partition(" ")
        if key in {"name", "filename"}:
            try:
                return base64.b64decode(value, validate=True).decode()[:500].strip() or "file"
            except (binascii.Error, ValueError):
                raise QuadratError(
                    ErrorKind.INVALID, f"Upload-Metadata: the value of {key} is not base64.", field="Upload-Metadata"
                ) from None
    return "file"


async def pieces_of(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes, as far as it comes: whoever is cut off goes on from there."""
    with contextlib.suppress(ClientDisconnect):
        async for piece in limit_body(request, max_bytes).stream():
            if piece:
                yield piece


def expires(life: timedelta) -> dict[str, str]:
    """Says until when an upload is kept that nobody goes on with or uses."""
    return {"Upload-Expires": format_datetime(now() + life, usegmt=True)}


def no_content(offset_bytes: int, headers: Mapping[str, str]) -> Response:
    """The answer to a part that has arrived."""
    return Response(status_code=204, headers={**TUS_HEADERS, "Upload-Offset": str(offset_bytes), **headers})
