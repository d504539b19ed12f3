"""Users, organizations and projects for tests, each with names of its own."""

from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.actions import organizations, projects, roles
from quadrat.identity.actions.access import authenticate
from quadrat.identity.actions.tokens import create_token
from quadrat.identity.actions.users import create_user
from quadrat.identity.types import Caller, MemberLevel, NewOrganization, NewUser, Organization, Project

PASSWORD = "Correct-horse-1"


def unique(word: str) -> str:
    """A slug that no other test uses."""
    return f"{word}-{uuid4().hex[:12]}"


def unique_email() -> str:
    return f"{unique('person')}@example.org"


async def make_caller(tx: AsyncConnection, *, password: str | None = None, admin: bool = False) -> Caller:
    """A new user, as its token says."""
    user = await create_user(tx, NewUser(unique_email(), password, is_platform_admin=admin))
    _, secret = await create_token(tx, user.id, "test")
    return await authenticate(tx, secret)


async def make_organization(tx: AsyncConnection, owner: Caller) -> Organization:
    return await organizations.create_organization(
        tx, owner, NewOrganization(unique("org"), subscription="free", subscription_agreed=True)
    )


async def make_project(tx: AsyncConnection, owner: Caller, organization: Organization | None = None) -> Project:
    home = None if organization is None else organization.name
    return await projects.create_project(tx, owner, organization=home, name=unique("project"))


async def make_member(tx: AsyncConnection, admin: Caller, organization: Organization, level: MemberLevel) -> Caller:
    """A new user in the organization."""
    caller = await make_caller(tx)
    await organizations.add_member(tx, admin, organization.name, caller.email, level)
    return caller


async def make_service_user(
    tx: AsyncConnection, admin: Caller, project: Project, role: str | None = None
) -> tuple[Caller, str]:
    """A service user of the project, holding a role or none, and its token."""
    user, secret = await roles.create_service_user(tx, admin, project.name, "robot")
    if role is not None:
        await roles.assign_role(tx, admin, project.name, user.uuid, role)
    return await authenticate(tx, secret), secret
