"""Roles of a project, who holds them, and the project's service users."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.access import ProjectRef, open_project
from quadrat.identity.actions.tokens import create_token, revoke_tokens
from quadrat.identity.audit import record
from quadrat.identity.changes import announce_change
from quadrat.identity.permissions import DATA_PERMISSIONS, SERVING_PERMISSIONS
from quadrat.identity.store import roles as store
from quadrat.identity.store import users as user_store
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import Caller, Project, ProjectId, Role, RoleAssignment, Target, User

_NAME_TAKEN = "There is a role with this name in the project already."
_SERVICE_DOMAIN = "serviceuser.quadrat.invalid"
_SERVICE_TOKEN_NAME = "service user"  # noqa: S105 - a label


def list_permissions(caller: Caller) -> Sequence[str]:
    """Every permission that a role can hold.

    Raises:
        QuadratError: forbidden for a service user.
    """
    if caller.is_service:
        raise QuadratError(ErrorKind.FORBIDDEN, "A service user can do nothing outside its project.")
    return SERVING_PERMISSIONS + DATA_PERMISSIONS


async def list_roles(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> Sequence[Role]:
    """The default roles, then the project's own.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.list")
    return await store.list_roles(tx, project.id)


async def get_role(tx: AsyncConnection, caller: Caller, ref: ProjectRef, name: str) -> Role:
    """One role, a default one or the project's own.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.get")
    return await _get_role(tx, project, name)


async def create_role(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, name: str, permissions: Collection[str]
) -> Role:
    """Make a role of the project's own. Its name may not be that of a default role.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    project = await open_project(tx, caller, ref, "roles.create")
    held = rules.check_permissions(permissions)
    rules.check_role_name(name)
    role = await store.insert_role(tx, project.id, name, held)
    if role is None:
        raise QuadratError(ErrorKind.ALREADY_EXISTS, _NAME_TAKEN, field="name")
    await record(tx, "role.created", name, project=project, permissions=sorted(held))
    return role


async def update_role(
    tx: AsyncConnection,
    caller: Caller,
    ref: ProjectRef,
    current_name: str,
    *,
    name: str | None = None,
    permissions: Collection[str] | None = None,
) -> Role:
    """Rename a role of the project's own, or replace what it holds; None leaves a thing as it is.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists; wrong_state for a default role, and for a role of
            a service user that would come to hold permissions on roles or users.
    """
    project = await open_project(tx, caller, ref, "roles.update")
    role = _require_own(await _get_role(tx, project, current_name))
    values: dict[str, Any] = {}
    if name is not None and name != role.name:
        rules.check_role_name(name)
        values["name"] = name
    if permissions is not None:
        held = rules.check_permissions(permissions)
        if not rules.suits_service_user(held) and await store.is_held_by_service_user(tx, role.id):
            raise QuadratError(
                ErrorKind.WRONG_STATE,
                "A service user holds this role, and cannot hold permissions on roles or users.",
                field="permissions",
            )
        values["permissions"] = sorted(held)
    if values:
        async with refuse_taken(tx, _NAME_TAKEN, field="name"):
            await store.update_role(tx, role.id, values)
        await record(tx, "role.changed", role.name, project=project, **values)
        await announce_change(tx)
    return await _get_role(tx, project, values.get("name", role.name))


async def delete_role(tx: AsyncConnection, caller: Caller, ref: ProjectRef, name: str) -> None:
    """Remove a role of the project's own, and take it from everyone who holds it.

    Raises:
        QuadratError: not_found, forbidden; wrong_state for a default role.
    """
    project = await open_project(tx, caller, ref, "roles.delete")
    role = _require_own(await _get_role(tx, project, name))
    await store.delete_role(tx, role.id)
    await record(tx, "role.deleted", role.name, project=project)
    await announce_change(tx)


async def assign_role(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, user_uuid: UUID, role_name: str, target: Target | None = None
) -> RoleAssignment:
    """Give a role to a member of the project's organization or a service user of the project.

    Args:
        tx: The transaction.
        caller: Who asks.
        ref: The project.
        user_uuid: Who gets it.
        role_name: A default role or one of the project's own.
        target: The one object on which it is given (it covers all below it); None for the whole project.

    Raises:
        QuadratError: not_found, forbidden; invalid for an unknown user or role, or a role that a service user cannot
            hold; already_exists.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.create")
    user = await user_store.find_user_by_uuid(tx, user_uuid)
    if user is None or not await store.may_hold_roles(tx, project.id, user.id):
        raise QuadratError(
            ErrorKind.INVALID, f"User {user_uuid} is no member of the organization of {project.name}.", field="user_id"
        )
    role = await store.find_role(tx, project.id, role_name)
    if role is None:
        raise QuadratError(ErrorKind.INVALID, f"Role {role_name} does not exist.", field="role")
    if target is not None and not rules.suits_target(role.permissions, target.type):
        raise QuadratError(
            ErrorKind.INVALID, f"Role {role_name} gives nothing on a single {target.type}.", field="role"
        )
    if user.service_project_id is not None and not rules.suits_service_user(role.permissions):
        raise QuadratError(ErrorKind.INVALID, "A service user cannot hold permissions on roles or users.", field="role")
    made = await store.insert_assignment(tx, project.id, user.id, role.id, target)
    if made is None:
        raise QuadratError(ErrorKind.ALREADY_EXISTS, "The user holds this role already.", field="role")
    await record(tx, "role.assigned", user.email, project=project, role=role.name, **_facts(target))
    await announce_change(tx)
    return made


async def get_assignment(tx: AsyncConnection, caller: Caller, ref: ProjectRef, uuid: UUID) -> RoleAssignment:
    """One assignment.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.get")
    found = await store.find_assignment(tx, project.id, uuid)
    if found is None:
        raise _unknown_assignment(uuid)
    return found


