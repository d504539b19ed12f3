"""Users' files, the folder that all share, and imports from both."""

from fastapi import Request
from starlette.convertors import PathConvertor, register_url_convertor

from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.convert import files as convert
from quadrat.api.ecotaxa.numbers import Number
from quadrat.api.ecotaxa.schemas.files import DirectoryModel, ImportReq, ImportRsp, SimpleImportReq, SimpleImportRsp
from quadrat.api.ecotaxa.uploads import UPLOAD, receive_upload
from quadrat.api.guard import new_router
from quadrat.api.state import Limits
from quadrat.api.wire import Tx
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.actions import files, imports
from quadrat.storage.blobs import BlobStore


class _Rest(PathConvertor):
    """The rest of a path, of at least one character."""

    regex = ".+"


register_url_convertor("rest", _Rest())
router = new_router("Files")


@router.post("/my_files/", operation_id="post_user_file", openapi_extra=UPLOAD)
async def post_user_file(request: Request, caller: SignedIn) -> str:
    """Send a file to import from. Answers its path on the server."""
    return await _receive(request, caller)


@router.post("/user_files/", operation_id="post_user_files", openapi_extra=UPLOAD)
async def post_user_files(request: Request, caller: SignedIn) -> str:
    """The same under its later name."""
    return await _receive(request, caller)


@router.get("/my_files/{sub_path:rest}", operation_id="list_user_files")
async def list_user_files(tx: Tx, caller: SignedIn, sub_path: str) -> DirectoryModel:
    """The caller's files."""
    return convert.directory(*await files.list_files(tx, caller, sub_path))


@router.get("/user_files/{sub_path:rest}", operation_id="list_user_files_at")
async def list_user_files_at(tx: Tx, caller: SignedIn, sub_path: str) -> DirectoryModel:
    """The same under its later name."""
    return convert.directory(*await files.list_files(tx, caller, sub_path))


@router.delete("/user_files/{sub_path:rest}", operation_id="delete_user_files_at")
async def delete_user_files_at(tx: Tx, caller: SignedIn, sub_path: str) -> int:
    """Remove a file or folder of the caller's. Answers how many files that were."""
    return await files.delete_files(tx, caller, sub_path)


@router.get("/common_files/", operation_id="list_common_files")
async def list_common_files(request: Request, _caller: SignedIn, path: str) -> DirectoryModel:
    """The folder that all share."""
    return convert.directory(path, await files.list_common(_limits(request).common_dir, path))


@router.post("/file_import/{project_id}", operation_id="import_file", tags=["projects"])
async def import_file(request: Request, tx: Tx, caller: SignedIn, project_id: Number, body: ImportReq) -> ImportRsp:
    """Import an archive. Answers the job that does it."""
    source = imports.Source(body.source_path, _limits(request).common_dir)
    job_id = await imports.request_import(tx, caller, ProjectId(project_id), source, convert.import_options(body))
    return ImportRsp(job_id=job_id, errors=[])


@router.post("/simple_import/{project_id}", operation_id="simple_import", tags=["projects"])
async def simple_import(
    request: Request, tx: Tx, caller: SignedIn, project_id: Number, body: SimpleImportReq, *, dry_run: bool
) -> SimpleImportRsp:
    """Import images that share all that is said of them."""
    source = imports.Source(body.source_path, _limits(request).common_dir)
    job_id, errors = await imports.request_simple_import(
        tx, caller, ProjectId(project_id), source, body.values, dry_run=dry_run
    )
    return SimpleImportRsp(job_id=job_id or 0, errors=errors)


async def _receive(request: Request, caller: Caller) -> str:
    """Bytes first, the row second: no transaction is open while they come."""
    blobs: BlobStore = request.state.blobs
    db: Database = request.state.db
    key = files.new_file_key(caller.user_id)
    try:
        upload = await receive_upload(request, blobs, key, _limits(request).max_archive_bytes)
        if upload.file_name is None:
            raise QuadratError(ErrorKind.INVALID, "The multipart part file is missing.", field="file")
        names = (upload.file_name, upload.fields.get("path"), upload.fields.get("tag"))
        async with db.begin() as tx:
            return (await files.note_upload(tx, caller, key, upload.size_bytes, names=names)).shown
    except BaseException:
        await blobs.delete(key)
        raise


def _limits(request: Request) -> Limits:
    limits: Limits = request.state.limits
    return limits
