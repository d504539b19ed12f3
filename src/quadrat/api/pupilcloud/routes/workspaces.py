"""The profile, workspaces and their projects."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud import convert
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.schemas.envelope import Success, success
from quadrat.api.pupilcloud.schemas.workspaces import Profile, Project, ProjectPost, Workspace
from quadrat.api.wire import Tx
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import memberships, organizations, projects, users
from quadrat.identity.types import Organization

router = new_router("Workspaces")


def _uuid(text: str, what: str) -> UUID:
    """Ids are opaque to clients: one that cannot be is one that does not exist."""
    try:
        return UUID(text)
    except ValueError:
        raise QuadratError(ErrorKind.NOT_FOUND, f"{what} {text} does not exist.") from None


async def _organization(tx: Tx, caller: SignedIn, workspace_id: str) -> Organization:
    if workspace_id == "default":
        for membership in await memberships.list_memberships(tx, caller):
            if membership.is_personal:
                return await organizations.get_organization(tx, caller, membership.organization_uuid)
        raise QuadratError(ErrorKind.NOT_FOUND, "You have no workspace of your own.")
    return await organizations.get_organization(tx, caller, _uuid(workspace_id, "Workspace"))


InWorkspace = Annotated[Organization, Depends(_organization, scope="function")]


@router.get("/auth/profile", operation_id="get_profile", tags=["Auth"])
async def get_profile(tx: Tx, caller: SignedIn) -> Success[Profile]:
    """The caller."""
    user = await users.get_own_user(tx, caller)
    return success(convert.profile(user, await memberships.list_memberships(tx, caller)))


@router.get("/workspaces/", operation_id="get_workspaces")
async def get_workspaces(tx: Tx, caller: SignedIn) -> Success[list[Workspace]]:
    """The organizations that the caller may know of."""
    return success([convert.workspace(found) for found in await organizations.list_organizations(tx, caller)])


@router.get("/workspaces/{workspace_id}", operation_id="get_workspace")
async def get_workspace(organization: InWorkspace) -> Success[Workspace]:
    """One of them, by its id or as ``default``."""
    return success(convert.workspace(organization))


@router.get("/workspaces/{workspace_id}/projects/", operation_id="get_projects", tags=["Projects"])
async def get_projects(tx: Tx, caller: SignedIn, organization: InWorkspace) -> Success[list[Project]]:
    """The projects of a workspace that the caller may know of."""
    found = await projects.list_projects(tx, caller)
    return success([convert.project(one) for one in found if one.organization_id == organization.id])


@router.post("/workspaces/{workspace_id}/projects/", operation_id="post_project", tags=["Projects"])
async def post_project(tx: Tx, caller: SignedIn, organization: InWorkspace, body: ProjectPost) -> Success[Project]:
    """Make a project."""
    made = await projects.create_project(tx, caller, organization=organization.name, title=body.name)
    return success(convert.project(made))


@router.get("/workspaces/{workspace_id}/projects/{project_id}", operation_id="get_project", tags=["Projects"])
async def get_project(tx: Tx, caller: SignedIn, organization: InWorkspace, project_id: str) -> Success[Project]:
    """One project."""
    found = await projects.get_project(tx, caller, _uuid(project_id, "Project"))
    if found.organization_id != organization.id:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Project {project_id} does not exist.")
    return success(convert.project(found))
