"""From domain values to the words of the areas-of-interest API."""

from collections.abc import Sequence
from uuid import UUID

from quadrat.api.pupilcloud.schemas import workspaces as wire
from quadrat.identity.types import MemberLevel, Membership, Organization, Project, User

_ROLE: dict[MemberLevel, wire.Role] = {
    MemberLevel.OWNER: "OWNER",
    MemberLevel.ADMIN: "ADMIN",
    MemberLevel.EDITOR: "EDITOR",
    MemberLevel.VIEWER: "VIEWER",
    MemberLevel.DEMO: "DEMO",
    # That API knows no member without rights.
    MemberLevel.MEMBER: "VIEWER",
}


def profile(user: User, memberships: Sequence[Membership]) -> wire.Profile:
    """The caller with the workspaces that the caller belongs to; the default one is the personal organization."""
    personal = next((str(entry.organization_uuid) for entry in memberships if entry.is_personal), "")
    names = " ".join(part for part in (user.name, user.surname) if part)
    return wire.Profile(
        id=str(user.uuid),
        uid=str(user.uuid),
        email=user.email,
        name=names or user.email,
        default_workspace_id=personal,
        user_workspaces=[
            wire.UserWorkspace(workspace_id=str(entry.organization_uuid), role=_ROLE[entry.level])
            for entry in memberships
        ],
    )


def workspace(organization: Organization) -> wire.Workspace:
    """An organization."""
    return wire.Workspace(
        id=str(organization.uuid),
        name=organization.title,
        status="active",
        created_at=organization.created_at.isoformat(),
        world_video_mode="NORMAL",
    )


def project(found: Project, recordings: Sequence[UUID] = ()) -> wire.Project:
    """A project with the recordings in it."""
    return wire.Project(
        id=str(found.uuid),
        name=found.title,
        recording_ids=[str(uuid) for uuid in recordings],
        filter_ids=[],
        created_at=found.created_at.isoformat(),
        updated_at=found.created_at.isoformat(),
        created_by_user_id=None,
    )
