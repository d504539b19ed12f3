"""Organizations between the wire and the house."""

from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.organizations import (
    OrganizationCreate,
    OrganizationDetail,
    OrganizationList,
    OrganizationUpdate,
)
from quadrat.identity.types import NewOrganization, Organization, OrganizationChanges, SubscriptionEnd


def to_new_organization(body: OrganizationCreate) -> NewOrganization:
    """The names are those of the wire."""
    return NewOrganization(body.name, body.subscription, body.subscription_agreed, body.subscription_end_date)


def to_organization_changes(body: OrganizationUpdate) -> OrganizationChanges:
    """A null end date takes the end away; leaving it out does not."""
    has_end = "subscription_end_date" in body.model_fields_set
    return OrganizationChanges(
        name=body.name,
        subscription=body.subscription,
        subscription_agreed=body.subscription_agreed or False,
        subscription_end=SubscriptionEnd(body.subscription_end_date) if has_end else None,
    )


def to_organization_list(organization: Organization) -> OrganizationList:
    """One in a list."""
    return OrganizationList(
        id=str(organization.uuid), name=organization.name, creation_date=to_utc(organization.created_at)
    )


def to_organization_detail(organization: Organization) -> OrganizationDetail:
    """One alone."""
    return OrganizationDetail(
        id=str(organization.uuid),
        name=organization.name,
        creation_date=to_utc(organization.created_at),
        subscription=organization.subscription,
        status="active",
    )
