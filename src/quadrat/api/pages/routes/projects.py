"""Projects under all the names that the four APIs use, with the caller's rights."""

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_project_card, to_project_rights
from quadrat.api.pages.schemas import ProjectCard, ProjectRights
from quadrat.api.wire import Tx
from quadrat.identity import rules
from quadrat.identity.actions import memberships, organizations, projects
from quadrat.identity.actions.access import access_to

router = new_router("Projects")


@router.get("/projects", operation_id="page_projects_list")
async def page_projects_list(caller: SignedIn, tx: Tx) -> list[ProjectCard]:
    """Every project that the caller may know of, by name."""
    uuids = {found.name: found.uuid for found in await organizations.list_organizations(tx, caller)}
    levels = {found.organization_uuid: found.level for found in await memberships.list_memberships(tx, caller)}
    cards = []
    for project in await projects.list_projects(tx, caller):
        uuid = uuids.get(project.organization_name)
        cards.append(to_project_card(project, uuid, None if uuid is None else levels.get(uuid)))
    return cards


@router.get("/projects/{project_id}", operation_id="page_projects_get")
async def page_projects_get(project_id: int, caller: SignedIn, tx: Tx) -> ProjectRights:
    """One project with all that the caller may do in it."""
    access = await access_to(tx, caller, project_id)
    uuids = {found.name: found.uuid for found in await organizations.list_organizations(tx, caller)}
    return to_project_rights(access, uuids.get(access.project.organization_name), rules.held(caller, access))
