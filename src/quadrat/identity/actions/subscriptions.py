"""Subscriptions: what the operator offers, what an organization has had, and what it may use."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.audit import record
from quadrat.identity.store import subscriptions as store
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import Caller, OrganizationId, Plan

_NAME_TAKEN = "There is a subscription with this name already."
_LIMITS = ("max_projects", "max_users", "logs_retention_days", "gb_seconds", "resources")
_LINKS = ("agreement", "terms_conditions")


async def list_subscriptions(tx: AsyncConnection, caller: Caller) -> Sequence[Plan]:
    """By name; the hidden ones for platform administrators only.

    Raises:
        QuadratError: forbidden for a service user.
    """
    _require_person(caller)
    return await store.list_plans(tx, hidden=caller.is_platform_admin)


async def get_subscription(tx: AsyncConnection, caller: Caller, name: str) -> Plan:
    """One that the caller may see.

    Raises:
        QuadratError: not_found; forbidden for a service user.
    """
    _require_person(caller)
    plan = await store.find_plan(tx, name, hidden=caller.is_platform_admin)
    if plan is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Subscription {name} does not exist.", field="subscription")
    return plan


async def create_subscription(tx: AsyncConnection, caller: Caller, values: Mapping[str, Any]) -> Plan:
    """Make a subscription.

    Args:
        tx: The transaction.
        caller: A platform administrator.
        values: Fields of `Plan`.

    Raises:
        QuadratError: forbidden, invalid, already_exists.
    """
    _require_operator(caller)
    checked = _check(values)
    if not await store.insert_plan(tx, checked):
        raise QuadratError(ErrorKind.ALREADY_EXISTS, _NAME_TAKEN, field="name")
    await record(tx, "subscription.created", checked["name"], **_limits(checked))
    return await get_subscription(tx, caller, checked["name"])


async def update_subscription(tx: AsyncConnection, caller: Caller, name: str, values: Mapping[str, Any]) -> Plan:
    """Change a subscription; new limits count at once, and take nothing away that is there already.

    Raises:
        QuadratError: forbidden, not_found, invalid, already_exists; wrong_state for another name of the free one.
    """
    _require_operator(caller)
    plan = await get_subscription(tx, caller, name)
    checked = _check(values)
    new_name = checked.get("name", plan.name)
    if new_name != plan.name and plan.name == store.FREE:
        raise QuadratError(ErrorKind.WRONG_STATE, f"Every user begins with {store.FREE}: it keeps its name.")
    if checked:
        async with refuse_taken(tx, _NAME_TAKEN, field="name"):
            await store.update_plan(tx, plan.name, checked)
        await record(tx, "subscription.changed", new_name, **_limits(checked))
    return await get_subscription(tx, caller, new_name)


async def delete_subscription(tx: AsyncConnection, caller: Caller, name: str) -> None:
    """Remove a subscription that nobody has.

    Raises:
        QuadratError: forbidden, not_found; wrong_state for one in use and for the free one.
    """
    _require_operator(caller)
    plan = await get_subscription(tx, caller, name)
    if plan.name == store.FREE or await store.is_in_use(tx, plan.name):
        raise QuadratError(ErrorKind.WRONG_STATE, f"Subscription {name} is in use.", field="subscription")
    await store.delete_plan(tx, plan.name)
    await record(tx, "subscription.deleted", plan.name)


async def claim_project(tx: AsyncConnection, organization_id: OrganizationId) -> None:
    """Call before a project is made; others who make one wait until this transaction ends.

    Raises:
        QuadratError: limit_reached.
    """
    plan = await store.find_effective_plan(tx, organization_id, lock=True)
    refuse_beyond(plan.max_projects, await store.count_projects(tx, organization_id) + 1, "projects")


async def claim_member(tx: AsyncConnection, organization_id: OrganizationId) -> None:
    """Call before a member is taken in, as above.

    Raises:
        QuadratError: limit_reached.
    """
    plan = await store.find_effective_plan(tx, organization_id, lock=True)
    refuse_beyond(plan.max_users, await store.count_members(tx, organization_id) + 1, "users")


async def count_projects(tx: AsyncConnection, organization_id: OrganizationId) -> int:
    """Projects in the organization."""
    return await store.count_projects(tx, organization_id)


async def count_members(tx: AsyncConnection, organization_id: OrganizationId) -> int:
    """Members, those who are only invited included."""
    return await store.count_members(tx, organization_id)


async def effective_plan(tx: AsyncConnection, organization_id: OrganizationId, *, lock: bool = False) -> Plan:
    """What limits an organization now; with `lock` others who ask so wait until this transaction ends."""
    return await store.find_effective_plan(tx, organization_id, lock=lock)


def refuse_beyond(limit: int | None, wanted: int, what: str) -> None:
    """Refuse more than a subscription allows.

    Raises:
        QuadratError: limit_reached.
    """
    if limit is not None and wanted > limit:
        raise QuadratError(
            ErrorKind.LIMIT_REACHED,
            f"The subscription of the organization allows {limit} {what}. Remove some, or ask for a larger one.",
        )


def _require_person(caller: Caller) -> None:
    if caller.is_service:
        raise QuadratError(ErrorKind.FORBIDDEN, "A service user can do nothing outside its project.")


def _require_operator(caller: Caller) -> None:
    if not caller.is_platform_admin:
        raise QuadratError(ErrorKind.FORBIDDEN, "Only a platform administrator can change subscriptions.")


def _check(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    if "name" in checked:
        rules.check_name(checked["name"], "name")
    for field in _LIMITS:
        rules.check_limit(checked.get(field), field)
    for field in _LINKS:
        rules.check_link(checked.get(field, ""), field)
    return checked


def _limits(values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: values[field] for field in _LIMITS if field in values}
