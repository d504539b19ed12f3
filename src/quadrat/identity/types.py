"""Who acts, and where: the values that other domains and the APIs pass around."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID

UserId = NewType("UserId", int)
OrganizationId = NewType("OrganizationId", int)
ProjectId = NewType("ProjectId", int)
RoleId = NewType("RoleId", int)


class UserStatus(StrEnum):
    """Whether a user may sign in."""

    PENDING = "pending"
    ACTIVE = "active"
    BLOCKED = "blocked"


class MemberLevel(StrEnum):
    """What a member of an organization is in it and in its projects."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"
    DEMO = "demo"
    # Belongs to the organization and sees its projects in lists; holds in them what roles give, and nothing else.
    MEMBER = "member"


class TokenKind(StrEnum):
    """An API token lasts until it is revoked; a session token was given for a password and ends."""

    API = "api"
    SESSION = "session"


class ObjectType(StrEnum):
    """Things that a role may be assigned on, beside the whole project."""

    MODEL = "model"
    PIPELINE = "pipeline"
    CONNECTOR = "connector"
    CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as the token says.

    Args:
        user_id: The user, person or service user.
        uuid: The same to the outside.
        email: E-mail address; generated for a service user.
        is_platform_admin: Runs this server: may do everything everywhere.
        service_project_id: The project that a service user belongs to; None for a person.
        token_id: The token that was sent.
    """

    user_id: UserId
    uuid: UUID
    email: str
    is_platform_admin: bool
    service_project_id: ProjectId | None
    token_id: UUID

    @property
    def is_service(self) -> bool:
        """True for a service user."""
        return self.service_project_id is not None


@dataclass(frozen=True, slots=True)
class User:
    """A person, or the service user of a project."""

    id: UserId
    uuid: UUID
    email: str
    name: str | None
    surname: str | None
    status: UserStatus
    is_platform_admin: bool
    service_project_id: ProjectId | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be made.

    Args:
        email: E-mail address, in any case.
        password: None for a user who comes with tokens only, or who is still to be invited in.
        name: First name.
        surname: Family name.
        status: Whether the user may sign in at once.
        is_platform_admin: Runs this server.
    """

    email: str
    password: str | None = field(default=None, repr=False)
    name: str | None = None
    surname: str | None = None
    status: UserStatus = UserStatus.ACTIVE
    is_platform_admin: bool = False


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What a user changes about itself; None leaves a thing as it is, an empty name takes it away."""

    email: str | None = None
    password: str | None = field(default=None, repr=False)
    previous_password: str | None = field(default=None, repr=False)
    name: str | None = None
    surname: str | None = None


@dataclass(frozen=True, slots=True)
class FirstAdministrator:
    """Who runs the server first.

    Args:
        user: The administrator.
        secret: A token made just now, to be shown once; None when there was no need for one.
    """

    user: User
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Organization:
    """A lab, a company, or the personal organization of one user."""

    id: OrganizationId
    uuid: UUID
    name: str
    title: str
    personal_user_id: UserId | None
    subscription: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """A subscription that organizations may have; None stands for no limit.

    Args:
        max_projects: Projects in the organization.
        max_users: Its members.
        logs_retention_days: How long lines of logs are kept.
        gb_seconds: Memory times running time of all models in a calendar month.
        resources: Versions, pipelines and connectors together.
        agreement: Address of a document.
        terms_conditions: Address of a document.
        hidden: Only a platform administrator sees and gives it.
    """

    uuid: UUID
    name: str
    max_projects: int | None
    max_users: int | None
    logs_retention_days: int | None
    gb_seconds: int | None
    resources: int | None
    agreement: str
    terms_conditions: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A subscription that an organization has had.

    Args:
        started_at: From when.
        agreed_by: Address of the user who agreed to its terms; None when the user is gone.
        updated_by: Address of the user who changed to it; empty for the first, None when the user is gone.
    """

    uuid: UUID
    plan: str
    started_at: datetime
    agreed_by: str | None
    updated_by: str | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of rights, tokens, members or secrets.

    Args:
        action: What was done, e.g. ``member.added``.
        actor: Address of whoever did it; None for the operator at the command line, and for strangers.
        organization: Its name at that time.
        project: Its name at that time.
        subject: To whom or what.
        detail: More facts; never a secret.
        door: Which API, or ``command``.
        address: Network address it came from.
        request_id: As it stands in the server's log.
    """

    id: int
    at: datetime
    action: str
    actor: str | None
    organization: str | None
    project: str | None
    subject: str
    detail: Mapping[str, Any]
    door: str
    address: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """An organization to be made.

    Args:
        name: Slug, unique on the server.
        subscription: Name of the plan.
        subscription_agreed: Its terms were accepted.
        subscription_end: Day on which it ends; None for no end.
        title: As people write it; None for the name.
    """

    name: str
    subscription: str
    subscription_agreed: bool
    subscription_end: date | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionEnd:
    """A new end of a subscription: a day, or None for no end."""

    day: date | None


@dataclass(frozen=True, slots=True)
class OrganizationChanges:
    """What changes about an organization; None leaves a thing as it is."""

    name: str | None = None
    title: str | None = None
    subscription: str | None = None
    subscription_agreed: bool = False
    subscription_end: SubscriptionEnd | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A user in an organization."""

    organization_id: OrganizationId
    user: User
    level: MemberLevel
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """One organization of a user.

    Args:
        organization_uuid: The organization.
        title: As people write its name.
        level: What the user is in it.
        is_personal: True for the user's own.
    """

    organization_uuid: UUID
    title: str
    level: MemberLevel
    is_personal: bool


@dataclass(frozen=True, slots=True)
class Project:
    """A project: the same through every API."""

    id: ProjectId
    uuid: UUID
    organization_id: OrganizationId
    organization_name: str
    name: str
    title: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret."""

    id: UUID
    user_id: UserId
    name: str
    kind: TokenKind
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of permissions; `project_id` is None for a default role."""

    id: RoleId
    uuid: UUID
    project_id: ProjectId | None
    name: str
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Target:
    """One object that a permission is asked for.

    Args:
        type: Its kind.
        id: Its UUID.
    """

    type: ObjectType
    id: UUID


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role that a user or service user holds in a project, on the whole of it or on one object."""

    uuid: UUID
    project_id: ProjectId
    user_uuid: UUID
    role_name: str
    target: Target | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What one assignment gives: permissions on the project (`target` None) or on one object and all below it."""

    permissions: frozenset[str]
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that decides what one caller may do in one project.

    Args:
        project: The project.
        level: The caller's membership in the project's organization.
        grants: The caller's assignments in the project.
    """

    project: Project
    level: MemberLevel | None
    grants: tuple[Grant, ...] = field(default=())
