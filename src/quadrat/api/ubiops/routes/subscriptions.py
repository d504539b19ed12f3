"""Subscriptions, and what organizations have had of them."""

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.subscriptions import (
    to_organization_subscription_list,
    to_subscription_detail,
    to_subscription_list,
    to_values,
)
from quadrat.api.ubiops.schemas.subscriptions import (
    OrganizationSubscriptionList,
    SubscriptionCreate,
    SubscriptionDetail,
    SubscriptionList,
    SubscriptionUpdate,
)
from quadrat.api.wire import Tx
from quadrat.identity.actions import organizations, subscriptions

router = new_router("Subscriptions")

_ONE = "/subscriptions/{subscription_name}"


@router.get("/subscriptions", operation_id="subscriptions_list")
async def subscriptions_list(caller: SignedIn, tx: Tx) -> list[SubscriptionList]:
    """By name; hidden ones only for a platform administrator."""
    return [to_subscription_list(plan) for plan in await subscriptions.list_subscriptions(tx, caller)]


@router.post("/subscriptions", operation_id="subscriptions_create", status_code=201)
async def subscriptions_create(caller: SignedIn, body: SubscriptionCreate, tx: Tx) -> SubscriptionDetail:
    """For platform administrators."""
    return to_subscription_detail(await subscriptions.create_subscription(tx, caller, to_values(body)))


@router.get(_ONE, operation_id="subscriptions_get")
async def subscriptions_get(subscription_name: str, caller: SignedIn, tx: Tx) -> SubscriptionDetail:
    """One subscription."""
    return to_subscription_detail(await subscriptions.get_subscription(tx, caller, subscription_name))


@router.patch(_ONE, operation_id="subscriptions_update")
async def subscriptions_update(
    subscription_name: str, caller: SignedIn, body: SubscriptionUpdate, tx: Tx
) -> SubscriptionDetail:
    """For platform administrators; new limits count at once."""
    changed = await subscriptions.update_subscription(tx, caller, subscription_name, to_values(body))
    return to_subscription_detail(changed)


@router.delete(_ONE, operation_id="subscriptions_delete", status_code=204)
async def subscriptions_delete(subscription_name: str, caller: SignedIn, tx: Tx) -> None:
    """For platform administrators; refused while an organization has it."""
    await subscriptions.delete_subscription(tx, caller, subscription_name)


@router.get("/organizations/{organization_name}/subscriptions", operation_id="organization_subscriptions_list")
async def organization_subscriptions_list(
    organization_name: str, caller: SignedIn, tx: Tx
) -> list[OrganizationSubscriptionList]:
    """Newest first, for administrators of the organization."""
    found = await organizations.list_organization_subscriptions(tx, caller, organization_name)
    return [to_organization_subscription_list(record) for record in found]
