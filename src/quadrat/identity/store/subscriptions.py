"""Subscriptions, who has them, and what they limit."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.base.slugs import is_slug
from quadrat.identity.tables import member, organization, plan_record, project, subscription, user
from quadrat.identity.types import OrganizationId, Plan, PlanRecord, UserId

FREE = "free"


def _select() -> Select[UUID, str, int | None, int | None, int | None, int | None, int | None, str, str, bool]:
    return select(
        subscription.c.uuid,
        subscription.c.name,
        subscription.c.max_projects,
        subscription.c.max_users,
        subscription.c.logs_retention_days,
        subscription.c.gb_seconds,
        subscription.c.resources,
        subscription.c.agreement,
        subscription.c.terms_conditions,
        subscription.c.hidden,
    )


async def list_plans(tx: AsyncConnection, *, hidden: bool) -> Sequence[Plan]:
    """By name; the hidden ones only with `hidden`."""
    query = _select().order_by(subscription.c.name)
    if not hidden:
        query = query.where(subscription.c.hidden.is_(False))
    return [Plan(*row) for row in await tx.execute(query)]


async def find_plan(tx: AsyncConnection, name: str, *, hidden: bool) -> Plan | None:
    """By name; a hidden one only with `hidden`."""
    if not is_slug(name):
        return None
    query = _select().where(subscription.c.name == name)
    if not hidden:
        query = query.where(subscription.c.hidden.is_(False))
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else Plan(*row)


async def insert_plan(tx: AsyncConnection, values: Mapping[str, Any]) -> bool:
    """Whether the name was free."""
    made = insert(subscription).values(uuid=new_uuid(), **values).on_conflict_do_nothing().returning(subscription.c.id)
    return (await tx.execute(made)).scalar_one_or_none() is not None


async def update_plan(tx: AsyncConnection, name: str, values: Mapping[str, Any]) -> None:
    """Change columns.

    Raises:
        IntegrityError: The name is taken.
    """
    await tx.execute(update(subscription).where(subscription.c.name == name).values(dict(values)))


async def is_in_use(tx: AsyncConnection, name: str) -> bool:
    """Whether any organization has it now; nobody can take it before the transaction ends."""
    locked = select(subscription.c.id).where(subscription.c.name == name).with_for_update()
    id_ = (await tx.execute(locked)).scalar_one()
    query = select(exists().where(organization.c.subscription_id == id_))
    return bool((await tx.execute(query)).scalar_one())


async def delete_plan(tx: AsyncConnection, name: str) -> None:
    """Remove it."""
    await tx.execute(delete(subscription).where(subscription.c.name == name))


async def find_effective_plan(tx: AsyncConnection, organization_id: OrganizationId, *, lock: bool = False) -> Plan:
    """What limits an organization: its subscription, or the free one after its end.

    With `lock` one transaction at a time goes on from here, for each organization.
    """
    if lock:
        await tx.execute(
            select(organization.c.id).where(organization.c.id == organization_id).with_for_update(key_share=True)
        )
    has_ended = organization.c.subscription_end_at <= now()
    query = (
        _select()
        .join(
            organization,
            or_(
                and_(has_ended.is_not(True), subscription.c.id == organization.c.subscription_id),
                and_(has_ended, subscription.c.name == FREE),
            ),
        )
        .where(organization.c.id == organization_id)
    )
    return Plan(*(await tx.execute(query)).one())


async def list_retention(tx: AsyncConnection) -> list[tuple[int, int]]:
    """(project, days) of every project whose logs are not kept for ever."""
    has_ended = organization.c.subscription_end_at <= now()
    query = (
        select(project.c.id, subscription.c.logs_retention_days)
        .join(organization, organization.c.id == project.c.organization_id)
        .join(
            subscription,
            or_(
                and_(has_ended.is_not(True), subscription.c.id == organization.c.subscription_id),
                and_(has_ended, subscription.c.name == FREE),
            ),
        )
        .where(subscription.c.logs_retention_days.is_not(None))
        .order_by(project.c.id)
    )
    return [(id_, days) for id_, days in await tx.execute(query) if days is not None]


async def count_projects(tx: AsyncConnection, organization_id: OrganizationId) -> int:
    """Projects in the organization."""
    query = select(func.count()).select_from(project).where(project.c.organization_id == organization_id)
    return (await tx.execute(query)).scalar_one()


async def count_members(tx: AsyncConnection, organization_id: OrganizationId) -> int:
    """Members, those who are only invited included; service users are none."""
    query = select(func.count()).select_from(member).where(member.c.organization_id == organization_id)
    return (await tx.execute(query)).scalar_one()


async def insert_record(tx: AsyncConnection, organization_id: OrganizationId, by: UserId, *, is_first: bool) -> None:
    """Note that the organization has the subscription that its row names, from now on."""
    source = (
        select(organization.c.subscription_id, subscription.c.name)
        .join(subscription, subscription.c.id == organization.c.subscription_id)
        .where(organization.c.id == organization_id)
    )
    subscription_id, name = (await tx.execute(source)).one()
    await tx.execute(
        insert(plan_record).values(
            uuid=new_uuid(),
            organization_id=organization_id,
            subscription_id=subscription_id,
            name=name,
            agreed_by=by,
            updated_by=None if is_first else by,
            is_first=is_first,
        )
    )


async def list_records(tx: AsyncConnection, organization_id: OrganizationId) -> Sequence[PlanRecord]:
    """What the organization has had, newest first."""
    agreed, updated = user.alias("agreed"), user.alias("updated")
    query = (
        select(
            plan_record.c.uuid,
            func.coalesce(subscription.c.name, plan_record.c.name),
            plan_record.c.started_at,
            plan_record.c.is_first,
            agreed.c.email,
            updated.c.email,
        )
        .outerjoin(subscription, subscription.c.id == plan_record.c.subscription_id)
        .outerjoin(agreed, agreed.c.id == plan_record.c.agreed_by)
        .outerjoin(updated, updated.c.id == plan_record.c.updated_by)
        .where(plan_record.c.organization_id == organization_id)
        .order_by(plan_record.c.id.desc())
    )
    return [
        PlanRecord(uuid, name, started_at, agreed_by, "" if is_first else updated_by)
        for uuid, name, started_at, is_first, agreed_by, updated_by in await tx.execute(query)
    ]
