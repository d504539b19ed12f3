"""The manual mapper: a person puts fixations onto a picture."""

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.convert import enrichments as convert
from quadrat.api.pupilcloud.convert.aois import to_id
from quadrat.api.pupilcloud.paths import IN_MAPPER, IN_PROJECT, AtEnrichment, InEnrichment, InWorkspace, to_uuid
from quadrat.api.pupilcloud.routes.enrichments import addresses_of, export_of
from quadrat.api.pupilcloud.schemas.enrichments import (
    EnrichmentPatch,
    FixationPut,
    PlacedFixation,
    PlacedFixations,
    StaticMapper,
    StaticMapperPost,
)
from quadrat.api.pupilcloud.schemas.envelope import Created, Success, created, success
from quadrat.api.wire import Tx
from quadrat.gaze.actions import enrichments, fixations
from quadrat.gaze.types import EnrichmentKind

router = new_router("Manual mapper")

_ALL = IN_PROJECT + "/mappers/static/"
_FIXATIONS = IN_MAPPER + "/recordings/{recording_id}/fixations"
_FIXATION = _FIXATIONS + "/{fixation_id}"
_MANUAL = EnrichmentKind.STATIC_IMAGE
_MAX_DIGITS = 10


def _number(text: str) -> int:
    """A fixation's id; -1, which none has, for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else -1


@router.post(_ALL, operation_id="post_static_image_mapper", status_code=201)
async def post_static_image_mapper(
    request: Request, tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str, body: StaticMapperPost
) -> Created[StaticMapper]:
    """Make a manual mapper. Answered with 201: one client reads the answer only then."""
    image = None if not body.static_image_id else to_id(body.static_image_id, "static_image_id")
    new = enrichments.NewStaticMapper(body.name, body.from_event_name, body.to_event_name, image)
    made = await enrichments.create_static_mapper(tx, caller, workspace, to_uuid(project_id, "Project"), new)
    return created(await convert.static_mapper(made, addresses_of(request)))


@router.get(_ALL, operation_id="get_static_image_mappers")
async def get_static_image_mappers(
    request: Request, tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str
) -> Success[list[StaticMapper]]:
    """All manual mappers of a project."""
    found = await enrichments.list_enrichments(tx, caller, workspace, to_uuid(project_id, "Project"))
    manual = [one for one in found if one.enrichment.kind is _MANUAL]
    return success([await convert.static_mapper(one, addresses_of(request)) for one in manual])


@router.get(IN_MAPPER, operation_id="get_static_image_mapper")
async def get_static_image_mapper(
    request: Request, tx: Tx, caller: SignedIn, path: InEnrichment
) -> Success[StaticMapper]:
    """One manual mapper."""
    found = await enrichments.get_enrichment(tx, caller, path, _MANUAL)
    return success(await convert.static_mapper(found, addresses_of(request)))


@router.patch(IN_MAPPER, operation_id="patch_static_image_mapper")
async def patch_static_image_mapper(
    request: Request, tx: Tx, caller: SignedIn, path: InEnrichment, body: EnrichmentPatch
) -> Success[StaticMapper]:
    """Rename a manual mapper, or change the names of its events."""
    await enrichments.get_enrichment(tx, caller, path, _MANUAL)
    change = enrichments.EnrichmentChange(body.name, body.from_event_name, body.to_event_name)
    found = await enrichments.update_enrichment(tx, caller, path, change)
    return success(await convert.static_mapper(found, addresses_of(request)))


@router.get(
    IN_MAPPER + "/export",
    operation_id="export_static_image_mapper",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}},
)
async def export_static_image_mapper(request: Request, caller: SignedIn, raw: AtEnrichment) -> Response:
    """A manual mapper as a zip of CSV files and its picture."""
    return await export_of(request, caller, raw, ([], False))


@router.get(_FIXATIONS, operation_id="get_mapped_fixations")
async def get_mapped_fixations(
    tx: Tx, caller: SignedIn, path: InEnrichment, recording_id: str
) -> Success[PlacedFixations]:
    """All fixations of a recording, mapped or not."""
    found = await fixations.list_placed(tx, caller, path, to_uuid(recording_id, "Recording"))
    return success(convert.placed_fixations(found))


@router.put(_FIXATION, operation_id="put_mapped_fixation")
async def put_mapped_fixation(
    tx: Tx, caller: SignedIn, path: InEnrichment, recording_id: str, fixation_id: str, body: FixationPut
) -> Success[PlacedFixation]:
    """Say where a fixation lies, or that it lies elsewhere."""
    what = (to_uuid(recording_id, "Recording"), _number(fixation_id))
    placed = await fixations.place_fixation(tx, caller, path, what, convert.placement(body))
    return success(convert.placed_fixation(placed))


@router.delete(_FIXATION, operation_id="delete_mapped_fixation")
async def delete_mapped_fixation(
    tx: Tx, caller: SignedIn, path: InEnrichment, recording_id: str, fixation_id: str
) -> Success[dict[str, str]]:
    """Take back where a fixation was put."""
    what = (to_uuid(recording_id, "Recording"), _number(fixation_id))
    await fixations.unplace_fixation(tx, caller, path, what)
    return success({"fixation_id": fixation_id})


@router.post(_FIXATIONS + ":clear", operation_id="clear_mapped_fixations")
async def clear_mapped_fixations(
    tx: Tx, caller: SignedIn, path: InEnrichment, recording_id: str
) -> Success[dict[str, str]]:
    """Take back all of a recording."""
    await fixations.clear_fixations(tx, caller, path, to_uuid(recording_id, "Recording"))
    return success({"recording_id": recording_id})
