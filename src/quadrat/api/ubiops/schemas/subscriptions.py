"""Wire models of subscriptions."""

from datetime import date

from pydantic import BaseModel


class SubscriptionCreate(BaseModel):
    """A subscription to be made; null stands for no limit."""

    name: str
    max_projects: int | None
    max_users: int | None
    logs_retention_days: int | None
    gb_seconds: int | None
    resources: int | None
    agreement: str | None = None
    terms_conditions: str | None = None
    hidden: bool | None = None


class SubscriptionUpdate(BaseModel):
    """What changes; what is left out stays, and null takes a limit away."""

    name: str | None = None
    max_projects: int | None = None
    max_users: int | None = None
    logs_retention_days: int | None = None
    gb_seconds: int | None = None
    resources: int | None = None
    agreement: str | None = None
    terms_conditions: str | None = None
    hidden: bool | None = None


class SubscriptionList(BaseModel):
    """A subscription in a list."""

    id: str
    name: str


class SubscriptionDetail(BaseModel):
    """A subscription; null stands for no limit."""

    id: str
    name: str
    max_projects: int | None
    max_users: int | None
    agreement: str
    terms_conditions: str
    gb_seconds: int | None
    resources: int | None


class OrganizationSubscriptionList(BaseModel):
    """A subscription that an organization has had; a user who is gone is null."""

    id: str
    subscription: str
    start_date: date
    subscription_agreement_user: str | None
    subscription_update_user: str | None