async def list_assignments(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, user_uuid: UUID
) -> Sequence[RoleAssignment]:
    """What one user holds in the project, oldest first; nothing for someone who can hold nothing there.

    Raises:
        QuadratError: not_found for the project, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.list")
    user = await user_store.find_user_by_uuid(tx, user_uuid)
    return [] if user is None else await store.list_assignments(tx, project.id, user.id)


async def list_all_assignments(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> Sequence[RoleAssignment]:
    """What everyone holds in the project, oldest first.

    Raises:
        QuadratError: not_found for the project, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.list")
    return await store.list_assignments(tx, project.id)


async def delete_assignment(tx: AsyncConnection, caller: Caller, ref: ProjectRef, uuid: UUID) -> None:
    """Take a role from its holder, who may be the caller.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.delete")
    found = await store.find_assignment(tx, project.id, uuid)
    if found is None or not await store.delete_assignment(tx, project.id, uuid):
        raise _unknown_assignment(uuid)
    await record(
        tx, "role.unassigned", str(found.user_uuid), project=project, role=found.role_name, **_facts(found.target)
    )
    await announce_change(tx)


async def forget_object(tx: AsyncConnection, project_id: ProjectId, target: Target) -> None:
    """Call when an object that roles may be given on is deleted."""
    await store.delete_assignments_of_object(tx, project_id, target)
    await announce_change(tx)


async def create_service_user(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, name: str | None
) -> tuple[User, str]:
    """Make a service user, who holds no role at first; its token is in the answer and nowhere else.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    project = await open_project(tx, caller, ref, "service-users.create")
    email = f"{new_uuid()}.{project.name}@{_SERVICE_DOMAIN}"
    user = await user_store.insert_service_user(tx, project.id, email, rules.check_person_name(name, "name"))
    _, secret = await create_token(tx, user.id, _SERVICE_TOKEN_NAME)
    await record(tx, "service-user.created", user.email, project=project)
    return user, secret


async def get_service_user(tx: AsyncConnection, caller: Caller, ref: ProjectRef, uuid: UUID) -> User:
    """One service user of the project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "service-users.get")
    return await _get_service_user(tx, project, uuid)


async def list_service_users(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> Sequence[User]:
    """The service users of the project, oldest first.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "service-users.list")
    return await user_store.list_service_users(tx, project.id)


async def update_service_user(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, uuid: UUID, name: str | None
) -> User:
    """Give a service user another name; an empty one takes it away, None leaves it.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    project = await open_project(tx, caller, ref, "service-users.update")
    user = await _get_service_user(tx, project, uuid)
    if name is None:
        return user
    changed = await user_store.update_user(tx, user.id, {"name": rules.check_person_name(name, "name")})
    return changed or user


async def reset_service_token(tx: AsyncConnection, caller: Caller, ref: ProjectRef, uuid: UUID) -> str:
    """A new token in place of the service user's old one, which ends at once.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "service-users.update")
    user = await _get_service_user(tx, project, uuid)
    await revoke_tokens(tx, user.id)
    _, secret = await create_token(tx, user.id, _SERVICE_TOKEN_NAME)
    await record(tx, "service-user.token-reset", user.email, project=project)
    return secret


async def delete_service_user(tx: AsyncConnection, caller: Caller, ref: ProjectRef, uuid: UUID) -> None:
    """Remove a service user with its token and roles.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "service-users.delete")
    user = await _get_service_user(tx, project, uuid)
    await user_store.delete_user(tx, user.id)
    await record(tx, "service-user.deleted", user.email, project=project)
    await announce_change(tx)


async def _get_role(tx: AsyncConnection, project: Project, name: str) -> Role:
    role = await store.find_role(tx, project.id, name)
    if role is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Role {name} does not exist.", field="role")
    return role


def _facts(target: Target | None) -> dict[str, Any]:
    return {} if target is None else {"object_type": target.type, "object_id": str(target.id)}


def _require_own(role: Role) -> Role:
    if role.project_id is None:
        raise QuadratError(ErrorKind.WRONG_STATE, "A default role cannot be changed or deleted.", field="role")
    return role


async def _get_service_user(tx: AsyncConnection, project: Project, uuid: UUID) -> User:
    user = await user_store.find_service_user(tx, project.id, uuid)
    if user is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Service user {uuid} does not exist.", field="service_user")
    return user


def _unknown_assignment(uuid: UUID) -> QuadratError:
    return QuadratError(ErrorKind.NOT_FOUND, f"Role assignment {uuid} does not exist.", field="role_assignment")
