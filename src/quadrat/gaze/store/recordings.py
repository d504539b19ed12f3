"""SQL of recordings, their wearers and their events."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.gaze.tables import event, project_recording, recording, wearer
from quadrat.gaze.types import Event, EventOrigin, Recording, RecordingId, Wearer, WearerId
from quadrat.identity.tables import project
from quadrat.identity.types import OrganizationId, ProjectId

RECORDING_COLUMNS: tuple[Any, ...] = (
    recording.c.id,
    recording.c.uuid,
    recording.c.organization_id,
    recording.c.name,
    recording.c.start_ns,
    recording.c.duration_ns,
    recording.c.blob,
    recording.c.n_samples,
    recording.c.period_ns,
    recording.c.created_by,
    recording.c.created_at,
    recording.c.updated_at,
    wearer.c.id,
    wearer.c.uuid,
    wearer.c.name,
    wearer.c.created_by,
    wearer.c.created_at,
    recording.c.gaze_offset_px,
)


def to_recording(row: Sequence[Any]) -> Recording:
    """The columns of `RECORDING_COLUMNS`."""
    return Recording(
        id=RecordingId(row[0]),
        uuid=row[1],
        organization_id=OrganizationId(row[2]),
        name=row[3],
        start_ns=row[4],
        duration_ns=row[5],
        blob=row[6],
        n_samples=row[7],
        period_ns=row[8],
        gaze_offset_px=None if row[17] is None else (row[17][0], row[17][1]),
        created_by=row[9],
        created_at=row[10],
        updated_at=row[11],
        wearer=None if row[12] is None else Wearer(WearerId(row[12]), *row[13:17]),
    )


def _select_recordings() -> Select[*tuple[Any, ...]]:
    return select(*RECORDING_COLUMNS).outerjoin(wearer, wearer.c.id == recording.c.wearer_id)


async def list_recordings(tx: AsyncConnection, organization_id: OrganizationId) -> list[Recording]:
    """All of a workspace, in the order in which they came."""
    query = _select_recordings().where(recording.c.organization_id == organization_id).order_by(recording.c.id)
    return [to_recording(row) for row in await tx.execute(query)]


async def find_recording(
    tx: AsyncConnection, organization_id: OrganizationId, uuid: UUID, *, lock: bool = False
) -> Recording | None:
    """One of a workspace's recordings."""
    query = _select_recordings().where(recording.c.organization_id == organization_id, recording.c.uuid == uuid)
    row = (await tx.execute(query.with_for_update(of=recording) if lock else query)).one_or_none()
    return None if row is None else to_recording(row)


async def insert_recording(tx: AsyncConnection, values: dict[str, Any]) -> RecordingId | None:
    """A new recording; None when the workspace has one of this id already."""
    statement = insert(recording).values(values).on_conflict_do_nothing().returning(recording.c.id)
    id_ = (await tx.execute(statement)).scalar_one_or_none()
    return None if id_ is None else RecordingId(id_)


async def update_recording(tx: AsyncConnection, id_: RecordingId, values: dict[str, Any]) -> None:
    """Change columns."""
    await tx.execute(update(recording).where(recording.c.id == id_).values(updated_at=func.now(), **values))


async def delete_recordings(tx: AsyncConnection, ids: Collection[RecordingId]) -> None:
    """Remove recordings, also from all enrichments."""
    await tx.execute(delete(recording).where(recording.c.id.in_(ids)))


async def attach_to_project(tx: AsyncConnection, project_id: ProjectId, id_: RecordingId) -> None:
    """Show a recording in a project."""
    await tx.execute(insert(project_recording).values(project_id=project_id, recording_id=id_).on_conflict_do_nothing())


async def list_project_recordings(
    tx: AsyncConnection, project_ids: Collection[ProjectId]
) -> list[tuple[ProjectId, UUID]]:
    """Which recordings are in which of these projects."""
    query = (
        select(project_recording.c.project_id, recording.c.uuid)
        .join(recording, recording.c.id == project_recording.c.recording_id)
        .where(project_recording.c.project_id.in_(project_ids))
        .order_by(recording.c.id)
    )
    return [(ProjectId(project_id), uuid) for project_id, uuid in await tx.execute(query)]


async def is_in_project(tx: AsyncConnection, project_id: ProjectId, id_: RecordingId) -> bool:
    """Whether a recording is in a project."""
    query = select(project_recording.c.project_id).where(
        project_recording.c.project_id == project_id, project_recording.c.recording_id == id_
    )
    return (await tx.execute(query)).one_or_none() is not None


# Wearers.


