"""Organizations and their members."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.subscriptions import claim_member
from quadrat.identity.actions.users import FREE, create_user
from quadrat.identity.audit import record
from quadrat.identity.changes import announce_change
from quadrat.identity.store import organizations as store
from quadrat.identity.store import roles as role_store
from quadrat.identity.store import subscriptions as plan_store
from quadrat.identity.store import users as user_store
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import (
    Caller,
    Member,
    MemberLevel,
    NewOrganization,
    NewUser,
    Organization,
    OrganizationChanges,
    OrganizationId,
    PlanRecord,
    UserStatus,
)

OrganizationRef = str | UUID
"""How an API names an organization: by name or by UUID."""

_NAME_TAKEN = "There is an organization with this name already; names are unique on the server."


async def create_organization(tx: AsyncConnection, caller: Caller, new: NewOrganization) -> Organization:
    """Make an organization that the caller owns.

    Raises:
        QuadratError: forbidden for a service user; invalid name, plan or end, or terms not agreed to; already_exists.
    """
    _require_person(caller)
    rules.check_name(new.name, "name")
    _require_agreement(agreed=new.subscription_agreed)
    values = {
        "name": new.name,
        "title": rules.check_text(new.title or new.name, "title"),
        "subscription_id": await _find_subscription(tx, caller, new.subscription),
        "subscription_end_at": _end_at(new.subscription, new.subscription_end),
    }
    organization = await store.insert_organization(tx, values)
    if organization is None:
        raise QuadratError(ErrorKind.ALREADY_EXISTS, _NAME_TAKEN, field="name")
    await store.insert_member(tx, organization.id, caller.user_id, MemberLevel.OWNER)
    await plan_store.insert_record(tx, organization.id, caller.user_id, is_first=True)
    await record(tx, "organization.created", organization.name, organization=organization)
    return organization


async def get_organization(tx: AsyncConnection, caller: Caller, ref: OrganizationRef) -> Organization:
    """One organization that the caller belongs to.

    Raises:
        QuadratError: not_found, also for one that the caller may not know of; forbidden for a service user.
    """
    organization, _ = await _open(tx, caller, ref)
    return organization


async def list_organizations(tx: AsyncConnection, caller: Caller) -> Sequence[Organization]:
    """The organizations that the caller belongs to, by name; all of them for a platform administrator.

    Raises:
        QuadratError: forbidden for a service user.
    """
    _require_person(caller)
    return await store.list_organizations(tx, caller)


async def update_organization(
    tx: AsyncConnection, caller: Caller, ref: OrganizationRef, changes: OrganizationChanges
) -> Organization:
    """Rename an organization; a platform administrator may also change its plan and the end of it.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    organization = await open_as_admin(tx, caller, ref)
    values: dict[str, Any] = {}
    if changes.name is not None:
        values["name"] = rules.check_name(changes.name, "name")
        if organization.title == organization.name:
            values["title"] = changes.name
    if changes.title is not None:
        values["title"] = rules.check_text(changes.title, "title") or values.get("name", organization.name)
    values |= await _subscription_values(tx, caller, organization, changes)
    if not values:
        return organization
    async with refuse_taken(tx, _NAME_TAKEN, field="name"):
        await store.update_organization(tx, organization.id, values)
    if "subscription_id" in values:
        await plan_store.insert_record(tx, organization.id, caller.user_id, is_first=False)
    changed: dict[str, Any] = {"subscription": changes.subscription} if "subscription_id" in values else {}
    await record(
        tx, "organization.changed", values.get("name", organization.name), organization=organization, **changed
    )
    # Projects are remembered with the names of their organizations.
    await announce_change(tx)
    return await store.get_organization(tx, organization.id)


async def list_members(tx: AsyncConnection, caller: Caller, ref: OrganizationRef) -> Sequence[Member]:
    """All members, for any of them.

    Raises:
        QuadratError: not_found, forbidden.
    """
    organization, _ = await _open(tx, caller, ref)
    return await store.list_members(tx, organization.id)


async def list_organization_subscriptions(
    tx: AsyncConnection, caller: Caller, ref: OrganizationRef
) -> Sequence[PlanRecord]:
    """The subscriptions that an organization has had, newest first, for administrators.

    Raises:
        QuadratError: not_found, forbidden.
    """
    organization = await open_as_admin(tx, caller, ref)
    return await plan_store.list_records(tx, organization.id)


async def get_member(tx: AsyncConnection, caller: Caller, ref: OrganizationRef, user_uuid: UUID) -> Member:
    """One member, for administrators.

    Raises:
        QuadratError: not_found, forbidden.
    """
    organization = await open_as_admin(tx, caller, ref)
    return await _get_member(tx, organization.id, user_uuid)


async def add_member(
    tx: AsyncConnection, caller: Caller, ref: OrganizationRef, email: str, level: MemberLevel
) -> Member:
    """Take a user in; an address that nobody has becomes an invited user, who is pending.

    Raises:
        QuadratError: not_found, forbidden, invalid; already_exists for someone who is a member.
    """
    organization = await open_as_admin(tx, caller, ref)
    await claim_member(tx, organization.id)
    user = await user_store.find_user_by_email(tx, rules.check_email(email))
    if user is None:
        user = await create_user(tx, NewUser(email, status=UserStatus.PENDING))
    if user.service_project_id is not None:
        raise QuadratError(ErrorKind.INVALID, "A service user belongs to a project only.", field="email")
    if not await store.insert_member(tx, organization.id, user.id, level):
        raise QuadratError(ErrorKind.ALREADY_EXISTS, f"{user.email} is a member already.", field="email")
    await record(tx, "member.added", user.email, organization=organization, level=level)
    await announce_change(tx)
    return await _get_member(tx, organization.id, user.uuid)


