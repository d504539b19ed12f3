"""Organizations and their members."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.base.slugs import is_slug
from quadrat.identity.rules import ADMIN_LEVELS
from quadrat.identity.store.users import select_users, to_user
from quadrat.identity.tables import member, organization, project, subscription, user
from quadrat.identity.types import Caller, Member, MemberLevel, Organization, OrganizationId, UserId, UserStatus

_Row = tuple[int, UUID, str, str, int | None, str, datetime]


def _select_organizations() -> Select[int, UUID, str, str, int | None, str, datetime]:
    return select(
        organization.c.id,
        organization.c.uuid,
        organization.c.name,
        organization.c.title,
        organization.c.personal_user_id,
        subscription.c.name,
        organization.c.created_at,
    ).join(subscription, subscription.c.id == organization.c.subscription_id)


def _to_organization(row: _Row) -> Organization:
    id_, uuid, name, title, personal_user_id, subscription_name, created_at = row
    personal = None if personal_user_id is None else UserId(personal_user_id)
    return Organization(OrganizationId(id_), uuid, name, title, personal, subscription_name, created_at)


def visible_organizations(caller: Caller) -> Select[int]:
    """Ids of the organizations that the caller may know of."""
    if caller.is_platform_admin:
        return select(organization.c.id)
    return select(member.c.organization_id).where(member.c.user_id == caller.user_id)


async def insert_organization(tx: AsyncConnection, values: Mapping[str, Any]) -> Organization | None:
    """The new organization; None when the name is taken, or the user has a personal one already."""
    statement = (
        insert(organization).values(uuid=new_uuid(), **values).on_conflict_do_nothing().returning(organization.c.id)
    )
    id_ = (await tx.execute(statement)).scalar_one_or_none()
    return None if id_ is None else await get_organization(tx, OrganizationId(id_))


async def get_organization(tx: AsyncConnection, organization_id: OrganizationId) -> Organization:
    """By number, for one that is known to be there."""
    query = _select_organizations().where(organization.c.id == organization_id)
    return _to_organization((await tx.execute(query)).one())


async def find_organization(
    tx: AsyncConnection, caller: Caller, ref: str | UUID
) -> tuple[Organization, MemberLevel | None] | None:
    """One that the caller may know of, by name or UUID, and what the caller is in it."""
    if isinstance(ref, str) and not is_slug(ref):
        return None
    query = (
        _select_organizations()
        .add_columns(member.c.level)
        .outerjoin(member, and_(member.c.organization_id == organization.c.id, member.c.user_id == caller.user_id))
        .where(
            organization.c.id.in_(visible_organizations(caller)),
            organization.c.uuid == ref if isinstance(ref, UUID) else organization.c.name == ref,
        )
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    *columns, level = row
    return _to_organization((*columns,)), None if level is None else MemberLevel(level)


async def find_personal_organization(tx: AsyncConnection, user_id: UserId) -> Organization | None:
    """The user's own."""
    query = _select_organizations().where(organization.c.personal_user_id == user_id)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _to_organization(row)


async def list_organizations(tx: AsyncConnection, caller: Caller) -> list[Organization]:
    """Every one that the caller may know of, by name."""
    query = (
        _select_organizations()
        .where(organization.c.id.in_(visible_organizations(caller)))
        .order_by(organization.c.name)
    )
    return [_to_organization(row) for row in await tx.execute(query)]


async def update_organization(tx: AsyncConnection, organization_id: OrganizationId, values: Mapping[str, Any]) -> None:
    """Change columns.

    Raises:
        IntegrityError: The name is taken.
    """
    await tx.execute(update(organization).where(organization.c.id == organization_id).values(dict(values)))


async def list_taken_names(tx: AsyncConnection, stem: str) -> set[str]:
    """The names that begin with the stem."""
    query = select(organization.c.name).where(organization.c.name.startswith(stem, autoescape=True))
    return set((await tx.execute(query)).scalars())


