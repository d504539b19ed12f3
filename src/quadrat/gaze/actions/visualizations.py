"""Settings of visualizations: kept for a project or one of its enrichments, for those who draw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import not_found, open_access, require_write
from quadrat.gaze.rules.texts import check_json, check_name
from quadrat.gaze.store import visualizations as store
from quadrat.gaze.store.enrichments import find_enrichment
from quadrat.gaze.types import Visualization, VisualizationKind
from quadrat.identity.actions.workspaces import Workspace
from quadrat.identity.types import Access, Caller, Project


@dataclass(frozen=True, slots=True)
class VisualizationPath:
    """Where a visualization is."""

    workspace: Workspace
    project: UUID
    visualization: UUID


@dataclass(frozen=True, slots=True)
class VisualizationContent:
    """What is said of one; None leaves a thing as it is.

    Args:
        uuid: For a new one: chosen by the client.
        enrichment: Of what; a new one without lies over the whole project.
        payload: The settings in groups.
    """

    kind: VisualizationKind | None = None
    name: str | None = None
    uuid: UUID | None = None
    enrichment: UUID | None = None
    payload: Mapping[str, Any] | None = None


async def list_visualizations(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID
) -> Sequence[Visualization]:
    """All of a project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    access = await open_access(tx, caller, workspace, project)
    return await store.list_visualizations(tx, access.project)


async def get_visualization(tx: AsyncConnection, caller: Caller, path: VisualizationPath) -> Visualization:
    """One of them.

    Raises:
        QuadratError: not_found, forbidden.
    """
    access = await open_access(tx, caller, path.workspace, path.project)
    return await _find(tx, access.project, path.visualization)


async def create_visualization(
    tx: AsyncConnection, caller: Caller, place: tuple[Workspace, UUID], new: VisualizationContent
) -> Visualization:
    """Keep settings.

    Args:
        tx: The transaction.
        caller: Who asks.
        place: The workspace, and the project in it.
        new: With kind and name.

    Raises:
        QuadratError: not_found, forbidden, already_exists; invalid for an enrichment that is not there.
    """
    access = await open_access(tx, caller, *place)
    require_write(caller, access, "aois.create", creates=True)
    if new.kind is None or new.name is None:
        raise QuadratError(ErrorKind.INVALID, "A visualization needs a kind and a name.")
    uuid = new.uuid or new_uuid()
    values = {"payload": {}, **await _values(tx, access.project, new)}
    if not await store.insert_visualization(tx, access.project, {**values, "uuid": uuid, "created_by": caller.uuid}):
        raise QuadratError(ErrorKind.ALREADY_EXISTS, f"There is a visualization {uuid} already.", field="id")
    return await _find(tx, access.project, uuid)


async def update_visualization(
    tx: AsyncConnection, caller: Caller, path: VisualizationPath, change: VisualizationContent
) -> Visualization:
    """Change settings.

    Raises:
        QuadratError: not_found, forbidden; invalid for an enrichment that is not there.
    """
    access, found = await _open_for(tx, caller, path, "aois.update")
    await store.update_visualization(tx, found.id, await _values(tx, access.project, change))
    return await _find(tx, access.project, found.uuid)


async def delete_visualization(tx: AsyncConnection, caller: Caller, path: VisualizationPath) -> Visualization:
    """Remove settings; returns what they were.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, found = await _open_for(tx, caller, path, "aois.delete")
    await store.delete_visualization(tx, found.id)
    return found


async def _open_for(
    tx: AsyncConnection, caller: Caller, path: VisualizationPath, permission: str
) -> tuple[Access, Visualization]:
    access = await open_access(tx, caller, path.workspace, path.project)
    found = await _find(tx, access.project, path.visualization, lock=True)
    require_write(caller, access, permission, made_by=found.created_by)
    return access, found


async def _find(tx: AsyncConnection, project: Project, uuid: UUID, *, lock: bool = False) -> Visualization:
    found = await store.find_visualization(tx, project, uuid, lock=lock)
    if found is None:
        raise not_found("Visualization", uuid)
    return found


async def _values(tx: AsyncConnection, project: Project, content: VisualizationContent) -> dict[str, Any]:
    """The columns that change.

    Raises:
        QuadratError: invalid.
    """
    values: dict[str, Any] = {}
    if content.kind is not None:
        values["kind"] = content.kind.value
    if content.name is not None:
        values["name"] = check_name(content.name)
    if content.payload is not None:
        check_json(content.payload, "payload")
        values["payload"] = content.payload
    if content.enrichment is not None:
        found = await find_enrichment(tx, project, content.enrichment)
        if found is None:
            message = f"enrichment_id: {content.enrichment} does not exist in this project."
            raise QuadratError(ErrorKind.INVALID, message, field="enrichment_id")
        values["enrichment_id"] = found.id
    return values
