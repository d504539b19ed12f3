"""The profile, workspaces and their projects."""

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.convert import workspaces as convert
from quadrat.api.pupilcloud.paths import IN_PROJECT, InWorkspace, to_uuid
from quadrat.api.pupilcloud.schemas.envelope import Success, success
from quadrat.api.pupilcloud.schemas.workspaces import Profile, Project, ProjectPost, Workspace
from quadrat.api.wire import Tx
from quadrat.gaze.actions import projects as gaze_projects
from quadrat.gaze.actions import recordings
from quadrat.identity.actions import memberships, organizations, projects, users

router = new_router("Workspaces")


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
async def get_workspace(workspace: InWorkspace) -> Success[Workspace]:
    """One of them, by its id or as ``default``."""
    return success(convert.workspace(workspace.organization))


@router.get("/workspaces/{workspace_id}/projects/", operation_id="get_projects", tags=["Projects"])
async def get_projects(tx: Tx, caller: SignedIn, workspace: InWorkspace) -> Success[list[Project]]:
    """The projects of a workspace that the caller may know of."""
    listed = await projects.list_projects(tx, caller)
    found = [one for one in listed if one.organization_id == workspace.organization.id]
    inside = await recordings.recordings_by_project(tx, found)
    return success([convert.project(one, inside[one.id]) for one in found])


@router.post("/workspaces/{workspace_id}/projects/", operation_id="post_project", tags=["Projects"])
async def post_project(tx: Tx, caller: SignedIn, workspace: InWorkspace, body: ProjectPost) -> Success[Project]:
    """Make a project."""
    made = await projects.create_project(tx, caller, organization=workspace.organization.name, title=body.name)
    return success(convert.project(made))


@router.get(IN_PROJECT, operation_id="get_project", tags=["Projects"])
async def get_project(tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str) -> Success[Project]:
    """One project."""
    found = await gaze_projects.get_project(tx, caller, workspace, to_uuid(project_id, "Project"))
    inside = await recordings.recordings_by_project(tx, [found])
    return success(convert.project(found, inside[found.id]))


@router.delete(IN_PROJECT, operation_id="delete_project", tags=["Projects"])
async def delete_project(tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str) -> Success[dict[str, str]]:
    """Remove a project with all that is in it; recordings stay in the workspace."""
    await gaze_projects.delete_project(tx, caller, workspace, to_uuid(project_id, "Project"))
    return success({"id": project_id})