async def find_subscription(tx: AsyncConnection, name: str, *, hidden: bool) -> int | None:
    """The number of a plan; a hidden one only with `hidden`."""
    if not is_slug(name):
        return None
    query = select(subscription.c.id).where(subscription.c.name == name)
    if not hidden:
        query = query.where(subscription.c.hidden.is_(False))
    return (await tx.execute(query)).scalar_one_or_none()


async def lock_organizations(tx: AsyncConnection, ids: Sequence[OrganizationId]) -> None:
    """Let one transaction at a time change who administers these."""
    query = (
        select(organization.c.id)
        .where(organization.c.id.in_(ids))
        .order_by(organization.c.id)
        .with_for_update(key_share=True)
    )
    await tx.execute(query)


async def insert_member(tx: AsyncConnection, organization_id: OrganizationId, user_id: UserId, level: str) -> bool:
    """Whether the user is a member now that was none before."""
    statement = (
        insert(member)
        .values(organization_id=organization_id, user_id=user_id, level=level)
        .on_conflict_do_nothing()
        .returning(member.c.user_id)
    )
    return (await tx.execute(statement)).scalar_one_or_none() is not None


async def list_members(tx: AsyncConnection, organization_id: OrganizationId) -> list[Member]:
    """All members, in the order in which they came."""
    query = (
        select_users()
        .add_columns(member.c.level, member.c.created_at)
        .join(member, member.c.user_id == user.c.id)
        .where(member.c.organization_id == organization_id)
        .order_by(member.c.created_at, user.c.id)
    )
    members = []
    for row in await tx.execute(query):
        *columns, level, since = row
        members.append(Member(organization_id, to_user((*columns,)), MemberLevel(level), since))
    return members


async def find_member(tx: AsyncConnection, organization_id: OrganizationId, user_uuid: UUID) -> Member | None:
    """One member."""
    query = (
        select_users()
        .add_columns(member.c.level, member.c.created_at)
        .join(member, member.c.user_id == user.c.id)
        .where(member.c.organization_id == organization_id, user.c.uuid == user_uuid)
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    *columns, level, since = row
    return Member(organization_id, to_user((*columns,)), MemberLevel(level), since)


async def update_member(
    tx: AsyncConnection, organization_id: OrganizationId, user_id: UserId, level: MemberLevel
) -> None:
    """Change what the member is."""
    await tx.execute(update(member).where(_is_member(organization_id, user_id)).values(level=level))


async def delete_member(tx: AsyncConnection, organization_id: OrganizationId, user_id: UserId) -> None:
    """Take the user out; the roles in the projects are another matter."""
    await tx.execute(delete(member).where(_is_member(organization_id, user_id)))


async def has_other_admin(tx: AsyncConnection, organization_id: OrganizationId, user_id: UserId) -> bool:
    """Whether someone else who can sign in administers the organization."""
    query = select(
        exists()
        .select_from(member)
        .where(
            member.c.user_id == user.c.id,
            user.c.status == UserStatus.ACTIVE,
            member.c.organization_id == organization_id,
            member.c.user_id != user_id,
            member.c.level.in_(ADMIN_LEVELS),
        )
    )
    return bool((await tx.execute(query)).scalar_one())


async def list_administered_with_projects(tx: AsyncConnection, user_id: UserId) -> list[OrganizationId]:
    """The organizations that the user administers and that have projects."""
    query = (
        select(member.c.organization_id)
        .where(
            member.c.user_id == user_id,
            member.c.level.in_(ADMIN_LEVELS),
            exists().where(project.c.organization_id == member.c.organization_id),
        )
        .order_by(member.c.organization_id)
    )
    return [OrganizationId(id_) for id_ in (await tx.execute(query)).scalars()]


def _is_member(organization_id: OrganizationId, user_id: UserId) -> Any:
    return and_(member.c.organization_id == organization_id, member.c.user_id == user_id)
