"""Permissions, the roles made of them, and who holds those."""

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.organization_users import to_user_id
from quadrat.api.ubiops.convert.roles import (
    to_assignment_id,
    to_role_assignment_list,
    to_role_detail_list,
    to_role_list,
)
from quadrat.api.ubiops.schemas.roles import (
    PermissionList,
    RoleAssignmentCreate,
    RoleAssignmentList,
    RoleCreate,
    RoleDetailList,
    RoleList,
    RoleUpdate,
)
from quadrat.api.wire import Tx
from quadrat.identity.actions import roles
from quadrat.serving.actions import rights

router = new_router("Roles")

_ROLES = "/projects/{project_name}/roles"
_ROLE = _ROLES + "/{role_name}"
_ASSIGNMENTS = "/projects/{project_name}/role-assignments"
_ASSIGNMENT = _ASSIGNMENTS + "/{id}"


@router.get("/permissions", operation_id="permissions_list")
async def permissions_list(caller: SignedIn) -> list[PermissionList]:
    """Everything that a role can hold, for all four APIs."""
    return [PermissionList(name=name) for name in roles.list_permissions(caller)]


@router.get(_ROLES, operation_id="roles_list")
async def roles_list(project_name: str, caller: SignedIn, tx: Tx) -> list[RoleList]:
    """The default roles, then the project's own."""
    return [to_role_list(role) for role in await roles.list_roles(tx, caller, project_name)]


@router.post(_ROLES, operation_id="roles_create", status_code=201)
async def roles_create(project_name: str, caller: SignedIn, body: RoleCreate, tx: Tx) -> RoleDetailList:
    """A role of this project alone."""
    return to_role_detail_list(await roles.create_role(tx, caller, project_name, body.name, body.permissions))


@router.get(_ROLE, operation_id="roles_get")
async def roles_get(project_name: str, role_name: str, caller: SignedIn, tx: Tx) -> RoleDetailList:
    """One role with what it holds."""
    return to_role_detail_list(await roles.get_role(tx, caller, project_name, role_name))


@router.patch(_ROLE, operation_id="roles_update")
async def roles_update(project_name: str, role_name: str, caller: SignedIn, body: RoleUpdate, tx: Tx) -> RoleDetailList:
    """The permissions given replace those before; default roles stay as they are."""
    changed = await roles.update_role(tx, caller, project_name, role_name, name=body.name, permissions=body.permissions)
    return to_role_detail_list(changed)


@router.delete(_ROLE, operation_id="roles_delete", status_code=204)
async def roles_delete(project_name: str, role_name: str, caller: SignedIn, tx: Tx) -> None:
    """Whoever holds it holds it no more; default roles stay."""
    await roles.delete_role(tx, caller, project_name, role_name)


@router.post(_ASSIGNMENTS, operation_id="role_assignments_create", status_code=201)
async def role_assignments_create(
    project_name: str, caller: SignedIn, body: RoleAssignmentCreate, tx: Tx
) -> RoleAssignmentList:
    """To a member of the organization or a service user of the project; on the project or on one object."""
    wanted = rights.NewAssignment(body.user_id, body.role, body.object_type, body.object_name)
    return to_role_assignment_list(await rights.assign_role(tx, caller, project_name, wanted))


@router.get(_ASSIGNMENT, operation_id="role_assignments_get")
async def role_assignments_get(project_name: str, id: str, caller: SignedIn, tx: Tx) -> RoleAssignmentList:
    """One assignment."""
    return to_role_assignment_list(await rights.get_assignment(tx, caller, project_name, to_assignment_id(id)))


@router.delete(_ASSIGNMENT, operation_id="role_assignments_delete", status_code=204)
async def role_assignments_delete(project_name: str, id: str, caller: SignedIn, tx: Tx) -> None:
    """Also one's own."""
    await roles.delete_assignment(tx, caller, project_name, to_assignment_id(id))


@router.get("/projects/{project_name}/users/{user_id}/role-assignments", operation_id="role_assignments_per_user_list")
async def role_assignments_per_user_list(
    project_name: str, user_id: str, caller: SignedIn, tx: Tx
) -> list[RoleAssignmentList]:
    """What one user holds in the project, oldest first."""
    found = await rights.list_assignments(tx, caller, project_name, to_user_id(user_id))
    return [to_role_assignment_list(item) for item in found]
