"""Recordings of a workspace, their wearers and events."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import not_found, open_project
from quadrat.gaze.actions.cleaning import ask_for_purge
from quadrat.gaze.rules.texts import check_name
from quadrat.gaze.store import recordings as store
from quadrat.gaze.types import Event, EventOrigin, Recording, Wearer
from quadrat.identity.actions.workspaces import Workspace, require_in_workspace
from quadrat.identity.types import Caller, Project, ProjectId

_NS = 1_000_000_000
_MAX_OFFSET_S = 10 * 365 * 86_400


async def list_recordings(tx: AsyncConnection, caller: Caller, workspace: Workspace) -> Sequence[Recording]:
    """All of a workspace, in the order in which they came.

    Raises:
        QuadratError: forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    return await store.list_recordings(tx, workspace.organization.id)


async def get_recording(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> Recording:
    """One of them.

    Raises:
        QuadratError: not_found, forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    return await _find(tx, workspace, uuid)


async def _find(tx: AsyncConnection, workspace: Workspace, uuid: UUID) -> Recording:
    found = await store.find_recording(tx, workspace.organization.id, uuid)
    if found is None:
        raise not_found("Recording", uuid)
    return found


async def delete_recording(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> None:
    """Remove a recording, also from all enrichments.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await store.find_recording(tx, workspace.organization.id, uuid)
    made_by = None if found is None else found.created_by
    require_in_workspace(caller, workspace, "gaze.delete", made_by=made_by)
    if found is None:
        raise not_found("Recording", uuid)
    await store.delete_recordings(tx, [found.id])
    await ask_for_purge(tx)


async def list_wearers(tx: AsyncConnection, caller: Caller, workspace: Workspace) -> Sequence[Wearer]:
    """All of a workspace.

    Raises:
        QuadratError: forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    return await store.list_wearers(tx, workspace.organization.id)


async def create_wearer(tx: AsyncConnection, caller: Caller, workspace: Workspace, name: str) -> Wearer:
    """Add a person.

    Raises:
        QuadratError: forbidden, invalid.
    """
    require_in_workspace(caller, workspace, "gaze.create", creates=True)
    uuid = new_uuid()
    await store.insert_wearer(tx, workspace.organization.id, uuid, check_name(name), caller.uuid)
    return await _find_wearer(tx, workspace, uuid)


async def get_wearer(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> Wearer:
    """One of a workspace.

    Raises:
        QuadratError: not_found, forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    return await _find_wearer(tx, workspace, uuid)


async def rename_wearer(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID, name: str | None
) -> Wearer:
    """Give a person another name; None leaves it.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    found = await get_wearer(tx, caller, workspace, uuid)
    require_in_workspace(caller, workspace, "gaze.update", made_by=found.created_by)
    if name is not None:
        await store.rename_wearer(tx, found.id, check_name(name))
    return await _find_wearer(tx, workspace, uuid)


async def delete_wearer(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> Wearer:
    """Remove a person; their recordings stay, worn by nobody known.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await get_wearer(tx, caller, workspace, uuid)
    require_in_workspace(caller, workspace, "gaze.delete", made_by=found.created_by)
    await store.delete_wearer(tx, found.id)
    return found


async def _find_wearer(tx: AsyncConnection, workspace: Workspace, uuid: UUID) -> Wearer:
    found = await store.find_wearer(tx, workspace.organization.id, uuid=uuid)
    if found is None:
        raise not_found("Wearer", uuid)
    return found


# Recordings of projects.


@dataclass(frozen=True, slots=True)
class ProjectRecording:
    """A recording in a project, and how often which event happens in it."""

    project: Project
    recording_uuid: UUID
    events: Sequence[tuple[str, int]]


async def recordings_by_project(tx: AsyncConnection, projects: Collection[Project]) -> dict[ProjectId, list[UUID]]:
    """Which recordings are in projects that are open to the caller."""
    found: dict[ProjectId, list[UUID]] = defaultdict(list)
    for project_id, uuid in await store.list_project_recordings(tx, [project.id for project in projects]):
        found[project_id].append(uuid)
    return found


async def list_project_recordings(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID
) -> list[ProjectRecording]:
    """The recordings of a project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await open_project(tx, caller, workspace, project, "gaze.read")
    counts: dict[UUID, Counter[str]] = defaultdict(Counter)
    for event in await store.list_project_events(tx, found.id):
        counts[event.recording_uuid][event.name] += 1
    return [
        ProjectRecording(found, uuid, list(counts[uuid].items()))
        for _, uuid in await store.list_project_recordings(tx, [found.id])
    ]


async def list_project_events(tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID) -> list[Event]:
    """Events of a project's recordings.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await open_project(tx, caller, workspace, project, "gaze.read")
    return await store.list_project_events(tx, found.id)


async def count_project_events(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID
) -> list[tuple[str, int]]:
    """Names of events in a project, and how often they happen.

    Raises:
        QuadratError: not_found, forbidden.
    """
    counts = Counter(event.name for event in await list_project_events(tx, caller, workspace, project))
    return sorted(counts.items())


# Events of recordings.


async def list_recording_events(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID
) -> tuple[Recording, list[Event]]:
    """A recording and its own events.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await get_recording(tx, caller, workspace, uuid)
    return found, await store.list_recording_events(tx, found.id)


async def create_recording_event(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID, what: tuple[str, float]
) -> Event:
    """Add an event (name, seconds from the start of the recording).

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    require_in_workspace(caller, workspace, "gaze.create", creates=True)
    found = await _find(tx, workspace, uuid)
    made = _new_event(caller, found, what, EventOrigin.CLOUD)
    await store.insert_event(tx, found.id, made)
    return made


async def create_project_event(
    tx: AsyncConnection, caller: Caller, place: tuple[Workspace, UUID, UUID], what: tuple[str, float]
) -> Event:
    """Add an event that only one project (workspace, project, recording) knows.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    workspace, project_uuid, uuid = place
    project = await open_project(tx, caller, workspace, project_uuid, "gaze.create", creates=True)
    found = await _find(tx, workspace, uuid)
    if not await store.is_in_project(tx, project.id, found.id):
        raise not_found("In this project, recording", uuid)
    made = _new_event(caller, found, what, EventOrigin.PROJECT, project.uuid)
    await store.insert_event(tx, found.id, made, project.id)
    return made


def _new_event(
    caller: Caller,
    recording: Recording,
    what: tuple[str, float],
    origin: EventOrigin,
    project_uuid: UUID | None = None,
) -> Event:
    name, offset_s = what
    if not -_MAX_OFFSET_S <= offset_s <= _MAX_OFFSET_S:
        raise QuadratError(ErrorKind.INVALID, "offset_s is a number of seconds.", field="offset_s")
    return Event(
        uuid=new_uuid(),
        recording_uuid=recording.uuid,
        project_uuid=project_uuid,
        name=check_name(name),
        offset_ns=round(offset_s * _NS),
        origin=origin,
        created_by=caller.uuid,
        created_at=now(),
    )


async def delete_recording_event(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, what: tuple[UUID, UUID]
) -> tuple[Recording, Event]:
    """Remove an event (recording, event) that someone added, and return both; those of the device stay.

    Raises:
        QuadratError: not_found, forbidden, wrong_state.
    """
    recording, uuid = what
    found, events = await list_recording_events(tx, caller, workspace, recording)
    event = next((one for one in events if one.uuid == uuid), None)
    made_by = None if event is None else event.created_by
    require_in_workspace(caller, workspace, "gaze.delete", made_by=made_by)
    if event is None:
        raise not_found("Event", uuid)
    if event.origin is EventOrigin.RECORDING:
        raise QuadratError(ErrorKind.WRONG_STATE, "Events that the device recorded cannot be removed.")
    await store.delete_event(tx, found.id, uuid)
    return found, event
