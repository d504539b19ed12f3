"""Wire models of users."""

from pydantic import BaseModel


class UserPendingCreate(BaseModel):
    """A user to be made."""

    email: str
    password: str
    terms_conditions: bool
    name: str | None = None
    surname: str | None = None


class UserPendingDetail(BaseModel):
    """A user who was made; names are null when there are none."""

    email: str
    name: str | None
    surname: str | None


class UserUpdate(BaseModel):
    """What changes; what is left out or null stays."""

    email: str | None = None
    password: str | None = None
    previous_password: str | None = None
    name: str | None = None
    surname: str | None = None


class UserDetail(BaseModel):
    """A user or service user; names are null when there are none, since clients refuse empty ones."""

    id: str
    email: str
    name: str | None
    surname: str | None
    registration_date: str
