"""Roles and assignments between the wire and the house."""

from uuid import UUID

from quadrat.api.ubiops.schemas.roles import RoleAssignmentList, RoleDetailList, RoleList
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Role
from quadrat.serving.actions.rights import NamedAssignment


def to_role_list(role: Role) -> RoleList:
    """One in a list."""
    return RoleList(id=str(role.uuid), name=role.name, default=role.project_id is None)


def to_role_detail_list(role: Role) -> RoleDetailList:
    """One alone."""
    return RoleDetailList(
        id=str(role.uuid),
        name=role.name,
        default=role.project_id is None,
        permissions=sorted(role.permissions),
    )


def to_role_assignment_list(found: NamedAssignment) -> RoleAssignmentList:
    """An assignment on the whole project names the project."""
    return RoleAssignmentList(
        id=str(found.assignment.uuid),
        user_id=str(found.assignment.user_uuid),
        role=found.assignment.role_name,
        object_name=found.object_name,
        object_type="project" if found.assignment.target is None else found.assignment.target.type,
    )


def to_assignment_id(text: str) -> UUID:
    """The assignment in an address.

    Raises:
        QuadratError: not_found, since nothing has an id that is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Role assignment {text} does not exist.", field="id") from error
