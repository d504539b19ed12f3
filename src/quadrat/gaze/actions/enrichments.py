"""What can be done with enrichments: make, look at, change, remove."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import (
    EnrichmentPath,
    not_found,
    open_enrichment,
    open_project,
    require_write,
)
from quadrat.gaze.actions.cleaning import ask_for_purge
from quadrat.gaze.actions.files import NewReference, create_reference
from quadrat.gaze.rules.texts import check_name
from quadrat.gaze.store import enrichments as store
from quadrat.gaze.store import files as file_store
from quadrat.gaze.store import fixations as fixation_store
from quadrat.gaze.store import recordings as recording_store
from quadrat.gaze.types import (
    Enrichment,
    EnrichmentId,
    EnrichmentKind,
    MappedRecording,
    Recording,
    Reference,
    ReferenceKind,
    Section,
    Unit,
)
from quadrat.identity.actions.workspaces import Workspace
from quadrat.identity.types import Caller, Project

_REFERENCE = {
    EnrichmentKind.REFERENCE_IMAGE: (ReferenceKind.MARKERLESS, "markerless_id"),
    EnrichmentKind.SURFACE: (ReferenceKind.SURFACE, "surface_id"),
}


@dataclass(frozen=True, slots=True)
class MappedEnrichment:
    """An enrichment with the recordings in it."""

    enrichment: Enrichment
    mappings: Sequence[MappedRecording]


@dataclass(frozen=True, slots=True)
class NewEnrichment:
    """An enrichment to be made.

    Args:
        reference: Its plane; must be there for kinds that have one.
    """

    kind: EnrichmentKind
    name: str
    from_event_name: str
    to_event_name: str
    reference: UUID | None = None


async def create_enrichment(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID, new: NewEnrichment
) -> MappedEnrichment:
    """Make an enrichment.

    Raises:
        QuadratError: not_found, forbidden; invalid for a plane that is not there.
    """
    found = await open_project(tx, caller, workspace, project, "gaze.create", creates=True)
    reference = await _reference(tx, workspace, new)
    return await _create(tx, caller, found, (new, reference))


async def _reference(tx: AsyncConnection, workspace: Workspace, new: NewEnrichment) -> Reference | None:
    if new.kind not in _REFERENCE:
        return None
    kind, field = _REFERENCE[new.kind]
    if new.reference is None:
        raise QuadratError(ErrorKind.INVALID, f"An enrichment of kind {new.kind} needs args.{field}.", field="args")
    found = await file_store.find_reference(tx, workspace.organization.id, new.reference, kind)
    if found is None:
        raise QuadratError(ErrorKind.INVALID, f"{field} {new.reference} does not exist.", field="args")
    return found


async def _create(
    tx: AsyncConnection, caller: Caller, project: Project, what: tuple[NewEnrichment, Reference | None]
) -> MappedEnrichment:
    new, reference = what
    at = now()
    made = Enrichment(
        id=EnrichmentId(0),
        uuid=new_uuid(),
        project_id=project.id,
        project_uuid=project.uuid,
        kind=new.kind,
        name=check_name(new.name),
        from_event_name=check_name(new.from_event_name, "from_event_name"),
        to_event_name=check_name(new.to_event_name, "to_event_name"),
        reference=reference,
        created_by=caller.uuid,
        created_at=at,
        updated_at=at,
    )
    await store.insert_enrichment(tx, made)
    stored = await store.find_enrichment(tx, project, made.uuid)
    if stored is None:
        raise not_found("Enrichment", made.uuid)
    return MappedEnrichment(stored, [])


async def list_enrichments(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID
) -> list[MappedEnrichment]:
    """All of a project, in the order of creation.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await open_project(tx, caller, workspace, project, "gaze.read")
    enrichments = await store.list_enrichments(tx, found)
    mappings = await store.list_mappings(tx, [one.id for one in enrichments], workspace.organization.id)
    return [MappedEnrichment(one, mappings.get(one.id, [])) for one in enrichments]


