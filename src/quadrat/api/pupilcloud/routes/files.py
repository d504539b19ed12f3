"""Files: resumable uploads as in Tus 1.0."""

from fastapi import Request
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.paths import IN_WORKSPACE, InWorkspace, to_uuid, workspace_of
from quadrat.api.pupilcloud.schemas.enrichments import FileMade
from quadrat.api.pupilcloud.schemas.envelope import Created, created
from quadrat.api.pupilcloud.uploads import (
    TUS_HEADERS,
    expires,
    no_content,
    number_of,
    pieces_of,
    require_tus,
    upload_name,
)
from quadrat.api.state import Limits
from quadrat.api.wire import Tx, base_url
from quadrat.db.engine import Database
from quadrat.gaze.actions import files

router = new_router("Files")

_ALL = IN_WORKSPACE + "/files/"
_ONE = _ALL + "{file_id}"
_PREFIX = "/v2"
_PART_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(_ALL, operation_id="post_file", status_code=201)
async def post_file(
    request: Request, response: Response, tx: Tx, caller: SignedIn, workspace: InWorkspace
) -> Created[FileMade]:
    """Announce an upload; its bytes go to `upload_url`."""
    limits: Limits = request.state.limits
    require_tus(request)
    new = files.NewFile(upload_name(request), number_of(request, "upload-length"), limits.max_upload_bytes)
    made = await files.create_file(tx, caller, workspace, new)
    address = f"{base_url(request)}{_PREFIX}/workspaces/{workspace.organization.uuid}/files/{made.uuid}"
    told = {**TUS_HEADERS, "Location": address, "Upload-Offset": "0", **expires(limits.unused_upload_life)}
    response.headers.update(told)
    return created(FileMade(id=str(made.uuid), upload_url=address))


@router.head(_ONE, operation_id="head_file")
async def head_file(tx: Tx, caller: SignedIn, workspace: InWorkspace, file_id: str) -> Response:
    """How far an upload is."""
    found = await files.open_file(tx, caller, workspace, to_uuid(file_id, "File"))
    progress = {"Upload-Offset": str(found.offset_bytes), "Upload-Length": str(found.size_bytes)}
    return Response(headers={**TUS_HEADERS, **progress})


@router.patch(_ONE, operation_id="patch_file", status_code=204, openapi_extra=_PART_BODY)
async def patch_file(request: Request, caller: SignedIn, workspace_id: str, file_id: str) -> Response:
    """The next bytes of an upload; what has come stays when the rest does not."""
    limits: Limits = request.state.limits
    db: Database = request.state.db
    async with db.begin() as tx:
        workspace = await workspace_of(tx, caller, workspace_id)
        file = await files.resume_file(tx, caller, workspace, to_uuid(file_id, "File"))
    require_tus(request)
    offset = number_of(request, "upload-offset")
    pieces = pieces_of(request, limits.max_upload_bytes)
    bytes_ = files.FileBytes(request.state.blobs, request.state.pictures)
    offset = await files.append_to_file(db, bytes_, file, offset, pieces)
    return no_content(offset, expires(limits.unused_upload_life))
