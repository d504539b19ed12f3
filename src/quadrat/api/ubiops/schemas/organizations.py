"""Wire models of organizations."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel


class OrganizationCreate(BaseModel):
    """An organization to be made."""

    name: str
    subscription: str
    subscription_agreed: bool
    subscription_end_date: date | None = None


class OrganizationUpdate(BaseModel):
    """What changes; what is left out stays, and so does what is null but for the end date, which null removes."""

    name: str | None = None
    subscription: str | None = None
    subscription_agreed: bool | None = None
    subscription_end_date: date | None = None


class OrganizationList(BaseModel):
    """An organization in a list."""

    id: str
    name: str
    creation_date: datetime


class OrganizationDetail(BaseModel):
    """An organization; clients insist on a status."""

    id: str
    name: str
    creation_date: datetime
    subscription: str
    status: Literal["active"]
