"""Users, organizations, projects, roles and tokens; the table that says which programs may use the database."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA identity")
    op.create_table(
        "quadrat_schema",
        sa.Column("singleton", sa.Boolean(), sa.CheckConstraint("singleton", name="singleton"), primary_key=True),
        sa.Column("compatibility", sa.Integer(), nullable=False),
        schema="public",
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failure")),
        schema="identity",
    )
    op.create_index(
        op.f("ix_sign_in_failure_subject_at"), "sign_in_failure", ["subject", "at"], unique=False, schema="identity"
    )
    op.create_table(
        "subscription",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("max_projects", sa.Integer(), nullable=True),
        sa.Column("max_users", sa.Integer(), nullable=True),
        sa.Column("logs_retention_days", sa.Integer(), nullable=True),
        sa.Column("gb_seconds", sa.BigInteger(), nullable=True),
        sa.Column("resources", sa.Integer(), nullable=True),
        sa.Column("agreement", sa.Text(), server_default="", nullable=False),
        sa.Column("terms_conditions", sa.Text(), server_default="", nullable=False),
        sa.Column("hidden", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("name", name=op.f("uq_subscription_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_subscription_uuid")),
        schema="identity",
    )
    op.create_table(
        "user",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("surname", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_platform_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("service_project_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'active', 'blocked')", name=op.f("ck_user_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email", name=op.f("uq_user_email")),
        sa.UniqueConstraint("uuid", name=op.f("uq_user_uuid")),
        schema="identity",
    )
    op.create_index(op.f("ix_user_service_project_id"), "user", ["service_project_id"], unique=False, schema="identity")
    op.create_table(
        "organization",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("personal_user_id", sa.BigInteger(), nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_end_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["personal_user_id"],
            ["identity.user.id"],
            name=op.f("fk_organization_personal_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["identity.subscription.id"], name=op.f("fk_organization_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("name", name=op.f("uq_organization_name")),
        sa.UniqueConstraint("personal_user_id", name=op.f("uq_organization_personal_user_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_organization_uuid")),
        schema="identity",
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('api', 'session')", name=op.f("ck_token_kind")),
        sa.ForeignKeyConstraint(["user_id"], ["identity.user.id"], name=op.f("fk_token_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
        schema="identity",
    )
    op.create_index(op.f("ix_token_user_id"), "token", ["user_id"], unique=False, schema="identity")
    op.create_table(
        "member",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("level IN ('owner', 'admin', 'editor', 'viewer', 'demo')", name=op.f("ck_member_level")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["identity.organization.id"],
            name=op.f("fk_member_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["identity.user.id"], name=op.f("fk_member_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_member")),
        schema="identity",
    )
    op.create_index(op.f("ix_member_user_id"), "member", ["user_id"], unique=False, schema="identity")
    op.create_table(
        "project",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("personal_user_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["identity.organization.id"],
            name=op.f("fk_project_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["personal_user_id"], ["identity.user.id"], name=op.f("fk_project_personal_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("name", name=op.f("uq_project_name")),
        sa.UniqueConstraint("personal_user_id", name=op.f("uq_project_personal_user_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_project_uuid")),
        schema="identity",
    )
    op.create_index(op.f("ix_project_organization_id"), "project", ["organization_id"], unique=False, schema="identity")
    op.create_table(
        "role",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_role_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
        sa.UniqueConstraint(
            "project_id", "name", name=op.f("uq_role_project_id_name"), postgresql_nulls_not_distinct=True
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_role_uuid")),
        schema="identity",
    )
    op.create_table(
        "role_assignment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=True),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(object_type IS NULL) = (object_id IS NULL)", name=op.f("ck_role_assignment_object")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_role_assignment_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["role_id"], ["identity.role.id"], name=op.f("fk_role_assignment_role_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity.user.id"], name=op.f("fk_role_assignment_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_assignment")),
        sa.UniqueConstraint(
            "project_id",
            "user_id",
            "role_id",
            "object_type",
            "object_id",
            name=op.f("uq_role_assignment_once"),
            postgresql_nulls_not_distinct=True,
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_role_assignment_uuid")),
        schema="identity",
    )
    op.create_index(op.f("ix_role_assignment_role_id"), "role_assignment", ["role_id"], unique=False, schema="identity")
    op.create_index(op.f("ix_role_assignment_user_id"), "role_assignment", ["user_id"], unique=False, schema="identity")
    op.create_foreign_key(
        op.f("fk_user_service_project_id"),
        "user",
        "project",
        ["service_project_id"],
        ["id"],
        source_schema="identity",
        referent_schema="identity",
        ondelete="CASCADE",
    )
    op.execute("INSERT INTO identity.subscription (uuid, name) VALUES (gen_random_uuid(), 'free')")
