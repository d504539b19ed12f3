"""Labels: words over areas and recordings of a workspace."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import not_found
from quadrat.gaze.rules.texts import check_name
from quadrat.gaze.store import aois as store
from quadrat.gaze.types import Label
from quadrat.identity.actions.workspaces import Workspace, require_in_workspace
from quadrat.identity.types import Caller


@dataclass(frozen=True, slots=True)
class LabelContent:
    """What is said of a label; None leaves a thing as it is.

    Args:
        uuid: For a new one: chosen by the client.
        aois: All areas that it lies over.
        recordings: All recordings that it lies over.
    """

    name: str
    uuid: UUID | None = None
    aois: Collection[UUID] | None = None
    recordings: Collection[UUID] | None = None


async def list_labels(tx: AsyncConnection, caller: Caller, workspace: Workspace) -> Sequence[Label]:
    """All of a workspace.

    Raises:
        QuadratError: forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    return await store.list_labels(tx, workspace.organization.id)


async def get_label(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> Label:
    """One of them.

    Raises:
        QuadratError: not_found, forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    found = await store.find_label(tx, workspace.organization.id, uuid)
    if found is None:
        raise not_found("Label", uuid)
    return found


async def create_label(tx: AsyncConnection, caller: Caller, workspace: Workspace, new: LabelContent) -> Label:
    """Make a label.

    Raises:
        QuadratError: forbidden, already_exists; invalid for areas or recordings that are not there.
    """
    require_in_workspace(caller, workspace, "aois.create", creates=True)
    uuid = new.uuid or new_uuid()
    id_ = await store.insert_label(tx, workspace.organization.id, uuid, check_name(new.name), caller.uuid)
    if id_ is None:
        raise QuadratError(ErrorKind.ALREADY_EXISTS, f"There is a label {uuid} already.", field="id")
    return await _lay(tx, workspace, uuid, new)


async def update_label(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID, change: LabelContent
) -> Label:
    """Change a label.

    Raises:
        QuadratError: not_found, forbidden; invalid for areas or recordings that are not there.
    """
    found = await store.find_label(tx, workspace.organization.id, uuid, lock=True)
    require_in_workspace(caller, workspace, "aois.update", made_by=None if found is None else found.created_by)
    if found is None:
        raise not_found("Label", uuid)
    await store.rename_label(tx, found.id, check_name(change.name))
    return await _lay(tx, workspace, uuid, change)


async def _lay(tx: AsyncConnection, workspace: Workspace, uuid: UUID, content: LabelContent) -> Label:
    organization_id = workspace.organization.id
    found = await store.find_label(tx, organization_id, uuid)
    if found is None:
        raise not_found("Label", uuid)
    if content.aois is not None:
        _refuse_missing(
            "aoi_ids", content.aois, await store.set_label_aois(tx, organization_id, found.id, content.aois)
        )
    if content.recordings is not None:
        laid = await store.set_label_recordings(tx, organization_id, found.id, content.recordings)
        _refuse_missing("recording_ids", content.recordings, laid)
    again = await store.find_label(tx, organization_id, uuid)
    return found if again is None else again


def _refuse_missing(field: str, wanted: Collection[UUID], found: set[UUID]) -> None:
    missing = next((uuid for uuid in wanted if uuid not in found), None)
    if missing is not None:
        raise QuadratError(ErrorKind.INVALID, f"{field}: {missing} does not exist in this workspace.", field=field)


async def delete_labels(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, uuids: Collection[UUID]
) -> tuple[list[UUID], list[UUID]]:
    """Remove those that there are; returns them, and those that there are not.

    Raises:
        QuadratError: forbidden.
    """
    wanted = list(dict.fromkeys(uuids))
    there = [found for found in await store.list_labels(tx, workspace.organization.id) if found.uuid in wanted]
    for made_by in {found.created_by for found in there} or {caller.uuid}:
        require_in_workspace(caller, workspace, "aois.delete", made_by=made_by)
    gone = set(await store.delete_labels(tx, workspace.organization.id, wanted))
    return [uuid for uuid in wanted if uuid in gone], [uuid for uuid in wanted if uuid not in gone]
