"""Blobs of a project."""

from typing import Annotated, Any

from fastapi import Header, Query, Request
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.state import Limits
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.blobs import to_blob_id, to_blob_list, to_range, to_start, to_ttl
from quadrat.api.ubiops.files import MULTIPART_FILE, base_name, blocks_of, download, received_file
from quadrat.api.ubiops.schemas.blobs import BlobList
from quadrat.api.wire import Tx
from quadrat.db.engine import Database
from quadrat.serving.actions import blobs
from quadrat.serving.files import Files
from quadrat.serving.rules.blobs import blob_key

router = new_router("Blobs")

_BLOBS = "/projects/{project_name}/blobs"
_ONE = _BLOBS + "/{blob_id}"
_BYTES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


@router.get(_BLOBS, operation_id="blobs_list")
async def blobs_list(
    project_name: str,
    caller: SignedIn,
    tx: Tx,
    range_: Annotated[str | None, Query(alias="range")] = None,
    creation_date: str | None = None,
) -> list[BlobList]:
    """From a moment towards the present (positive range) or the past (negative, the default -50), in that order."""
    number, start_at = to_range(range_), to_start(creation_date)
    found = await blobs.list_blobs(tx, caller, project_name, number=number, start_at=start_at)
    return [to_blob_list(blob) for blob in found]


@router.post(_BLOBS, operation_id="blobs_create", status_code=201, openapi_extra=MULTIPART_FILE)
async def blobs_create(
    request: Request,
    project_name: str,
    caller: SignedIn,
    blob_ttl: Annotated[str | None, Header(alias="blob-ttl")] = None,
) -> BlobList:
    """Keep a file for requests, for as many seconds as the header ``blob-ttl`` says."""
    db: Database = request.state.db
    files: Files = request.state.engine.files
    limits: Limits = request.state.limits
    async with db.begin() as tx:
        project = await blobs.allow_upload(tx, caller, project_name)
    ttl_s, most = to_ttl(blob_ttl), limits.max_upload_bytes
    async with received_file(request, most) as upload:
        name = base_name(upload, "file")
        made = await files.add_blob(project.id, name, blocks_of(upload), ttl_s=ttl_s, max_bytes=most)
    return to_blob_list(made)


@router.get(_ONE, operation_id="blobs_get", response_class=Response, responses=_BYTES)
async def blobs_get(request: Request, project_name: str, blob_id: str, caller: SignedIn) -> Response:
    """The bytes, under the name with which they came."""
    db: Database = request.state.db
    async with db.begin() as tx:
        blob = await blobs.get_blob(tx, caller, project_name, to_blob_id(blob_id))
    return download(await request.state.blobs.open(blob_key(blob.id)), blob.file_name)


@router.delete(_ONE, operation_id="blobs_delete", status_code=204)
async def blobs_delete(project_name: str, blob_id: str, caller: SignedIn, tx: Tx) -> None:
    """Gone at once, before its time."""
    await blobs.delete_blob(tx, caller, project_name, to_blob_id(blob_id))
