"""Wire models of permissions, roles and their assignments."""

from uuid import UUID

from pydantic import BaseModel


class PermissionList(BaseModel):
    """A permission."""

    name: str


class RoleCreate(BaseModel):
    """A role to be made."""

    name: str
    permissions: list[str]


class RoleUpdate(BaseModel):
    """What changes; what is left out or null stays."""

    name: str | None = None
    permissions: list[str] | None = None


class RoleList(BaseModel):
    """A role in a list; ``default`` ones are in every project."""

    id: str
    name: str
    default: bool


class RoleDetailList(BaseModel):
    """A role with what it holds."""

    id: str
    name: str
    default: bool
    permissions: list[str]


class RoleAssignmentCreate(BaseModel):
    """A role to give, on the project or on one object of it."""

    user_id: UUID
    role: str
    object_name: str | None = None
    object_type: str | None = None


class RoleAssignmentList(BaseModel):
    """A role that somebody holds."""

    id: str
    user_id: str
    role: str
    object_name: str
    object_type: str
