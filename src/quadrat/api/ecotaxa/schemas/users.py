"""Wire models of sign-in and users."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class LoginReq(BaseModel):
    """Who signs in; `username` is the e-mail address."""

    username: str
    password: str


class ProjectSummary(BaseModel):
    """A project as a user's list of recent ones names it."""

    projid: int
    title: str


class MinUserModel(BaseModel):
    """A user as others see one."""

    id: int
    email: str
    name: str


class UserModelWithRights(BaseModel):
    """A user with what the user may do in the application. Clients send it, too, with what they know."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: int
    email: str
    name: str
    password: str | None = None
    organisation: str | None = None
    status: int | None = None
    status_date: str | None = None
    status_admin_comment: str | None = None
    country: str | None = None
    orcid: str | None = None
    usercreationdate: str | None = None
    usercreationreason: str | None = None
    mail_status: bool | None = None
    mail_status_date: str | None = None
    can_do: list[int] = []
    last_used_projects: list[ProjectSummary] = []

    @field_validator("can_do", "last_used_projects", mode="before")
    @classmethod
    def _nothing_is_none_of_them(cls, value: Any) -> Any:
        return [] if value is None else value


class UserActivateReq(BaseModel):
    """Why a user is let in or kept out."""

    token: str | None = None
    reason: str | None = None
    password: str | None = None
