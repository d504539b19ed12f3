"""Environment variables."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "variable",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=True),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("sealed_value", sa.LargeBinary(), nullable=True),
        sa.Column("secret", sa.Boolean(), nullable=False),
        sa.CheckConstraint("version_id IS NULL OR model_id IS NOT NULL", name=op.f("ck_variable_level")),
        sa.CheckConstraint(
            "secret = (sealed_value IS NOT NULL) AND secret = (value IS NULL)", name=op.f("ck_variable_secret")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_variable_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["serving.model.id"], name=op.f("fk_variable_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["serving.version.id"], name=op.f("fk_variable_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variable")),
        sa.UniqueConstraint("uuid", name=op.f("uq_variable_uuid")),
        sa.UniqueConstraint(
            "project_id",
            "model_id",
            "version_id",
            "name",
            name=op.f("uq_variable_once"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="serving",
    )
    for column in ("model_id", "version_id"):
        op.create_index(op.f(f"ix_variable_{column}"), "variable", [column], unique=False, schema="serving")
