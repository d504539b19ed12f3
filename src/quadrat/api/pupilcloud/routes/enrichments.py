"""Enrichments, their planes, imports and exports."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.convert import enrichments as convert
from quadrat.api.pupilcloud.downloads import ZIP, finished, send_export
from quadrat.api.pupilcloud.paths import (
    IN_ENRICHMENT,
    IN_PROJECT,
    IN_WORKSPACE,
    AtEnrichment,
    InEnrichment,
    InWorkspace,
    RawPath,
    to_uuid,
)
from quadrat.api.pupilcloud.schemas.enrichments import (
    Enrichment,
    EnrichmentPatch,
    EnrichmentPost,
    ExportPost,
    Imported,
    Markerless,
    MarkerlessPost,
    Surface,
    SurfacePatch,
    SurfacePost,
)
from quadrat.api.pupilcloud.schemas.envelope import Created, Success, created, success
from quadrat.api.pupilcloud.uploads import IMPORT_BODY, asks_to_replace, receive_import
from quadrat.api.state import Limits
from quadrat.api.wire import Tx, base_url
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions import enrichments, exports, files, imports
from quadrat.gaze.actions.access import require_write
from quadrat.gaze.actions.files import NewReference, PictureAddresses
from quadrat.gaze.types import ReferenceKind
from quadrat.identity.types import Caller

router = new_router("Enrichments")

_ALL = IN_PROJECT + "/enrichments"
_UNPACKED_SHARE = 10
RecordingIds = Annotated[list[str], Query(description="Repeated or separated by commas; all when absent")]
_PLAIN = "Names without commas and quotes, each only once, for programs that split lines at commas (GazePlotter)"


def addresses_of(request: Request) -> PictureAddresses:
    """Makes addresses of pictures as this caller reaches the server."""
    return PictureAddresses(request.state.blobs, base_url(request))


@router.get(_ALL, operation_id="get_enrichments")
async def get_enrichments(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str
) -> Success[list[Enrichment]]:
    """All enrichments of a project."""
    found = await enrichments.list_enrichments(tx, caller, workspace, to_uuid(project_id, "Project"))
    return success([convert.enrichment(one) for one in found])


@router.post(_ALL, operation_id="post_enrichment")
async def post_enrichment(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str, body: EnrichmentPost
) -> Success[Enrichment]:
    """Make an enrichment."""
    new = convert.new_enrichment(body)
    made = await enrichments.create_enrichment(tx, caller, workspace, to_uuid(project_id, "Project"), new)
    return success(convert.enrichment(made))


@router.get(IN_ENRICHMENT, operation_id="get_enrichment")
async def get_enrichment(tx: Tx, caller: SignedIn, path: InEnrichment) -> Success[Enrichment]:
    """One enrichment with the sections of its recordings."""
    return success(convert.enrichment(await enrichments.get_enrichment(tx, caller, path)))


@router.patch(IN_ENRICHMENT, operation_id="patch_enrichment")
async def patch_enrichment(tx: Tx, caller: SignedIn, path: InEnrichment, body: EnrichmentPatch) -> Success[Enrichment]:
    """Rename an enrichment, or change the names of its events."""
    change = enrichments.EnrichmentChange(body.name, body.from_event_name, body.to_event_name)
    return success(convert.enrichment(await enrichments.update_enrichment(tx, caller, path, change)))


@router.delete(IN_ENRICHMENT, operation_id="delete_enrichment")
async def delete_enrichment(tx: Tx, caller: SignedIn, path: InEnrichment) -> Success[dict[str, str]]:
    """Remove an enrichment with its areas; the recordings stay."""
    await enrichments.delete_enrichment(tx, caller, path)
    return success({"id": str(path.enrichment)})


# Planes.


@router.post(IN_WORKSPACE + "/markerless/", operation_id="post_markerless", tags=["Planes"])
async def post_markerless(
    request: Request, tx: Tx, caller: SignedIn, workspace: InWorkspace, body: MarkerlessPost
) -> Success[Markerless]:
    """Make a plane of an uploaded picture."""
    try:
        file = to_uuid(body.reference_image_id, "reference_image_id")
    except QuadratError as error:
        raise QuadratError(ErrorKind.INVALID, error.message, field="reference_image_id") from None
    new = NewReference(ReferenceKind.MARKERLESS, file=file, scanning_recording=body.scanning_recording_id)
    made = await files.create_reference(tx, caller, workspace, new)
    return success(await convert.markerless(made, addresses_of(request)))


@router.get(IN_WORKSPACE + "/markerless/{markerless_id}", operation_id="get_markerless", tags=["Planes"])
async def get_markerless(
    request: Request, tx: Tx, caller: SignedIn, workspace: InWorkspace, markerless_id: str
) -> Success[Markerless]:
    """A plane with addresses of its picture."""
    uuid = to_uuid(markerless_id, "Reference image")
    found = await files.get_reference(tx, caller, workspace, uuid, ReferenceKind.MARKERLESS)
    return success(await convert.markerless(found, addresses_of(request)))


@router.post(IN_WORKSPACE + "/surfaces/", operation_id="post_surface", tags=["Planes"])
async def post_surface(
    request: Request, tx: Tx, caller: SignedIn, workspace: InWorkspace, body: SurfacePost
) -> Success[Surface]:
    """Make a plane between markers."""
    file = None if body.reference_image_id is None else to_uuid(body.reference_image_id, "reference_image_id")
    new = NewReference(ReferenceKind.SURFACE, name=body.name, file=file, markers=tuple(body.markers_used))
    made = await files.create_reference(tx, caller, workspace, new)
    return success(await convert.surface(made, addresses_of(request)))


@router.get(IN_WORKSPACE + "/surfaces/{surface_id}", operation_id="get_surface", tags=["Planes"])
async def get_surface(
    request: Request, tx: Tx, caller: SignedIn, workspace: InWorkspace, surface_id: str
) -> Success[Surface]:
    """A surface."""
    uuid = to_uuid(surface_id, "Surface")
    found = await files.get_reference(tx, caller, workspace, uuid, ReferenceKind.SURFACE)
    return success(await convert.surface(found, addresses_of(request)))


@router.patch(IN_WORKSPACE + "/surfaces/{surface_id}", operation_id="patch_surface", tags=["Planes"])
async def patch_surface(
    request: Request, tx: Tx, caller: SignedIn, workspace: InWorkspace, surface_id: str, body: SurfacePatch
) -> Success[Surface]:
    """Say between which markers a surface lies."""
    uuid = to_uuid(surface_id, "Surface")
    if body.markers is None:
        found = await files.get_reference(tx, caller, workspace, uuid, ReferenceKind.SURFACE)
    else:
        found = await files.set_markers(tx, caller, workspace, uuid, body.markers)
    return success(await convert.surface(found, addresses_of(request)))


# Imports and exports.


@router.post(
    IN_ENRICHMENT + "/recordings:import",
    operation_id="import_enrichment_recordings",
    status_code=201,
    openapi_extra=IMPORT_BODY,
)
async def import_enrichment_recordings(request: Request, caller: SignedIn, raw: AtEnrichment) -> Created[Imported]:
    """Import gaze files, all or nothing; the answer comes when everything is stored."""
    limits: Limits = request.state.limits
    db: Database = request.state.db
    async with db.begin() as tx:
        path = await raw.open(tx, caller)
        opened, folder = await imports.prepare_import(tx, caller, path, replace=asks_to_replace(request))
    received = await receive_import(request, request.state.blobs, folder, limits.max_upload_bytes)
    replace = received.replace or asks_to_replace(request)
    if replace:
        require_write(caller, opened.access, "gaze.update", made_by=opened.enrichment.created_by)
    order = imports.ImportOrder(
        folder=folder,
        files=received.files,
        given=received.given,
        replace=replace,
        max_bytes=limits.max_upload_bytes * _UNPACKED_SHARE,
    )
    async with db.begin() as tx:
        job_id = await imports.order_import(tx, caller, opened, order)
    job = await finished(request, job_id)
    return created(convert.imported(job.result))


@router.get(
    IN_ENRICHMENT + "/export", operation_id="get_enrichment_export", response_class=StreamingResponse, responses=ZIP
)
async def get_enrichment_export(
    request: Request,
    caller: SignedIn,
    raw: AtEnrichment,
    recording_ids: RecordingIds = [],  # noqa: B006
    plain_names: Annotated[bool, Query(description=_PLAIN)] = False,
) -> Response:
    """The enrichment as a zip of CSV files and its reference image."""
    return await export_of(request, caller, raw, (recording_ids, plain_names))


@router.post(
    IN_ENRICHMENT + "/export", operation_id="post_enrichment_export", response_class=StreamingResponse, responses=ZIP
)
async def post_enrichment_export(request: Request, caller: SignedIn, raw: AtEnrichment, body: ExportPost) -> Response:
    """The same, with the recordings in the body."""
    return await export_of(request, caller, raw, (body.recording_ids, body.plain_names))


async def export_of(request: Request, caller: Caller, raw: RawPath, wanted: tuple[list[str], bool]) -> Response:
    """The zip of an enrichment, written by a job."""
    db: Database = request.state.db
    async with db.begin() as tx:
        path = await raw.open(tx, caller)
        recordings, plain = convert.recording_ids(wanted[0]), wanted[1]
        job_id, name = await exports.order_export(tx, caller, path, recordings, plain_names=plain)
    return await send_export(request, job_id, name)
