"""Subscriptions between the wire and the house."""

from typing import Any

from quadrat.api.ubiops.convert.times import to_utc_date
from quadrat.api.ubiops.schemas.subscriptions import (
    OrganizationSubscriptionList,
    SubscriptionCreate,
    SubscriptionDetail,
    SubscriptionList,
    SubscriptionUpdate,
)
from quadrat.identity.types import Plan, PlanRecord

# Null takes a limit away; for these it counts as left out.
_NEVER_NULL = ("name", "agreement", "terms_conditions", "hidden")


def to_values(body: SubscriptionCreate | SubscriptionUpdate) -> dict[str, Any]:
    """What was sent; the names are those of the house."""
    sent = body.model_dump(exclude_unset=True)
    return {name: value for name, value in sent.items() if value is not None or name not in _NEVER_NULL}


def to_subscription_list(plan: Plan) -> SubscriptionList:
    """One in a list."""
    return SubscriptionList(id=str(plan.uuid), name=plan.name)


def to_subscription_detail(plan: Plan) -> SubscriptionDetail:
    """One alone; how long logs are kept and whether it is hidden is not told."""
    return SubscriptionDetail(
        id=str(plan.uuid),
        name=plan.name,
        max_projects=plan.max_projects,
        max_users=plan.max_users,
        agreement=plan.agreement,
        terms_conditions=plan.terms_conditions,
        gb_seconds=plan.gb_seconds,
        resources=plan.resources,
    )


def to_organization_subscription_list(record: PlanRecord) -> OrganizationSubscriptionList:
    """One that an organization has had."""
    return OrganizationSubscriptionList(
        id=str(record.uuid),
        subscription=record.plan,
        start_date=to_utc_date(record.started_at),
        subscription_agreement_user=_short(record.agreed_by),
        subscription_update_user=_short(record.updated_by),
    )


def _short(email: str | None) -> str | None:
    # The client refuses to read more.
    return None if email is None else email[:128]
