"""Who has to do with a project, what members of an organization are, and who changed rights."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_audit_row, to_project_person
from quadrat.api.pages.schemas import AuditRow, LevelChange, ProjectPerson
from quadrat.api.wire import Tx
from quadrat.identity import audit
from quadrat.identity.actions import organizations, people
from quadrat.serving.actions import rights

router = new_router("People")


@router.get("/projects/{project_id}/people", operation_id="page_people_list")
async def page_people_list(project_id: int, caller: SignedIn, tx: Tx) -> list[ProjectPerson]:
    """Members of the project's organization, other holders of roles, service users; each with the roles held."""
    found = await people.list_people(tx, caller, project_id)
    assignments = await rights.list_all_assignments(tx, caller, project_id)
    return [to_project_person(user, level, assignments) for user, level in found]


@router.put("/organizations/{organization}/members/{user_id}", operation_id="page_members_update", status_code=204)
async def page_members_update(organization: str, user_id: UUID, body: LevelChange, caller: SignedIn, tx: Tx) -> None:
    """Change what a member is; refused for the last administrator."""
    await organizations.update_member(tx, caller, organization, user_id, body.level)


@router.get("/audit", operation_id="page_audit_list")
async def page_audit_list(  # noqa: PLR0913 - one for each parameter of the query
    caller: SignedIn,
    tx: Tx,
    *,
    project: str | None = None,
    organization: str | None = None,
    user: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[AuditRow]:
    """Newest first; of a project for who may give rights in it, of an organization for its administrators."""
    wanted = audit.Wanted(organization, project, user, since, limit, before)
    return [to_audit_row(entry) for entry in await people.read_trail(tx, caller, wanted)]