async def get_enrichment(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, kind: EnrichmentKind | None = None
) -> MappedEnrichment:
    """One of them, of one kind if asked for.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened = await open_enrichment(tx, caller, path, "gaze.read")
    if kind is not None and opened.enrichment.kind is not kind:
        raise not_found("Enrichment", path.enrichment)
    return await _mapped(tx, path, opened.enrichment)


async def _mapped(tx: AsyncConnection, path: EnrichmentPath, enrichment: Enrichment) -> MappedEnrichment:
    mappings = await store.list_mappings(tx, [enrichment.id], path.workspace.organization.id)
    return MappedEnrichment(enrichment, mappings.get(enrichment.id, []))


@dataclass(frozen=True, slots=True)
class EnrichmentChange:
    """What changes about an enrichment; None leaves a thing as it is."""

    name: str | None = None
    from_event_name: str | None = None
    to_event_name: str | None = None


async def update_enrichment(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, change: EnrichmentChange
) -> MappedEnrichment:
    """Change what is given.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    opened = await open_enrichment(tx, caller, path, None, lock=True)
    require_write(caller, opened.access, "gaze.update", made_by=opened.enrichment.created_by)
    values: dict[str, Any] = {}
    for field in ("name", "from_event_name", "to_event_name"):
        given = getattr(change, field)
        if given is not None:
            values[field] = check_name(given, field)
    await store.update_enrichment(tx, opened.enrichment.id, values)
    return await get_enrichment(tx, caller, path)


async def delete_enrichment(tx: AsyncConnection, caller: Caller, path: EnrichmentPath) -> None:
    """Remove an enrichment with its areas and mapped gaze; the recordings stay.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened = await open_enrichment(tx, caller, path, None)
    require_write(caller, opened.access, "gaze.delete", made_by=opened.enrichment.created_by)
    await store.delete_enrichment(tx, opened.enrichment.id)
    await ask_for_purge(tx)


# The manual mapper.


@dataclass(frozen=True, slots=True)
class NewStaticMapper:
    """A picture onto which a person maps fixations.

    Args:
        image: The uploaded picture.
    """

    name: str
    from_event_name: str
    to_event_name: str
    image: UUID | None


async def create_static_mapper(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID, new: NewStaticMapper
) -> MappedEnrichment:
    """Make a manual mapper. The project's recordings that have fixations of their own are in it, none mapped yet.

    Raises:
        QuadratError: not_found, forbidden; invalid for a picture that is not there.
    """
    found = await open_project(tx, caller, workspace, project, "gaze.create", creates=True)
    # Without a picture areas can still be drawn in normalised coordinates.
    reference = await create_reference(tx, caller, workspace, NewReference(ReferenceKind.STATIC_IMAGE, file=new.image))
    asked = NewEnrichment(EnrichmentKind.STATIC_IMAGE, new.name, new.from_event_name, new.to_event_name)
    made = await _create(tx, caller, found, (asked, reference))
    recordings = {one.uuid: one for one in await recording_store.list_recordings(tx, workspace.organization.id)}
    for _, uuid in await recording_store.list_project_recordings(tx, [found.id]):
        await _map_recording(tx, made.enrichment, recordings[uuid])
    path = EnrichmentPath(workspace, project, made.enrichment.uuid)
    return await _mapped(tx, path, made.enrichment)


async def _map_recording(tx: AsyncConnection, enrichment: Enrichment, recording: Recording) -> None:
    events = await recording_store.list_project_events(tx, enrichment.project_id, recording.id)
    at = {event.name: event.offset_ns for event in reversed(events)}
    if enrichment.from_event_name not in at or enrichment.to_event_name not in at:
        return
    start_ns = recording.start_ns + at[enrichment.from_event_name]
    end_ns = recording.start_ns + at[enrichment.to_event_name]
    if end_ns <= start_ns or not len(await fixation_store.read_recording(tx, recording.id)):
        return
    values = {
        "revision": new_uuid(),
        "blob": None,
        "unit": Unit.NORM.value,
        "n_samples": 0,
        "n_mapped": 0,
        "period_ns": 0,
    }
    mapping_id = await store.insert_mapping(tx, enrichment.id, recording.id, values)
    section = Section(
        number=0,
        id=str(new_uuid()),
        start_ns=start_ns,
        end_ns=end_ns,
        start_event=enrichment.from_event_name,
        end_event=enrichment.to_event_name,
        first_sample=0,
        n_samples=0,
    )
    await store.insert_sections(tx, mapping_id, [section])
    await fixation_store.copy_to_mapping(tx, recording.id, mapping_id, (start_ns, end_ns))
