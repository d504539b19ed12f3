"""Models, versions, packages, batch requests and the logs of models."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("CREATE SCHEMA serving")
    op.create_table(
        "log",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("system", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log")),
        schema="serving",
    )
    op.create_index("ix_log_project_id_at", "log", ["project_id", "at", "id"], unique=False, schema="serving")
    op.create_index(
        "ix_log_request_id",
        "log",
        ["request_id"],
        unique=False,
        schema="serving",
        postgresql_where=sa.text("request_id IS NOT NULL"),
    )
    op.create_index("ix_log_version_id_at", "log", ["version_id", "at", "id"], unique=False, schema="serving")
    op.create_table(
        "model",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("input_kind", sa.Text(), nullable=False),
        sa.Column("output_kind", sa.Text(), nullable=False),
        sa.CheckConstraint("input_kind IN ('structured', 'plain')", name=op.f("ck_model_input_kind")),
        sa.CheckConstraint("output_kind IN ('structured', 'plain')", name=op.f("ck_model_output_kind")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_model_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_model_project_id_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_model_uuid")),
        schema="serving",
    )
    op.create_table(
        "model_field",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.CheckConstraint("direction IN ('input', 'output')", name=op.f("ck_model_field_direction")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["serving.model.id"], name=op.f("fk_model_field_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "direction", "position", name=op.f("pk_model_field")),
        sa.UniqueConstraint("model_id", "direction", "name", name=op.f("uq_model_field_model_id_direction_name")),
        schema="serving",
    )
    op.create_table(
        "version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("memory_allocation_mb", sa.Integer(), nullable=False),
        sa.Column("minimum_instances", sa.Integer(), nullable=False),
        sa.Column("maximum_instances", sa.Integer(), nullable=False),
        sa.Column("maximum_idle_time_s", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("build", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("package_id", sa.BigInteger(), nullable=True),
        sa.Column("serving_package_id", sa.BigInteger(), nullable=True),
        sa.Column("serving_language", sa.Text(), nullable=True),
        sa.Column("file_updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('initialised', 'building', 'deploying', 'available', 'available_building', "
            "'building_failed', 'deploying_failed', 'available_building_failed')",
            name=op.f("ck_version_status"),
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["serving.model.id"], name=op.f("fk_version_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version")),
        sa.UniqueConstraint("model_id", "name", name=op.f("uq_version_model_id_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_version_uuid")),
        schema="serving",
    )
    op.create_index(op.f("ix_version_package_id"), "version", ["package_id"], unique=False, schema="serving")
    op.create_index(
        op.f("ix_version_serving_package_id"), "version", ["serving_package_id"], unique=False, schema="serving"
    )
    op.create_table(
        "package",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["serving.version.id"], name=op.f("fk_package_version_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package")),
        sa.UniqueConstraint("blob_key", name=op.f("uq_package_blob_key")),
        schema="serving",
    )
    op.create_index(op.f("ix_package_version_id"), "package", ["version_id"], unique=False, schema="serving")
    for column in ("package_id", "serving_package_id"):
        op.create_foreign_key(
            op.f(f"fk_version_{column}"),
            "version",
            "package",
            [column],
            ["id"],
            source_schema="serving",
            referent_schema="serving",
            ondelete="SET NULL",
        )
    op.create_table(
        "request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("(state = 'processing') = (lease_owner IS NOT NULL)", name=op.f("ck_request_lease")),
        sa.CheckConstraint("state IN ('pending', 'processing', 'completed', 'failed')", name=op.f("ck_request_state")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["serving.version.id"], name=op.f("fk_request_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
        schema="serving",
    )
    op.create_index(
        "ix_request_finished_at",
        "request",
        ["finished_at"],
        unique=False,
        schema="serving",
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_request_leased",
        "request",
        ["lease_expires_at"],
        unique=False,
        schema="serving",
        postgresql_where=sa.text("state = 'processing'"),
    )
    op.create_index(
        "ix_request_pending",
        "request",
        ["version_id", "id"],
        unique=False,
        schema="serving",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_request_version_id_created_at",
        "request",
        ["version_id", "created_at", "id"],
        unique=False,
        schema="serving",
    )
