"""Tables of the schema `identity`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Named,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from quadrat.db.metadata import metadata

SCHEMA = "identity"


def _to(target: str, *, ondelete: str = "CASCADE", use_alter: bool = False) -> ForeignKey:
    return ForeignKey(f"{SCHEMA}.{target}.id", ondelete=ondelete, use_alter=use_alter)


class _Row(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    uuid: Named[UUID] = Column(Uuid, unique=True)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


class _UserColumns(_Row):
    email: Named[str] = Column(Text, unique=True)
    name: Named[str | None] = Column(Text)
    surname: Named[str | None] = Column(Text)
    password_hash: Named[str | None] = Column(Text)
    status: Named[str] = Column(Text)
    is_platform_admin: Named[bool] = Column(Boolean, server_default=text("false"))
    service_project_id: Named[int | None] = Column(BigInteger, _to("project", use_alter=True), index=True)


user = Table(
    "user",
    metadata,
    _UserColumns,
    CheckConstraint("status IN ('pending', 'active', 'blocked')", name="status"),
    schema=SCHEMA,
)


class _SubscriptionColumns(_Row):
    name: Named[str] = Column(Text, unique=True)
    max_projects: Named[int | None]
    max_users: Named[int | None]
    logs_retention_days: Named[int | None]
    gb_seconds: Named[int | None] = Column(BigInteger)
    resources: Named[int | None]
    agreement: Named[str] = Column(Text, server_default="")
    terms_conditions: Named[str] = Column(Text, server_default="")
    hidden: Named[bool] = Column(Boolean, server_default=text("false"))


subscription = Table("subscription", metadata, _SubscriptionColumns, schema=SCHEMA)


class _OrganizationColumns(_Row):
    name: Named[str] = Column(Text, unique=True)
    title: Named[str] = Column(Text)
    personal_user_id: Named[int | None] = Column(BigInteger, _to("user"), unique=True)
    subscription_id: Named[int] = Column(BigInteger, ForeignKey(f"{SCHEMA}.subscription.id"))
    subscription_end_at: Named[datetime | None] = Column(DateTime(timezone=True))


organization = Table("organization", metadata, _OrganizationColumns, schema=SCHEMA)


class _MemberColumns(TypedColumns):
    organization_id: Named[int] = Column(BigInteger, _to("organization"), primary_key=True)
    user_id: Named[int] = Column(BigInteger, _to("user"), primary_key=True, index=True)
    level: Named[str] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


member = Table(
    "member",
    metadata,
    _MemberColumns,
    CheckConstraint("level IN ('owner', 'admin', 'editor', 'viewer', 'demo', 'member')", name="level"),
    schema=SCHEMA,
)


class _ProjectColumns(_Row):
    organization_id: Named[int] = Column(BigInteger, _to("organization"), index=True)
    name: Named[str] = Column(Text, unique=True)
    title: Named[str] = Column(Text)
    personal_user_id: Named[int | None] = Column(BigInteger, _to("user", ondelete="SET NULL"), unique=True)


project = Table("project", metadata, _ProjectColumns, schema=SCHEMA)


class _RoleColumns(_Row):
    project_id: Named[int | None] = Column(BigInteger, _to("project"))
    name: Named[str] = Column(Text)
    permissions: Named[list[str]] = Column(ARRAY(Text))


role = Table(
    "role",
    metadata,
    _RoleColumns,
    UniqueConstraint("project_id", "name", postgresql_nulls_not_distinct=True),
    schema=SCHEMA,
)


class _RoleAssignmentColumns(_Row):
    project_id: Named[int] = Column(BigInteger, _to("project"))
    user_id: Named[int] = Column(BigInteger, _to("user"), index=True)
    role_id: Named[int] = Column(BigInteger, _to("role"), index=True)
    object_type: Named[str | None] = Column(Text)
    object_id: Named[UUID | None] = Column(Uuid)


role_assignment = Table(
    "role_assignment",
    metadata,
    _RoleAssignmentColumns,
    CheckConstraint("(object_type IS NULL) = (object_id IS NULL)", name="object"),
    UniqueConstraint(
        "project_id",
        "user_id",
        "role_id",
        "object_type",
        "object_id",
        name="uq_role_assignment_once",
        postgresql_nulls_not_distinct=True,
    ),
    schema=SCHEMA,
)


class _TokenColumns(TypedColumns):
    id: Named[UUID] = Column(Uuid, primary_key=True)
    user_id: Named[int] = Column(BigInteger, _to("user"), index=True)
    name: Named[str] = Column(Text)
    kind: Named[str] = Column(Text)
    hash: Named[bytes] = Column(LargeBinary, unique=True)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    expires_at: Named[datetime | None] = Column(DateTime(timezone=True))
    last_used_at: Named[datetime | None] = Column(DateTime(timezone=True))


token = Table(
    "token",
    metadata,
    _TokenColumns,
    CheckConstraint("kind IN ('api', 'session')", name="kind"),
    schema=SCHEMA,
)


class _PlanRecordColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    uuid: Named[UUID] = Column(Uuid, unique=True)
    organization_id: Named[int] = Column(BigInteger, _to("organization"), index=True)
    # Gone when the plan was deleted later; its last name stays.
    subscription_id: Named[int | None] = Column(BigInteger, _to("subscription", ondelete="SET NULL"), index=True)
    name: Named[str] = Column(Text)
    started_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    agreed_by: Named[int | None] = Column(BigInteger, _to("user", ondelete="SET NULL"), index=True)
    updated_by: Named[int | None] = Column(BigInteger, _to("user", ondelete="SET NULL"), index=True)
    is_first: Named[bool] = Column(Boolean)


plan_record = Table("plan_record", metadata, _PlanRecordColumns, schema=SCHEMA)


class _ActivationColumns(TypedColumns):
    hash: Named[bytes] = Column(LargeBinary, primary_key=True)
    user_id: Named[int] = Column(BigInteger, _to("user"), index=True)
    expires_at: Named[datetime] = Column(DateTime(timezone=True))


activation = Table("activation", metadata, _ActivationColumns, schema=SCHEMA)


class _AuditColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.clock_timestamp())
    action: Named[str] = Column(Text)
    # No foreign keys: the trail tells of users, organizations and projects that are gone, too.
    actor_uuid: Named[UUID | None] = Column(Uuid)
    actor: Named[str | None] = Column(Text)
    organization_id: Named[int | None] = Column(BigInteger)
    organization: Named[str | None] = Column(Text)
    project_id: Named[int | None] = Column(BigInteger)
    project: Named[str | None] = Column(Text)
    subject: Named[str] = Column(Text)
    detail: Named[dict[str, Any]] = Column(JSONB)
    door: Named[str] = Column(Text)
    address: Named[str | None] = Column(Text)
    request_id: Named[str | None] = Column(Text)


audit = Table(
    "audit",
    metadata,
    _AuditColumns,
    Index("ix_audit_at", "at"),
    Index("ix_audit_organization_id", "organization_id", "id"),
    Index("ix_audit_project_id", "project_id", "id"),
    schema=SCHEMA,
)


class _SignInFailureColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    subject: Named[str] = Column(Text)
    at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


sign_in_failure = Table("sign_in_failure", metadata, _SignInFailureColumns, Index(None, "subject", "at"), schema=SCHEMA)
