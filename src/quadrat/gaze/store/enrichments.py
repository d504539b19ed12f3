"""SQL of enrichments and of the recordings mapped in them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.gaze.store.files import REFERENCE_COLUMNS, to_reference
from quadrat.gaze.store.recordings import RECORDING_COLUMNS, to_recording
from quadrat.gaze.tables import enrichment, file, mapping, recording, reference, section, wearer
from quadrat.gaze.types import (
    Enrichment,
    EnrichmentId,
    EnrichmentKind,
    MappedRecording,
    MappingId,
    RecordingId,
    Section,
    Unit,
)
from quadrat.identity.types import OrganizationId, Project, ProjectId


def _select_enrichments() -> Select[*tuple[Any, ...]]:
    return (
        select(
            enrichment.c.id,
            enrichment.c.uuid,
            enrichment.c.project_id,
            enrichment.c.kind,
            enrichment.c.name,
            enrichment.c.from_event_name,
            enrichment.c.to_event_name,
            enrichment.c.created_by,
            enrichment.c.created_at,
            enrichment.c.updated_at,
            *REFERENCE_COLUMNS,
        )
        .outerjoin(reference, reference.c.uuid == enrichment.c.reference_uuid)
        .outerjoin(file, file.c.uuid == reference.c.file_uuid)
    )


def _to_enrichment(row: Sequence[Any], project: Project) -> Enrichment:
    return Enrichment(
        id=EnrichmentId(row[0]),
        uuid=row[1],
        project_id=ProjectId(row[2]),
        project_uuid=project.uuid,
        kind=EnrichmentKind(row[3]),
        name=row[4],
        from_event_name=row[5],
        to_event_name=row[6],
        created_by=row[7],
        created_at=row[8],
        updated_at=row[9],
        reference=None if row[10] is None else to_reference(row[10:]),
    )


async def insert_enrichment(tx: AsyncConnection, made: Enrichment) -> None:
    """A new enrichment; its number is given by the database."""
    await tx.execute(
        insert(enrichment).values(
            uuid=made.uuid,
            project_id=made.project_id,
            kind=made.kind,
            name=made.name,
            from_event_name=made.from_event_name,
            to_event_name=made.to_event_name,
            reference_uuid=None if made.reference is None else made.reference.uuid,
            created_by=made.created_by,
            created_at=made.created_at,
            updated_at=made.updated_at,
        )
    )


async def list_enrichments(tx: AsyncConnection, project: Project) -> list[Enrichment]:
    """All of a project, in the order of creation."""
    query = _select_enrichments().where(enrichment.c.project_id == project.id).order_by(enrichment.c.id)
    return [_to_enrichment(row, project) for row in await tx.execute(query)]


async def find_enrichment(
    tx: AsyncConnection, project: Project, uuid: UUID, *, lock: bool = False
) -> Enrichment | None:
    """One of a project's enrichments; its row locked against changes of its areas and recordings when asked to."""
    query = _select_enrichments().where(enrichment.c.project_id == project.id, enrichment.c.uuid == uuid)
    row = (await tx.execute(query.with_for_update(of=enrichment) if lock else query)).one_or_none()
    return None if row is None else _to_enrichment(row, project)


async def update_enrichment(tx: AsyncConnection, id_: EnrichmentId, values: dict[str, Any]) -> None:
    """Change columns."""
    await tx.execute(update(enrichment).where(enrichment.c.id == id_).values(updated_at=func.now(), **values))


async def delete_enrichment(tx: AsyncConnection, id_: EnrichmentId) -> None:
    """Remove an enrichment with its areas and mapped gaze; the recordings stay."""
    await tx.execute(delete(enrichment).where(enrichment.c.id == id_))


# Mapped recordings.


async def list_mappings(
    tx: AsyncConnection, enrichment_ids: Collection[EnrichmentId], organization_id: OrganizationId
) -> dict[EnrichmentId, list[MappedRecording]]:
    """The recordings of enrichments, in the order in which they came, with their sections."""
    query = (
        select(
            mapping.c.id,
            mapping.c.enrichment_id,
            mapping.c.revision,
            mapping.c.blob,
            mapping.c.unit,
            mapping.c.n_samples,
            mapping.c.n_mapped,
            mapping.c.period_ns,
            *RECORDING_COLUMNS,
        )
        .join(recording, recording.c.id == mapping.c.recording_id)
        .outerjoin(wearer, wearer.c.id == recording.c.wearer_id)
        .where(mapping.c.enrichment_id.in_(enrichment_ids), recording.c.organization_id == organization_id)
        .order_by(mapping.c.id)
    )
    rows = (await tx.execute(query)).all()
    sections = await _list_sections(tx, [row[0] for row in rows])
    found: dict[EnrichmentId, list[MappedRecording]] = defaultdict(list)
    for row in rows:
        made = MappedRecording(
            id=MappingId(row[0]),
            recording=to_recording(row[8:]),
            revision=row[2],
            blob=row[3],
            unit=Unit(row[4]),
            n_samples=row[5],
            n_mapped=row[6],
            period_ns=row[7],
            sections=tuple(sections[row[0]]),
        )
        found[EnrichmentId(row[1])].append(made)
    return found


async def _list_sections(tx: AsyncConnection, mapping_ids: Collection[int]) -> dict[int, list[Section]]:
    query = (
        select(
            section.c.mapping_id,
            section.c.number,
            section.c.id,
            section.c.start_ns,
            section.c.end_ns,
            section.c.start_event,
            section.c.end_event,
            section.c.first_sample,
            section.c.n_samples,
        )
        .where(section.c.mapping_id.in_(mapping_ids))
        .order_by(section.c.mapping_id, section.c.number)
    )
    found: dict[int, list[Section]] = defaultdict(list)
    for row in await tx.execute(query):
        found[row[0]].append(Section(*row[1:]))
    return found


async def insert_mapping(
    tx: AsyncConnection, enrichment_id: EnrichmentId, recording_id: RecordingId, values: dict[str, Any]
) -> MappingId:
    """A recording in an enrichment that has it not yet."""
    statement = (
        insert(mapping).values(enrichment_id=enrichment_id, recording_id=recording_id, **values).returning(mapping.c.id)
    )
    return MappingId((await tx.execute(statement)).scalar_one())


async def delete_mapping(tx: AsyncConnection, id_: MappingId) -> None:
    """Take a recording out of an enrichment."""
    await tx.execute(delete(mapping).where(mapping.c.id == id_))


async def insert_sections(tx: AsyncConnection, mapping_id: MappingId, sections: Sequence[Section]) -> None:
    """The sections of a new mapping."""
    rows = [
        {
            "mapping_id": mapping_id,
            "number": one.number,
            "id": one.id,
            "start_ns": one.start_ns,
            "end_ns": one.end_ns,
            "start_event": one.start_event,
            "end_event": one.end_event,
            "first_sample": one.first_sample,
            "n_samples": one.n_samples,
        }
        for one in sections
    ]
    if rows:
        await tx.execute(insert(section), rows)


async def set_revision(tx: AsyncConnection, id_: MappingId, revision: UUID) -> None:
    """Say that fixations of a mapping have changed."""
    await tx.execute(update(mapping).where(mapping.c.id == id_).values(revision=revision))
