"""Who sends a token, what a caller may see, and what decides about one project."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.slugs import is_slug
from quadrat.identity.tables import member, organization, project, role, role_assignment, token, user
from quadrat.identity.types import (
    Access,
    Caller,
    Grant,
    MemberLevel,
    ObjectType,
    OrganizationId,
    Project,
    ProjectId,
    Target,
    UserId,
    UserStatus,
)

ProjectRef = str | UUID | int
"""How an API names a project: by name, by UUID, or by number."""

_TOUCH_EVERY = timedelta(minutes=1)
_MAX_ID = 2**63 - 1
_NO_TOKEN = UUID(int=0)


def select_projects() -> Select[int, UUID, int, str, str, str, datetime]:
    """Projects with the names of their organizations, for `to_project`."""
    return select(
        project.c.id,
        project.c.uuid,
        project.c.organization_id,
        organization.c.name,
        project.c.name,
        project.c.title,
        project.c.created_at,
    ).join(organization, organization.c.id == project.c.organization_id)


def to_project(row: tuple[int, UUID, int, str, str, str, datetime]) -> Project:
    """A row of `select_projects`."""
    id_, uuid, organization_id, organization_name, name, title, created_at = row
    return Project(ProjectId(id_), uuid, OrganizationId(organization_id), organization_name, name, title, created_at)


def visible(caller: Caller) -> Select[int]:
    """Ids of the projects that the caller may know of: the one visibility query, joined by every scoped read."""
    if caller.is_platform_admin:
        return select(project.c.id)
    through_organization = (
        select(project.c.id)
        .join(member, member.c.organization_id == project.c.organization_id)
        .where(member.c.user_id == caller.user_id)
    )
    through_role = select(role_assignment.c.project_id).where(role_assignment.c.user_id == caller.user_id)
    # A service user knows of its project even before it holds a role there.
    own = select(project.c.id).where(project.c.id == caller.service_project_id)
    both = union(through_organization, through_role, own).subquery()
    return select(both.c.id)


async def find_caller(tx: AsyncConnection, token_hash: bytes) -> Caller | None:
    """The active user of a token that has not ended."""
    query = (
        select(
            user.c.id,
            user.c.uuid,
            user.c.email,
            user.c.is_platform_admin,
            user.c.service_project_id,
            token.c.id,
        )
        .join(user, user.c.id == token.c.user_id)
        .where(
            token.c.hash == token_hash,
            user.c.status == UserStatus.ACTIVE,
            or_(token.c.expires_at.is_(None), token.c.expires_at > now()),
        )
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    user_id, uuid, email, is_admin, service_project_id, token_id = row
    service = None if service_project_id is None else ProjectId(service_project_id)
    return Caller(UserId(user_id), uuid, email, is_admin, service, token_id)


async def touch_token(tx: AsyncConnection, token_id: UUID) -> None:
    """Note that the token was used now; to the minute, so that reading stays cheap."""
    at = now()
    stale = or_(token.c.last_used_at.is_(None), token.c.last_used_at < at - _TOUCH_EVERY)
    await tx.execute(update(token).where(token.c.id == token_id, stale).values(last_used_at=at))


async def find_access(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> Access | None:
    """The project and all that decides about the caller in it; None when the caller may not know of it.

    One statement, with a row for each of the caller's assignments: nearly every request begins with it.
    """
    query = (
        select_projects()
        .add_columns(member.c.level, role.c.permissions, role_assignment.c.object_type, role_assignment.c.object_id)
        .outerjoin(
            member, and_(member.c.organization_id == project.c.organization_id, member.c.user_id == caller.user_id)
        )
        .outerjoin(
            role_assignment,
            and_(role_assignment.c.project_id == project.c.id, role_assignment.c.user_id == caller.user_id),
        )
        .outerjoin(role, role.c.id == role_assignment.c.role_id)
        .where(project.c.id.in_(visible(caller)), _named(ref))
    )
    rows = (await tx.execute(query)).all()
    if not rows:
        return None
    level = rows[0][7]
    return Access(
        to_project(rows[0][:7]),
        None if level is None else MemberLevel(level),
        tuple(_to_grant(row[8], row[9], row[10]) for row in rows if row[8] is not None),
    )


async def find_organization_id(tx: AsyncConnection, project_id: ProjectId) -> OrganizationId | None:
    """Whose project it is; None when it is gone."""
    query = select(project.c.organization_id).where(project.c.id == project_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    return None if found is None else OrganizationId(found)


async def list_projects(tx: AsyncConnection, caller: Caller) -> Sequence[Project]:
    """Every project that the caller may know of, by name."""
    query = select_projects().where(project.c.id.in_(visible(caller))).order_by(project.c.name)
    return [to_project(row) for row in await tx.execute(query)]


def _named(ref: ProjectRef) -> ColumnElement[bool]:
    if isinstance(ref, UUID):
        return project.c.uuid == ref
    if isinstance(ref, int):
        return project.c.id == ref if abs(ref) <= _MAX_ID else false()
    # What no project can be called is not asked for: it might hold what the database refuses, such as NUL.
    return project.c.name == ref if is_slug(ref) else false()


def _to_grant(permissions: Sequence[str], type_: str | None, id_: UUID | None) -> Grant:
    return Grant(frozenset(permissions), None if type_ is None or id_ is None else Target(ObjectType(type_), id_))


async def find_user_as_caller(tx: AsyncConnection, user_id: UserId) -> Caller | None:
    """An active user, as if it were calling; None when it may not call any more."""
    query = select(user.c.uuid, user.c.email, user.c.is_platform_admin, user.c.service_project_id).where(
        user.c.id == user_id, user.c.status == UserStatus.ACTIVE
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    uuid, email, is_admin, service_project_id = row
    service = None if service_project_id is None else ProjectId(service_project_id)
    return Caller(user_id, uuid, email, is_admin, service, _NO_TOKEN)
