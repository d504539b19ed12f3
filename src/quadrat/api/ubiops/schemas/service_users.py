"""Wire models of service users."""

from pydantic import BaseModel


class ServiceUserCreate(BaseModel):
    """The name of a service user."""

    name: str | None = None


class ServiceUserList(BaseModel):
    """A service user; the name is null when there is none."""

    id: str
    email: str
    name: str | None
    creation_date: str


class ServiceUserDetail(ServiceUserList):
    """A service user who was made just now, with its token."""

    token: str


class ServiceUserTokenList(BaseModel):
    """A new token."""

    token: str
