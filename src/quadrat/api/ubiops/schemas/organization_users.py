"""Wire models of the members of an organization."""

from pydantic import BaseModel


class OrganizationUserCreate(BaseModel):
    """A user to take in, by address."""

    email: str
    admin: bool = False


class OrganizationUserUpdate(BaseModel):
    """Whether a member administers the organization."""

    admin: bool = False


class OrganizationUserDetail(BaseModel):
    """A member; names are null when there are none."""

    id: str
    email: str
    name: str | None
    surname: str | None
    status: str
    admin: bool
