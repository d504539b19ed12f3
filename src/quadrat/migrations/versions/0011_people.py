"""Plain members, the history of subscriptions, activation links, the audit trail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_member_level"), "member", schema="identity", type_="check")
    op.create_check_constraint(
        op.f("ck_member_level"),
        "member",
        "level IN ('owner', 'admin', 'editor', 'viewer', 'demo', 'member')",
        schema="identity",
    )
    _create_plan_record()
    op.create_table(
        "activation",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["identity.user.id"], name=op.f("fk_activation_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_activation")),
        schema="identity",
    )
    op.create_index(op.f("ix_activation_user_id"), "activation", ["user_id"], unique=False, schema="identity")
    _create_audit()


def _create_plan_record() -> None:
    op.create_table(
        "plan_record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("agreed_by", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.BigInteger(), nullable=True),
        sa.Column("is_first", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["identity.organization.id"],
            name=op.f("fk_plan_record_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["identity.subscription.id"],
            name=op.f("fk_plan_record_subscription_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["agreed_by"], ["identity.user.id"], name=op.f("fk_plan_record_agreed_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["updated_by"], ["identity.user.id"], name=op.f("fk_plan_record_updated_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_record")),
        sa.UniqueConstraint("uuid", name=op.f("uq_plan_record_uuid")),
        schema="identity",
    )
    for column in ("organization_id", "subscription_id", "agreed_by", "updated_by"):
        op.create_index(op.f(f"ix_plan_record_{column}"), "plan_record", [column], unique=False, schema="identity")
    op.execute(
        "INSERT INTO identity.plan_record "
        "(uuid, organization_id, subscription_id, name, started_at, agreed_by, is_first) "
        "SELECT gen_random_uuid(), organization.id, subscription.id, subscription.name, organization.created_at, "
        "(SELECT user_id FROM identity.member WHERE organization_id = organization.id AND level = 'owner' "
        "ORDER BY created_at LIMIT 1), true "
        "FROM identity.organization JOIN identity.subscription ON subscription.id = organization.subscription_id"
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_uuid", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("organization", sa.Text(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        schema="identity",
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False, schema="identity")
    op.create_index("ix_audit_organization_id", "audit", ["organization_id", "id"], unique=False, schema="identity")
    op.create_index("ix_audit_project_id", "audit", ["project_id", "id"], unique=False, schema="identity")
