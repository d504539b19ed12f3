"""Enrichments, planes and imports between the wire and the domain."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from quadrat.api.pupilcloud.convert.aois import to_id
from quadrat.api.pupilcloud.schemas import enrichments as wire
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.enrichments import MappedEnrichment, NewEnrichment
from quadrat.gaze.actions.files import PictureAddresses
from quadrat.gaze.actions.fixations import PlacedFixation, Placement
from quadrat.gaze.rules.heatmaps import Colormap, HeatmapOptions
from quadrat.gaze.types import Enrichment, EnrichmentKind, MappedRecording, Reference, ReferenceKind

_ARGUMENT = {
    EnrichmentKind.REFERENCE_IMAGE: "markerless_id",
    EnrichmentKind.SURFACE: "surface_id",
}
_NS = 1e9


def new_enrichment(body: wire.EnrichmentPost) -> NewEnrichment:
    """An enrichment to be made; its arguments may be wrapped once, as one client's model wants them.

    Raises:
        QuadratError: invalid.
    """
    kind = EnrichmentKind(body.kind)
    name = _ARGUMENT.get(kind)
    given = None if name is None else _argument(body.args, name)
    reference = None if given is None else to_id(given, "args")
    return NewEnrichment(kind, body.name, body.from_event_name, body.to_event_name, reference)


def _argument(args: Mapping[str, Any], name: str) -> str | None:
    for candidate in (args, *(value for value in args.values() if isinstance(value, dict))):
        found = candidate.get(name)
        if isinstance(found, str):
            return found
        if found is not None:
            raise QuadratError(ErrorKind.INVALID, f"args.{name} is no text.", field="args")
    return None


def enrichment(found: MappedEnrichment) -> wire.Enrichment:
    """An enrichment with the sections of its recordings."""
    return wire.Enrichment(**_common(found.enrichment, found.mappings))


def _common(made: Enrichment, mappings: Sequence[MappedRecording]) -> dict[str, Any]:
    return {
        "id": str(made.uuid),
        "project_id": str(made.project_uuid),
        "name": made.name,
        "kind": made.kind.value,
        "args": _args(made),
        "fps": None,
        "slices": [
            wire.Slice(
                id=section.id,
                recording_id=str(mapping.recording.uuid),
                start_time_s=(section.start_ns - mapping.recording.start_ns) / _NS,
                end_time_s=(section.end_ns - mapping.recording.start_ns) / _NS,
            )
            for mapping in mappings
            for section in mapping.sections
        ],
        "from_event_name": made.from_event_name,
        "to_event_name": made.to_event_name,
        "status": "SUCCESS" if mappings else "NOT_STARTED",
        "created_at": made.created_at.isoformat(),
        "updated_at": made.updated_at.isoformat(),
        "created_by_user_id": None if made.created_by is None else str(made.created_by),
    }


def _args(made: Enrichment) -> dict[str, str]:
    if made.reference is None:
        return {}
    if made.kind in _ARGUMENT:
        return {_ARGUMENT[made.kind]: str(made.reference.uuid)}
    return {} if made.reference.file_uuid is None else {"static_image_id": str(made.reference.file_uuid)}


async def static_mapper(found: MappedEnrichment, addresses: PictureAddresses) -> wire.StaticMapper:
    """A manual mapper."""
    reference = found.enrichment.reference
    file = None if reference is None else reference.file_uuid
    return wire.StaticMapper(
        **_common(found.enrichment, found.mappings),
        static_image_id=None if file is None else str(file),
        static_image_image_thumbnail_url="" if reference is None else await addresses.thumbnail(reference),
        fixations_status=[{"recording_id": str(mapping.recording.uuid)} for mapping in found.mappings],
    )


async def markerless(found: Reference, addresses: PictureAddresses) -> wire.Markerless:
    """A reference image."""
    size = found.size
    return wire.Markerless(
        id=str(found.uuid),
        reference_image_id=str(found.file_uuid),
        reference_image_thumbnail_url=await addresses.thumbnail(found),
        reference_image_url=await addresses.whole(found),
        scanning_recording_id=found.scanning_recording,
        width=0 if size is None else size.width,
        height=0 if size is None else size.height,
    )


async def surface(found: Reference, addresses: PictureAddresses) -> wire.Surface:
    """A surface."""
    return wire.Surface(
        id=str(found.uuid),
        name=found.name,
        is_initialized=True,
        markers_used=list(found.markers),
        reference_image_id=None if found.file_uuid is None else str(found.file_uuid),
        reference_image_thumbnail_url=await addresses.thumbnail(found),
    )


def plane_kind(place: str) -> ReferenceKind:
    """The kind of plane that a path speaks of."""
    return ReferenceKind.SURFACE if place == "surfaces" else ReferenceKind.MARKERLESS


def placed_fixation(found: PlacedFixation) -> wire.PlacedFixation:
    """A fixation of a manual mapper."""
    return wire.PlacedFixation(
        fixation_id=found.number,
        start_timestamp=found.start_s,
        end_timestamp=found.end_s,
        seek_timestamp=(found.start_s + found.end_s) / 2,
        updated_at=None if found.updated_at is None else found.updated_at.isoformat(),
        gaze_on_aoi=None if found.on_plane is None else int(found.on_plane),
        x=None if found.position is None else found.position[0],
        y=None if found.position is None else found.position[1],
    )


def placed_fixations(found: Sequence[PlacedFixation]) -> wire.PlacedFixations:
    """All of a recording."""
    return wire.PlacedFixations(
        total_fixations=len(found),
        checked_fixations=sum(one.on_plane is not None for one in found),
        fixations=[placed_fixation(one) for one in found],
    )


def placement(body: wire.FixationPut) -> Placement:
    """Where a person puts a fixation.

    Raises:
        QuadratError: invalid.
    """
    if (body.x is None) != (body.y is None):
        raise QuadratError(ErrorKind.INVALID, "Send both x and y, or neither.", field="x")
    position = None if body.x is None or body.y is None else (body.x, body.y)
    return Placement(bool(body.gaze_on_aoi), position)


def imported(result: Mapping[str, Any]) -> wire.Imported:
    """What an import made."""
    recordings = [wire.ImportedRecording(**one) for one in result["recordings"]]
    if len(recordings) == 1:
        return wire.Imported(**recordings[0].model_dump(), recordings=recordings)
    return wire.Imported(
        recording_id=None,
        name=None,
        section_ids=None,
        gaze_samples=None,
        fixations=None,
        warnings=None,
        recordings=recordings,
    )


def recording_ids(texts: Sequence[str]) -> list[UUID] | None:
    """Recordings named in a query, once or more often, also separated by commas; None when there are none.

    Raises:
        QuadratError: not_found for what can be no recording.
    """
    found: list[UUID] = []
    for part in ",".join(texts).split(","):
        text = part.strip()
        if not text:
            continue
        try:
            found.append(UUID(text))
        except ValueError:
            raise QuadratError(ErrorKind.NOT_FOUND, f"Recording {text[:60]} does not exist.") from None
    return found or None


def heatmap_options(body: wire.HeatmapPost) -> HeatmapOptions:
    """How to draw a heatmap.

    Raises:
        QuadratError: invalid.
    """
    usual = HeatmapOptions()
    names = {one.value.lower(): one for one in Colormap}
    colormap = usual.colormap if body.colormap is None else names.get(body.colormap.strip().lower())
    if colormap is None:
        raise QuadratError(
            ErrorKind.INVALID, f"colormap is one of {', '.join(one.value for one in Colormap)}.", field="colormap"
        )
    options = HeatmapOptions(
        n_bins=usual.n_bins if body.n_bins is None else body.n_bins,
        sigma=usual.sigma if body.sigma is None else body.sigma,
        width=body.width,
        height=body.height,
        max_size=body.max_size,
        colormap=colormap,
        by_duration=body.weight == "duration",
    )
    options.check()
    return options
