"""Everyone who has to do with a project: members of its organization, holders of roles, service users."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import audit
from quadrat.identity.actions import organizations
from quadrat.identity.actions.access import ProjectRef, access_to, open_project, require
from quadrat.identity.store import organizations as organization_store
from quadrat.identity.store import users as user_store
from quadrat.identity.types import AuditEntry, Caller, MemberLevel, User


async def list_people(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef
) -> Sequence[tuple[User, MemberLevel | None]]:
    """Members of the project's organization, then who else holds a role in it, then its service users.

    Whoever belongs to the project through a role only does not learn who the organization's members are.

    Raises:
        QuadratError: not_found, forbidden.
    """
    access = await access_to(tx, caller, ref)
    require(caller, access, "roles.assignments.list")
    found: dict[int, tuple[User, MemberLevel | None]] = {}
    if access.level is not None or caller.is_platform_admin:
        for member in await organization_store.list_members(tx, access.project.organization_id):
            found[member.user.id] = (member.user, member.level)
    for user in await user_store.list_holders(tx, access.project.id):
        found.setdefault(user.id, (user, None))
    for user in await user_store.list_service_users(tx, access.project.id):
        found.setdefault(user.id, (user, None))
    return list(found.values())


async def read_trail(tx: AsyncConnection, caller: Caller, wanted: audit.Wanted) -> Sequence[AuditEntry]:
    """The audit trail of a project for who may give rights in it, of an organization for its administrators.

    Who runs this server reads all of it.

    Raises:
        QuadratError: not_found, forbidden.
    """
    if not caller.is_platform_admin:
        if wanted.project is not None:
            await open_project(tx, caller, wanted.project, "roles.assignments.create")
        elif wanted.organization is not None:
            await organizations.open_as_admin(tx, caller, wanted.organization)
        else:
            raise QuadratError(ErrorKind.FORBIDDEN, "Say of which project or organization.", field="project")
    return await audit.list_all(tx, wanted)
