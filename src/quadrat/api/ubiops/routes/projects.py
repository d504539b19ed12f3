"""Projects of the caller's organizations."""

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.projects import to_project_list
from quadrat.api.ubiops.schemas.projects import ProjectCreate, ProjectList, ProjectUpdate
from quadrat.api.wire import Tx
from quadrat.identity.actions import projects
from quadrat.serving.actions.housekeeping import delete_project

router = new_router("Projects")


@router.get("/projects", operation_id="projects_list")
async def projects_list(caller: SignedIn, tx: Tx) -> list[ProjectList]:
    """By name; seeing a project here gives no permission in it."""
    return [to_project_list(found) for found in await projects.list_projects(tx, caller)]


@router.post("/projects", operation_id="projects_create", status_code=201)
async def projects_create(caller: SignedIn, body: ProjectCreate, tx: Tx) -> ProjectList:
    """For administrators of the organization."""
    made = await projects.create_project(tx, caller, organization=body.organization_name, name=body.name)
    return to_project_list(made)


@router.get("/projects/{project_name}", operation_id="projects_get")
async def projects_get(project_name: str, caller: SignedIn, tx: Tx) -> ProjectList:
    """One project."""
    return to_project_list(await projects.get_project(tx, caller, project_name))


@router.patch("/projects/{project_name}", operation_id="projects_update")
async def projects_update(project_name: str, caller: SignedIn, body: ProjectUpdate, tx: Tx) -> ProjectList:
    """Rename it; the old name is gone at once."""
    return to_project_list(await projects.update_project(tx, caller, project_name, name=body.name))


@router.delete("/projects/{project_name}", operation_id="projects_delete", status_code=204)
async def projects_delete(project_name: str, caller: SignedIn, tx: Tx) -> None:
    """With all that is in it."""
    await delete_project(tx, caller, project_name)
