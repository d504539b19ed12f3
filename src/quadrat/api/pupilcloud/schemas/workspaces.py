"""Wire models of the profile, workspaces and projects."""

from typing import Literal

from pydantic import BaseModel, Field

Role = Literal["OWNER", "ADMIN", "EDITOR", "VIEWER", "DEMO"]


class UserWorkspace(BaseModel):
    """A workspace that the user belongs to, and as what."""

    workspace_id: str
    role: Role


class Profile(BaseModel):
    """The caller."""

    id: str
    uid: str
    email: str
    name: str
    default_workspace_id: str
    user_workspaces: list[UserWorkspace]


class Workspace(BaseModel):
    """An organization."""

    id: str
    name: str
    status: str
    created_at: str
    world_video_mode: Literal["NORMAL", "NOUPLOAD", "BLUR"]


class ProjectPost(BaseModel):
    """A project to be made."""

    name: str = Field(min_length=1)


class Project(BaseModel):
    """A project."""

    id: str
    name: str
    recording_ids: list[str]
    filter_ids: list[str]
    created_at: str
    updated_at: str
    created_by_user_id: str | None
