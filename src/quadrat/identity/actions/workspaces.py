"""Organizations as places of work: what belongs to one and to no project of it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.store import organizations as store
from quadrat.identity.types import Caller, MemberLevel, Organization


@dataclass(frozen=True, slots=True)
class Workspace:
    """An organization that the caller may look into.

    Args:
        organization: The organization.
        level: What the caller is in it; None for a platform administrator who is no member.
    """

    organization: Organization
    level: MemberLevel | None


async def open_workspace(tx: AsyncConnection, caller: Caller, uuid: UUID | None) -> Workspace:
    """An organization by its id, or the caller's own.

    Raises:
        QuadratError: not_found, also for one that the caller may not know of; forbidden for a service user.
    """
    if caller.is_service:
        raise QuadratError(ErrorKind.FORBIDDEN, "A service user can do nothing outside its project.")
    if uuid is None:
        personal = await store.find_personal_organization(tx, caller.user_id)
        uuid = None if personal is None else personal.uuid
    found = None if uuid is None else await store.find_organization(tx, caller, uuid)
    if found is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Workspace {uuid or 'default'} does not exist.", field="workspace")
    return Workspace(*found)


def require_in_workspace(
    caller: Caller, workspace: Workspace, permission: str, *, made_by: UUID | None = None, creates: bool = False
) -> None:
    """Refuse unless the caller's level in the organization holds the permission.

    Args:
        caller: Who asks.
        workspace: Where.
        permission: For what.
        made_by: Who made the thing that is concerned: demo members change what they made themselves.
        creates: Something new is made, which demo members may.

    Raises:
        QuadratError: forbidden.
    """
    own = workspace.level is MemberLevel.DEMO and (creates or made_by == caller.uuid)
    if not own and not rules.level_allows(caller, workspace.level, permission):
        raise QuadratError(
            ErrorKind.FORBIDDEN,
            f"You need the permission {permission} in workspace {workspace.organization.title}.",
            detail={"permission": permission},
        )