async def add_person(tx: AsyncConnection, caller: Caller, ref: OrganizationRef, email: str, *, admin: bool) -> Member:
    """Take a user in as an administrator, or as a member who holds nothing but what roles give.

    Raises:
        QuadratError: as `add_member`.
    """
    return await add_member(tx, caller, ref, email, MemberLevel.ADMIN if admin else MemberLevel.MEMBER)


async def set_admin(
    tx: AsyncConnection, caller: Caller, ref: OrganizationRef, user_uuid: UUID, *, admin: bool
) -> Member:
    """Make a member an administrator, or an administrator a plain member; whoever is so already stays as it is.

    Raises:
        QuadratError: as `update_member`.
    """
    member = await get_member(tx, caller, ref, user_uuid)
    if (member.level in rules.ADMIN_LEVELS) is admin:
        return member
    return await update_member(tx, caller, ref, user_uuid, MemberLevel.ADMIN if admin else MemberLevel.MEMBER)


async def update_member(
    tx: AsyncConnection, caller: Caller, ref: OrganizationRef, user_uuid: UUID, level: MemberLevel
) -> Member:
    """Change what a member is; what a former administrator held as such goes with it.

    Raises:
        QuadratError: not_found, forbidden; wrong_state for the last administrator.
    """
    organization = await open_as_admin(tx, caller, ref)
    await store.lock_organizations(tx, [organization.id])
    member = await _get_member(tx, organization.id, user_uuid)
    if member.level in rules.ADMIN_LEVELS and level not in rules.ADMIN_LEVELS:
        await _require_other_admin(tx, organization, member)
        await role_store.delete_admin_assignments_in(tx, organization.id, member.user.id)
    await store.update_member(tx, organization.id, member.user.id, level)
    await record(tx, "member.changed", member.user.email, organization=organization, level=level)
    await announce_change(tx)
    return await _get_member(tx, organization.id, user_uuid)


async def remove_member(tx: AsyncConnection, caller: Caller, ref: OrganizationRef, user_uuid: UUID) -> None:
    """Take a member out, with all roles in the organization's projects.

    Raises:
        QuadratError: not_found, forbidden; wrong_state for the last administrator.
    """
    organization = await open_as_admin(tx, caller, ref)
    await store.lock_organizations(tx, [organization.id])
    member = await _get_member(tx, organization.id, user_uuid)
    if member.level in rules.ADMIN_LEVELS:
        await _require_other_admin(tx, organization, member)
    await role_store.delete_assignments_in(tx, organization.id, member.user.id)
    await store.delete_member(tx, organization.id, member.user.id)
    await record(tx, "member.removed", member.user.email, organization=organization)
    await announce_change(tx)


async def _open(tx: AsyncConnection, caller: Caller, ref: OrganizationRef) -> tuple[Organization, MemberLevel | None]:
    _require_person(caller)
    found = await store.find_organization(tx, caller, ref)
    if found is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Organization {ref} does not exist.", field="organization")
    return found


async def open_as_admin(tx: AsyncConnection, caller: Caller, ref: OrganizationRef) -> Organization:
    """The organization, when the caller administers it.

    Raises:
        QuadratError: not_found, forbidden.
    """
    organization, level = await _open(tx, caller, ref)
    if not rules.administers(caller, level):
        raise QuadratError(ErrorKind.FORBIDDEN, f"Only administrators of {organization.name} can do this.")
    return organization


async def _get_member(tx: AsyncConnection, organization_id: OrganizationId, user_uuid: UUID) -> Member:
    member = await store.find_member(tx, organization_id, user_uuid)
    if member is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"User {user_uuid} is no member.", field="user")
    return member


async def _require_other_admin(tx: AsyncConnection, organization: Organization, member: Member) -> None:
    if not await store.has_other_admin(tx, organization.id, member.user.id):
        raise QuadratError(
            ErrorKind.WRONG_STATE, f"{member.user.email} is the last administrator of {organization.name}."
        )


def _require_person(caller: Caller) -> None:
    if caller.is_service:
        raise QuadratError(ErrorKind.FORBIDDEN, "A service user can do nothing outside its project.")


def _require_agreement(*, agreed: bool) -> None:
    if not agreed:
        raise QuadratError(ErrorKind.INVALID, "Agree to the terms of the subscription.", field="subscription_agreed")


async def _find_subscription(tx: AsyncConnection, caller: Caller, name: str) -> int:
    found = await store.find_subscription(tx, name, hidden=caller.is_platform_admin)
    if found is None:
        raise QuadratError(ErrorKind.INVALID, f"Subscription {name} does not exist.", field="subscription")
    return found


async def _subscription_values(
    tx: AsyncConnection, caller: Caller, organization: Organization, changes: OrganizationChanges
) -> dict[str, Any]:
    if changes.subscription is None and changes.subscription_end is None:
        return {}
    if not caller.is_platform_admin:
        raise QuadratError(ErrorKind.FORBIDDEN, "Only a platform administrator can change a subscription.")
    values: dict[str, Any] = {}
    name = changes.subscription or organization.subscription
    if name != organization.subscription:
        _require_agreement(agreed=changes.subscription_agreed)
        values["subscription_id"] = await _find_subscription(tx, caller, name)
        values["subscription_end_at"] = None
    if changes.subscription_end is not None:
        values["subscription_end_at"] = _end_at(name, changes.subscription_end.day)
    return values


def _end_at(subscription: str, day: date | None) -> datetime | None:
    if day is None:
        return None
    if subscription == FREE:
        raise QuadratError(
            ErrorKind.INVALID, f"A {FREE} subscription has no end date of its own.", field="subscription_end_date"
        )
    return datetime.combine(day, time(), UTC)
