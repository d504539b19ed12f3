"""Imports: asked for by a request, done by a job, stored in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import EnrichmentPath, Opened, open_enrichment, require_plane, require_write
from quadrat.gaze.actions.cleaning import ask_for_purge
from quadrat.gaze.rules.texts import MAX_NAME
from quadrat.gaze.store import enrichments as store
from quadrat.gaze.store import fixations as fixation_store
from quadrat.gaze.store import recordings as recording_store
from quadrat.gaze.types import (
    Enrichment,
    EnrichmentKind,
    ImportedRecording,
    MappingId,
    Recording,
    RecordingId,
    Section,
    Unit,
    WearerId,
)
from quadrat.identity.types import Caller, OrganizationId
from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import JobId, Queueing

IMPORT = "gaze.import"
DROP_UPLOAD = "gaze.drop_upload"
BEGIN, END = "recording.begin", "recording.end"
_UPLOAD_LIFE = timedelta(days=1)
_KNOWN_BEATS = frozenset({"section", "sample", "fixation", "begin", ""})


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """An import as it was asked for.

    Args:
        folder: Where the uploaded files are stored.
        files: Names as the client sent them, by part.
        given: Values of the request's fields, as text.
        replace: Recordings that the enrichment has already are overwritten.
        max_bytes: Most bytes that an archive may unpack to.
    """

    folder: str
    files: Mapping[str, str]
    given: Mapping[str, str]
    replace: bool
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """One recording to be stored.

    Args:
        blob: Folder of its columns in the store; None without gaze.
        own: The columns and fixations are the recording's own, in scene camera pixels.
        start_source: Where `start_ns` comes from; guesses give way to what is known.
        fixations: Array with the fields of `quadrat.gaze.store.fixations.PACKED`.
        n_fixations: How many.
        gaze_offset_px: See `quadrat.gaze.types.Recording`.
    """

    uuid: UUID
    name: str
    wearer: tuple[str | None, str | None]
    start_ns: int | None
    start_source: str
    duration_ns: int | None
    events: tuple[tuple[str, int], ...]
    own: bool
    unit: Unit
    blob: str | None
    n_samples: int
    n_mapped: int
    period_ns: int
    sections: tuple[Section, ...]
    fixations: Any
    n_fixations: int
    gaze_offset_px: tuple[float, float] | None
    warnings: tuple[str, ...]


async def prepare_import(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, *, replace: bool
) -> tuple[Opened, str]:
    """The enrichment, open for an import, and the folder for the uploaded files, which ends by itself after a day.

    Raises:
        QuadratError: not_found, forbidden; wrong_state without a plane.
    """
    opened = await open_enrichment(tx, caller, path, "gaze.create", creates=True)
    require_plane(opened.enrichment)
    if replace:
        require_write(caller, opened.access, "gaze.update", made_by=opened.enrichment.created_by)
    folder = f"gaze/uploads/{new_uuid().hex}"
    await enqueue(tx, DROP_UPLOAD, {"folder": folder}, queueing=Queueing(after=_UPLOAD_LIFE))
    return opened, folder


async def order_import(tx: AsyncConnection, caller: Caller, opened: Opened, order: ImportOrder) -> JobId:
    """Ask for the import of files that are stored by now."""
    params = {
        "organization_id": opened.workspace.organization.id,
        "project_uuid": str(opened.enrichment.project_uuid),
        "enrichment_uuid": str(opened.enrichment.uuid),
        "folder": order.folder,
        "files": dict(order.files),
        "given": dict(order.given),
        "replace": order.replace,
        "max_bytes": order.max_bytes,
        "user_uuid": str(caller.uuid),
    }
    return await enqueue(tx, IMPORT, params, owner_id=caller.user_id, project_id=opened.enrichment.project_id)


async def store_recordings(
    tx: AsyncConnection,
    place: tuple[OrganizationId, Enrichment],
    incoming: Sequence[Incoming],
    by: UUID,
    *,
    replace: bool,
) -> list[ImportedRecording]:
    """Store recordings in an enrichment, all or none of them.

    Args:
        tx: The transaction.
        place: The workspace, and the enrichment, whose row is locked.
        incoming: What to store.
        by: Whose import.
        replace: Overwrite what the enrichment has already of these recordings.

    Raises:
        QuadratError: already_exists for a recording that is in the enrichment; invalid.
    """
    organization_id, enrichment = place
    mapped = (await store.list_mappings(tx, [enrichment.id], organization_id)).get(enrichment.id, [])
    there = {one.recording.uuid: one for one in mapped}
    made = []
    for one in incoming:
        before = there.get(one.uuid)
        if before is not None and not replace:
            raise QuadratError(
                ErrorKind.ALREADY_EXISTS,
                f"Recording {one.uuid} is in this enrichment already; send replace=true to overwrite it.",
                field="recording_id",
            )
        if before is not None:
            await store.delete_mapping(tx, before.id)
        made.append(await _Storing(tx, organization_id, enrichment, by).store(one))
    await store.update_enrichment(tx, enrichment.id, {})
    if replace:
        await ask_for_purge(tx)
    return made


class _Storing:
    def __init__(self, tx: AsyncConnection, organization_id: OrganizationId, enrichment: Enrichment, by: UUID) -> None:
        self._tx = tx
        self._organization_id = organization_id
        self._enrichment = enrichment
        self._by = by

    async def store(self, one: Incoming) -> ImportedRecording:
        tx = self._tx
        known = await recording_store.find_recording(tx, self._organization_id, one.uuid, lock=True)
        start_ns, warnings = _start(one, known)
        id_ = await self._recording(one, known, start_ns)
        await recording_store.attach_to_project(tx, self._enrichment.project_id, id_)
        await self._events(one, id_, known, start_ns)
        mapping = {
            "revision": new_uuid(),
            "blob": None if one.own else one.blob,
            "unit": one.unit.value,
            "n_samples": 0 if one.own else one.n_samples,
            "n_mapped": 0 if one.own else one.n_mapped,
            "period_ns": one.period_ns,
        }
        mapping_id = await store.insert_mapping(tx, self._enrichment.id, id_, mapping)
        await store.insert_sections(tx, mapping_id, _without_samples(one) if one.own else one.sections)
        if one.own:
            warnings = [*warnings, *await self._own(one, id_, mapping_id)]
        else:
            await fixation_store.copy_mapping(tx, mapping_id, one.fixations)
        return ImportedRecording(
            recording_id=str(one.uuid),
            name=known.name if known is not None else one.name,
            section_ids=tuple(section.id for section in one.sections),
            gaze_samples=one.n_samples,
            fixations=one.n_fixations,
            warnings=(*one.warnings, *warnings),
        )

    async def _own(self, one: Incoming, id_: RecordingId, mapping_id: MappingId) -> list[str]:
        """Keep gaze of the scene camera with the recording; a person maps its fixations, or nobody does."""
        tx = self._tx
        await recording_store.update_recording(
            tx, id_, {"blob": one.blob, "n_samples": one.n_samples, "period_ns": one.period_ns}
        )
        await fixation_store.replace_recording(tx, id_, one.fixations)
        unplaced = one.fixations.copy()
        unplaced["x"] = unplaced["y"] = float("nan")
        unplaced["detected"] = -1 if self._enrichment.kind is EnrichmentKind.STATIC_IMAGE else 0
        await fixation_store.copy_mapping(tx, mapping_id, unplaced)
        if self._enrichment.kind is EnrichmentKind.STATIC_IMAGE:
            return []
        return [
            "These positions are pixels of the scene camera and lie on no plane: gaze and fixations are kept with the "
            "recording, but count on no area. Import the download of an image or marker mapper for that."
        ]

    async def _recording(self, one: Incoming, known: Recording | None, start_ns: int) -> RecordingId:
        if known is not None:
            changes: dict[str, Any] = {}
            if start_ns != known.start_ns:
                changes["start_ns"] = start_ns
            if one.duration_ns is not None and one.duration_ns > known.duration_ns:
                changes["duration_ns"] = one.duration_ns
            if one.gaze_offset_px is not None:
                changes["gaze_offset_px"] = list(one.gaze_offset_px)
            if known.wearer is None:
                changes["wearer_id"] = await self._wearer(one)
            await recording_store.update_recording(self._tx, known.id, changes)
            return known.id
        values = {
            "uuid": one.uuid,
            "organization_id": self._organization_id,
            "name": one.name,
            "wearer_id": await self._wearer(one),
            "start_ns": start_ns,
            "duration_ns": one.duration_ns or 0,
            "n_samples": 0,
            "period_ns": 0,
            "gaze_offset_px": None if one.gaze_offset_px is None else list(one.gaze_offset_px),
            "created_by": self._by,
        }
        id_ = await recording_store.insert_recording(self._tx, values)
        if id_ is None:
            # Another import brought the recording a moment ago.
            raise QuadratError(ErrorKind.UNAVAILABLE, "The recording is being imported elsewhere; try again.")
        return id_

    async def _wearer(self, one: Incoming) -> WearerId | None:
        text, name = one.wearer
        uuid = _uuid(text)
        if name is None and uuid is None:
            return None
        found = await recording_store.find_wearer(self._tx, self._organization_id, uuid=uuid) if uuid else None
        if found is not None and (name is None or found.name == name):
            return found.id
        shown = (name or str(uuid))[:MAX_NAME]
        named = await recording_store.find_wearer(self._tx, self._organization_id, name=shown)
        if named is not None:
            return named.id
        free = uuid if uuid is not None and found is None else new_uuid()
        return await recording_store.insert_wearer(self._tx, self._organization_id, free, shown, self._by)

    async def _events(self, one: Incoming, id_: RecordingId, known: Recording | None, start_ns: int) -> None:
        if known is not None and not one.events:
            return
        events = [(name[:MAX_NAME], at - start_ns) for name, at in one.events]
        names = {name for name, _ in events}
        if BEGIN not in names:
            events.append((BEGIN, 0))
        if END not in names:
            events.append((END, one.duration_ns or 0))
        rows = [(new_uuid(), name, offset) for name, offset in events]
        await recording_store.replace_recording_events(self._tx, id_, rows, now())


def _start(one: Incoming, known: Recording | None) -> tuple[int, list[str]]:
    if known is not None and (one.start_ns is None or one.start_source in _KNOWN_BEATS):
        return known.start_ns, []
    if one.start_ns is None:
        raise QuadratError(
            ErrorKind.INVALID,
            f"Nothing says when recording {one.uuid} starts: give start_time_ns.",
            field="start_time_ns",
        )
    if known is not None and known.start_ns != one.start_ns:
        moved = "The start of the recording was known otherwise; statistics of all its enrichments follow the new one."
        return one.start_ns, [moved]
    return one.start_ns, []


def _without_samples(one: Incoming) -> list[Section]:
    return [
        Section(
            number=section.number,
            id=section.id,
            start_ns=section.start_ns,
            end_ns=section.end_ns,
            start_event=section.start_event,
            end_event=section.end_event,
            first_sample=0,
            n_samples=0,
        )
        for section in one.sections
    ]


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None
