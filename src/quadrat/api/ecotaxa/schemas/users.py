"""Wire models of sign-in and users."""

from pydantic import BaseModel, ConfigDict


class LoginReq(BaseModel):
    """Who signs in; `username` is the e-mail address."""

    username: str
    password: str


class ProjectSummary(BaseModel):
    """A project as a user's list of recent ones names it."""

    projid: int
    title: str


class UserModelWithRights(BaseModel):
    """A user with what the user may do in the application."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: int
    email: str
    name: str
    password: str | None
    organisation: str | None
    status: int | None
    status_date: str | None
    status_admin_comment: str | None
    country: str | None
    orcid: str | None
    usercreationdate: str | None
    usercreationreason: str | None
    mail_status: bool | None
    mail_status_date: str | None
    can_do: list[int]
    last_used_projects: list[ProjectSummary]
