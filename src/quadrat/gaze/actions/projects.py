"""Projects as places of gaze."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.gaze.actions.access import not_found
from quadrat.identity.actions import projects
from quadrat.identity.actions.workspaces import Workspace
from quadrat.identity.types import Caller, Project
from quadrat.serving.actions import housekeeping


async def get_project(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> Project:
    """A project of a workspace.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await projects.get_project(tx, caller, uuid)
    if found.organization_id != workspace.organization.id:
        raise not_found("Project", uuid)
    return found


async def delete_project(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> None:
    """Remove a project with all that is in it; its recordings stay in the workspace.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await get_project(tx, caller, workspace, uuid)
    await housekeeping.delete_project(tx, caller, uuid)
