"""Versions of a model, and their packages."""

import asyncio
import zipfile

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.state import Limits
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.versions import to_changes, to_model_version_list, to_settings
from quadrat.api.ubiops.files import MULTIPART_FILE, base_name, blocks_of, download, received_file
from quadrat.api.ubiops.paths import MODEL, VERSION, AtModel, AtVersion
from quadrat.api.ubiops.schemas.versions import ModelVersionCreate, ModelVersionList, ModelVersionUpdate, Success
from quadrat.api.wire import Tx
from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.actions import packages, versions
from quadrat.serving.types import Archive
from quadrat.storage.blobs import BlobStore

router = new_router("Model versions")

_VERSIONS = MODEL + "/versions"


@router.get(_VERSIONS, operation_id="model_versions_list")
async def model_versions_list(path: AtModel, caller: SignedIn, tx: Tx) -> list[ModelVersionList]:
    """By name."""
    model, found = await versions.list_versions(tx, caller, path)
    return [to_model_version_list(model, version) for version in found]


@router.post(_VERSIONS, operation_id="model_versions_create", status_code=201)
async def model_versions_create(path: AtModel, caller: SignedIn, body: ModelVersionCreate, tx: Tx) -> ModelVersionList:
    """A version that waits for its package."""
    return to_model_version_list(*await versions.create_version(tx, caller, path, body.version, to_settings(body)))


@router.get(VERSION, operation_id="model_versions_get")
async def model_versions_get(path: AtVersion, caller: SignedIn, tx: Tx) -> ModelVersionList:
    """One version; its status ends in ``available`` or in a word with ``failed``."""
    return to_model_version_list(*await versions.get_version(tx, caller, path))


@router.patch(VERSION, operation_id="model_versions_update")
async def model_versions_update(
    request: Request, path: AtVersion, caller: SignedIn, body: ModelVersionUpdate, tx: Tx
) -> ModelVersionList:
    """Another language builds the version again, serving the old build meanwhile."""
    request.state.engine.directory.distrust()
    return to_model_version_list(*await versions.update_version(tx, caller, path, body.version, to_changes(body)))


@router.delete(VERSION, operation_id="model_versions_delete", status_code=204)
async def model_versions_delete(request: Request, path: AtVersion, caller: SignedIn, tx: Tx) -> None:
    """With its packages and requests."""
    request.state.engine.directory.distrust()
    await versions.delete_version(tx, caller, path)


@router.put(VERSION + "/upload", operation_id="model_versions_file_upload", openapi_extra=MULTIPART_FILE)
async def model_versions_file_upload(request: Request, path: AtVersion, caller: SignedIn) -> Success:
    """A zip archive with a folder ``model_package``; it is built in the background."""
    db: Database = request.state.db
    blobs: BlobStore = request.state.blobs
    limits: Limits = request.state.limits
    async with db.begin() as tx:
        await packages.allow_upload(tx, caller, path)
    async with received_file(request, limits.max_upload_bytes) as upload:
        archive = await _store(blobs, upload, limits.max_upload_bytes)
    request.state.engine.directory.distrust()
    try:
        async with db.begin() as tx:
            await packages.accept_upload(tx, caller, path, archive)
    except QuadratError as error:
        # When the database is gone it may have accepted the upload before it went.
        if error.kind is not ErrorKind.UNAVAILABLE:
            await blobs.delete(archive.blob_key)
        raise
    return Success(success=True)


@router.get(VERSION + "/download", operation_id="model_versions_file_download", response_class=Response)
async def model_versions_file_download(request: Request, path: AtVersion, caller: SignedIn) -> Response:
    """The newest upload, byte for byte."""
    db: Database = request.state.db
    blobs: BlobStore = request.state.blobs
    async with db.begin() as tx:
        package = await packages.get_package(tx, caller, path)
    return download(await blobs.open(package.blob_key), package.file_name)


async def _store(blobs: BlobStore, upload: UploadFile, max_bytes: int) -> Archive:
    if not await asyncio.to_thread(zipfile.is_zipfile, upload.file):
        raise QuadratError(ErrorKind.INVALID, "The file is not a zip archive.", field="file")
    blob_key = f"packages/{new_uuid()}"
    facts, digest = await blobs.put(blob_key, blocks_of(upload), max_bytes=max_bytes)
    return Archive(digest, blob_key, base_name(upload, "package.zip"), facts.size_bytes)
