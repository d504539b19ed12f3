"""Roles and who holds them."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.base.slugs import is_slug
from quadrat.identity.permissions import PROJECT_ADMIN
from quadrat.identity.tables import member, project, role, role_assignment, user
from quadrat.identity.types import (
    ObjectType,
    OrganizationId,
    ProjectId,
    Role,
    RoleAssignment,
    RoleId,
    Target,
    UserId,
)


def _select_roles(project_id: ProjectId) -> Select[int, UUID, int | None, str, list[str]]:
    """The default roles and those of the project."""
    return select(role.c.id, role.c.uuid, role.c.project_id, role.c.name, role.c.permissions).where(
        or_(role.c.project_id.is_(None), role.c.project_id == project_id)
    )


def _to_role(row: tuple[int, UUID, int | None, str, list[str]]) -> Role:
    id_, uuid, project_id, name, permissions = row
    own = None if project_id is None else ProjectId(project_id)
    return Role(RoleId(id_), uuid, own, name, frozenset(permissions))


async def list_roles(tx: AsyncConnection, project_id: ProjectId) -> list[Role]:
    """The default roles first, then the project's own, each by name."""
    query = _select_roles(project_id).order_by(role.c.project_id.is_not(None), role.c.name)
    return [_to_role(row) for row in await tx.execute(query)]


async def find_role(tx: AsyncConnection, project_id: ProjectId, name: str) -> Role | None:
    """By name, a default one or the project's own."""
    if not is_slug(name):
        return None
    row = (await tx.execute(_select_roles(project_id).where(role.c.name == name))).one_or_none()
    return None if row is None else _to_role(row)


async def insert_role(tx: AsyncConnection, project_id: ProjectId, name: str, permissions: Iterable[str]) -> Role | None:
    """The new role; None when the name is taken in the project."""
    statement = (
        insert(role)
        .values(uuid=new_uuid(), project_id=project_id, name=name, permissions=sorted(permissions))
        .on_conflict_do_nothing()
        .returning(role.c.id, role.c.uuid, role.c.project_id, role.c.name, role.c.permissions)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _to_role(row)


async def update_role(tx: AsyncConnection, role_id: RoleId, values: Mapping[str, Any]) -> None:
    """Change columns.

    Raises:
        IntegrityError: The name is taken.
    """
    await tx.execute(update(role).where(role.c.id == role_id).values(dict(values)))


async def delete_role(tx: AsyncConnection, role_id: RoleId) -> None:
    """Remove the role and its assignments."""
    await tx.execute(delete(role).where(role.c.id == role_id))


async def may_hold_roles(tx: AsyncConnection, project_id: ProjectId, user_id: UserId) -> bool:
    """Whether the user is a member of the project's organization or a service user of the project."""
    is_member = exists().where(
        member.c.user_id == user.c.id,
        member.c.organization_id
        == select(project.c.organization_id).where(project.c.id == project_id).scalar_subquery(),
    )
    query = select(user.c.id).where(user.c.id == user_id, or_(user.c.service_project_id == project_id, is_member))
    return (await tx.execute(query)).scalar_one_or_none() is not None


async def is_held_by_service_user(tx: AsyncConnection, role_id: RoleId) -> bool:
    """Whether any service user holds the role."""
    held = exists().where(
        role_assignment.c.role_id == role_id,
        role_assignment.c.user_id == user.c.id,
        user.c.service_project_id.is_not(None),
    )
    return bool((await tx.execute(select(held))).scalar_one())


def _select_assignments(project_id: ProjectId) -> Select[UUID, int, UUID, str, str | None, UUID | None]:
    return (
        select(
            role_assignment.c.uuid,
            role_assignment.c.project_id,
            user.c.uuid,
            role.c.name,
            role_assignment.c.object_type,
            role_assignment.c.object_id,
        )
        .join(user, user.c.id == role_assignment.c.user_id)
        .join(role, role.c.id == role_assignment.c.role_id)
        .where(role_assignment.c.project_id == project_id)
    )


def _to_assignment(row: tuple[UUID, int, UUID, str, str | None, UUID | None]) -> RoleAssignment:
    uuid, project_id, user_uuid, role_name, type_, id_ = row
    target = None if type_ is None or id_ is None else Target(ObjectType(type_), id_)
    return RoleAssignment(uuid, ProjectId(project_id), user_uuid, role_name, target)


async def insert_assignment(
    tx: AsyncConnection, project_id: ProjectId, user_id: UserId, role_id: RoleId, target: Target | None
) -> RoleAssignment | None:
    """The new assignment; None when the user holds the same already."""
    statement = (
        insert(role_assignment)
        .values(
            uuid=new_uuid(),
            project_id=project_id,
            user_id=user_id,
            role_id=role_id,
            object_type=None if target is None else target.type,
            object_id=None if target is None else target.id,
        )
        .on_conflict_do_nothing()
        .returning(role_assignment.c.uuid)
    )
    uuid = (await tx.execute(statement)).scalar_one_or_none()
    return None if uuid is None else await find_assignment(tx, project_id, uuid)


async def find_assignment(tx: AsyncConnection, project_id: ProjectId, uuid: UUID) -> RoleAssignment | None:
    """One assignment in the project."""
    row = (await tx.execute(_select_assignments(project_id).where(role_assignment.c.uuid == uuid))).one_or_none()
    return None if row is None else _to_assignment(row)


async def list_assignments(
    tx: AsyncConnection, project_id: ProjectId, user_id: UserId | None = None
) -> list[RoleAssignment]:
    """The assignments in the project, of one user or all, oldest first."""
    query = _select_assignments(project_id).order_by(role_assignment.c.id)
    if user_id is not None:
        query = query.where(role_assignment.c.user_id == user_id)
    return [_to_assignment(row) for row in await tx.execute(query)]


async def delete_assignment(tx: AsyncConnection, project_id: ProjectId, uuid: UUID) -> bool:
    """Whether there was such an assignment."""
    result = await tx.execute(
        delete(role_assignment).where(role_assignment.c.project_id == project_id, role_assignment.c.uuid == uuid)
    )
    return result.rowcount > 0


async def delete_assignments_of_object(tx: AsyncConnection, project_id: ProjectId, target: Target) -> None:
    """Remove what was given on an object that is being deleted."""
    await tx.execute(
        delete(role_assignment).where(
            role_assignment.c.project_id == project_id,
            role_assignment.c.object_type == target.type,
            role_assignment.c.object_id == target.id,
        )
    )


async def delete_assignments_in(tx: AsyncConnection, organization_id: OrganizationId, user_id: UserId) -> None:
    """Remove all that the user holds in the organization's projects."""
    await tx.execute(delete(role_assignment).where(_held_in(organization_id, user_id)))


async def delete_admin_assignments_in(tx: AsyncConnection, organization_id: OrganizationId, user_id: UserId) -> None:
    """Remove what the user holds as an administrator of the organization."""
    admin = select(role.c.id).where(role.c.project_id.is_(None), role.c.name == PROJECT_ADMIN)
    await tx.execute(
        delete(role_assignment).where(
            _held_in(organization_id, user_id),
            role_assignment.c.role_id.in_(admin),
            role_assignment.c.object_id.is_(None),
        )
    )


def _held_in(organization_id: OrganizationId, user_id: UserId) -> ColumnElement[bool]:
    projects = select(project.c.id).where(project.c.organization_id == organization_id)
    return and_(role_assignment.c.user_id == user_id, role_assignment.c.project_id.in_(projects))