def _select_wearers(organization_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    return select(wearer.c.id, wearer.c.uuid, wearer.c.name, wearer.c.created_by, wearer.c.created_at).where(
        wearer.c.organization_id == organization_id
    )


async def list_wearers(tx: AsyncConnection, organization_id: OrganizationId) -> list[Wearer]:
    """All of a workspace, in the order in which they came."""
    rows = await tx.execute(_select_wearers(organization_id).order_by(wearer.c.id))
    return [Wearer(WearerId(row[0]), *row[1:]) for row in rows]


async def find_wearer(
    tx: AsyncConnection, organization_id: OrganizationId, *, uuid: UUID | None = None, name: str | None = None
) -> Wearer | None:
    """By id, or the first of exactly this name."""
    query = _select_wearers(organization_id)
    query = query.where(wearer.c.uuid == uuid) if uuid is not None else query.where(wearer.c.name == name)
    row = (await tx.execute(query.order_by(wearer.c.id).limit(1))).one_or_none()
    return None if row is None else Wearer(WearerId(row[0]), *row[1:])


async def insert_wearer(
    tx: AsyncConnection, organization_id: OrganizationId, uuid: UUID, name: str, created_by: UUID | None
) -> WearerId | None:
    """A new wearer; None when the workspace has one of this id already."""
    statement = (
        insert(wearer)
        .values(organization_id=organization_id, uuid=uuid, name=name, created_by=created_by)
        .on_conflict_do_nothing()
        .returning(wearer.c.id)
    )
    id_ = (await tx.execute(statement)).scalar_one_or_none()
    return None if id_ is None else WearerId(id_)


async def rename_wearer(tx: AsyncConnection, id_: WearerId, name: str) -> None:
    """Change a wearer's name."""
    await tx.execute(update(wearer).where(wearer.c.id == id_).values(name=name))


async def delete_wearer(tx: AsyncConnection, id_: WearerId) -> None:
    """Remove a wearer; recordings stay without."""
    await tx.execute(delete(wearer).where(wearer.c.id == id_))


# Events.


def _select_events() -> Select[*tuple[Any, ...]]:
    return (
        select(
            event.c.uuid,
            recording.c.uuid,
            project.c.uuid,
            event.c.name,
            event.c.offset_ns,
            event.c.origin,
            event.c.created_by,
            event.c.created_at,
        )
        .join(recording, recording.c.id == event.c.recording_id)
        .outerjoin(project, project.c.id == event.c.project_id)
        .order_by(recording.c.id, event.c.offset_ns, event.c.id)
    )


def _to_event(row: Sequence[Any]) -> Event:
    return Event(
        uuid=row[0],
        recording_uuid=row[1],
        project_uuid=row[2],
        name=row[3],
        offset_ns=row[4],
        origin=EventOrigin(row[5]),
        created_by=row[6],
        created_at=row[7],
    )


async def list_recording_events(tx: AsyncConnection, id_: RecordingId) -> list[Event]:
    """A recording's own events."""
    query = _select_events().where(event.c.recording_id == id_, event.c.project_id.is_(None))
    return [_to_event(row) for row in await tx.execute(query)]


async def list_project_events(
    tx: AsyncConnection, project_id: ProjectId, recording_id: RecordingId | None = None
) -> list[Event]:
    """Events of a project's recordings: their own and the project's."""
    query = (
        _select_events()
        .join(
            project_recording,
            and_(
                project_recording.c.recording_id == event.c.recording_id,
                project_recording.c.project_id == project_id,
            ),
        )
        .where(event.c.project_id.is_(None) | (event.c.project_id == project_id))
    )
    if recording_id is not None:
        query = query.where(event.c.recording_id == recording_id)
    return [_to_event(row) for row in await tx.execute(query)]


async def insert_event(
    tx: AsyncConnection, recording_id: RecordingId, made: Event, project_id: ProjectId | None = None
) -> bool:
    """A new event; False when the recording has one of this id already."""
    statement = (
        insert(event)
        .values(
            uuid=made.uuid,
            recording_id=recording_id,
            project_id=project_id,
            name=made.name,
            offset_ns=made.offset_ns,
            origin=made.origin,
            created_by=made.created_by,
            created_at=made.created_at,
        )
        .on_conflict_do_nothing()
        .returning(event.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def delete_event(tx: AsyncConnection, recording_id: RecordingId, uuid: UUID) -> None:
    """Remove an event."""
    await tx.execute(delete(event).where(event.c.recording_id == recording_id, event.c.uuid == uuid))


async def replace_recording_events(
    tx: AsyncConnection, recording_id: RecordingId, events: Sequence[tuple[UUID, str, int]], at: datetime
) -> None:
    """Put a recording's events (id, name, offset in ns) in place of those that the device made."""
    await tx.execute(delete(event).where(event.c.recording_id == recording_id, event.c.origin == EventOrigin.RECORDING))
    if events:
        rows = [
            {
                "uuid": uuid,
                "recording_id": recording_id,
                "name": name,
                "offset_ns": offset_ns,
                "origin": EventOrigin.RECORDING.value,
                "created_at": at,
            }
            for uuid, name, offset_ns in events
        ]
        await tx.execute(insert(event), rows)
