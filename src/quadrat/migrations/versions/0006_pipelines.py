"""Pipelines and their batch requests, connectors with credentials and deliveries, schedules."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("open_values", postgresql.JSONB(), nullable=False),
        sa.Column("sealed_values", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("check_number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending_verification', 'available', 'failed_verification')", name=op.f("ck_credentials_status")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_credentials_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_credentials_project_id_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_credentials_uuid")),
        schema="serving",
    )
    op.create_table(
        "pipeline",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("input_kind", sa.Text(), nullable=False),
        sa.CheckConstraint("input_kind IN ('structured', 'plain')", name=op.f("ck_pipeline_input_kind")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_pipeline_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_pipeline_project_id_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_pipeline_uuid")),
        schema="serving",
    )
    op.create_table(
        "connector",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("credentials_id", sa.BigInteger(), nullable=False),
        sa.Column("configuration", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("check_number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending_verification', 'available', 'failed_verification')", name=op.f("ck_connector_status")
        ),
        sa.ForeignKeyConstraint(
            ["credentials_id"], ["serving.credentials.id"], name=op.f("fk_connector_credentials_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_connector_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connector")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_connector_project_id_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_connector_uuid")),
        schema="serving",
    )
    op.create_index(
        op.f("ix_connector_credentials_id"), "connector", ["credentials_id"], unique=False, schema="serving"
    )
    op.create_table(
        "pipeline_field",
        sa.Column("pipeline_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["serving.pipeline.id"], name=op.f("fk_pipeline_field_pipeline_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pipeline_id", "position", name=op.f("pk_pipeline_field")),
        sa.UniqueConstraint("pipeline_id", "name", name=op.f("uq_pipeline_field_pipeline_id_name")),
        schema="serving",
    )
    op.create_table(
        "pipeline_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "(state = 'processing') = (lease_owner IS NOT NULL)", name=op.f("ck_pipeline_request_lease")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'processing', 'completed', 'failed')", name=op.f("ck_pipeline_request_state")
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["serving.pipeline.id"], name=op.f("fk_pipeline_request_pipeline_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_request")),
        schema="serving",
    )
    op.create_index(
        "ix_pipeline_request_finished_at",
        "pipeline_request",
        ["finished_at"],
        unique=False,
        schema="serving",
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_pipeline_request_leased",
        "pipeline_request",
        ["lease_expires_at"],
        unique=False,
        schema="serving",
        postgresql_where=sa.text("state = 'processing'"),
    )
    op.create_index(
        "ix_pipeline_request_pending",
        "pipeline_request",
        ["pipeline_id", "id"],
        unique=False,
        schema="serving",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_pipeline_request_pipeline_id_created_at",
        "pipeline_request",
        ["pipeline_id", "created_at", "id"],
        unique=False,
        schema="serving",
    )
    op.create_table(
        "connector_field",
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["serving.connector.id"], name=op.f("fk_connector_field_connector_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connector_id", "position", name=op.f("pk_connector_field")),
        sa.UniqueConstraint("connector_id", "name", name=op.f("uq_connector_field_connector_id_name")),
        schema="serving",
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("pipeline_id", sa.BigInteger(), nullable=True),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column("pipeline_request_id", sa.Uuid(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["serving.connector.id"], name=op.f("fk_delivery_connector_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        schema="serving",
    )
    op.create_index(
        "ix_delivery_connector_id_due_at", "delivery", ["connector_id", "due_at", "id"], unique=False, schema="serving"
    )
    op.create_table(
        "pipeline_object",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("connector_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(version_id IS NULL) <> (connector_id IS NULL)", name=op.f("ck_pipeline_object_reference")),
        sa.ForeignKeyConstraint(
            ["connector_id"], ["serving.connector.id"], name=op.f("fk_pipeline_object_connector_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["serving.pipeline.id"], name=op.f("fk_pipeline_object_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["serving.version.id"], name=op.f("fk_pipeline_object_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_object")),
        sa.UniqueConstraint("pipeline_id", "name", name=op.f("uq_pipeline_object_pipeline_id_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_pipeline_object_uuid")),
        schema="serving",
    )
    op.create_index(
        op.f("ix_pipeline_object_connector_id"), "pipeline_object", ["connector_id"], unique=False, schema="serving"
    )
    op.create_index(
        op.f("ix_pipeline_object_version_id"), "pipeline_object", ["version_id"], unique=False, schema="serving"
    )
    op.create_table(
        "pipeline_run",
        sa.Column("pipeline_request_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column("is_model", sa.Boolean(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_request_id"],
            ["serving.pipeline_request.id"],
            name=op.f("fk_pipeline_run_pipeline_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pipeline_request_id", "path", name=op.f("pk_pipeline_run")),
        schema="serving",
    )
    op.create_table(
        "schedule",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("pipeline_id", sa.BigInteger(), nullable=True),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("is_batch", sa.Boolean(), nullable=False),
        sa.Column("timeout_s", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("(version_id IS NULL) <> (pipeline_id IS NULL)", name=op.f("ck_schedule_object")),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["serving.pipeline.id"], name=op.f("fk_schedule_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_schedule_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["serving.version.id"], name=op.f("fk_schedule_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_schedule_project_id_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_schedule_uuid")),
        schema="serving",
    )
    op.create_index(op.f("ix_schedule_pipeline_id"), "schedule", ["pipeline_id"], unique=False, schema="serving")
    op.create_index(op.f("ix_schedule_version_id"), "schedule", ["version_id"], unique=False, schema="serving")
    op.create_table(
        "attachment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=True),
        sa.Column("destination_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["destination_id"],
            ["serving.pipeline_object.id"],
            name=op.f("fk_attachment_destination_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["serving.pipeline.id"], name=op.f("fk_attachment_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["serving.pipeline_object.id"], name=op.f("fk_attachment_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("source_id", "destination_id", name=op.f("uq_attachment_source_id_destination_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_attachment_uuid")),
        schema="serving",
    )
    op.create_index(
        op.f("ix_attachment_destination_id"), "attachment", ["destination_id"], unique=False, schema="serving"
    )
    op.create_index(op.f("ix_attachment_pipeline_id"), "attachment", ["pipeline_id"], unique=False, schema="serving")
    op.create_table(
        "fired",
        sa.Column("schedule_id", sa.BigInteger(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["serving.schedule.id"], name=op.f("fk_fired_schedule_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("schedule_id", "minute", name=op.f("pk_fired")),
        schema="serving",
    )
    op.create_table(
        "attachment_field",
        sa.Column("attachment_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source_field", sa.Text(), nullable=False),
        sa.Column("destination_field", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["serving.attachment.id"],
            name=op.f("fk_attachment_field_attachment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attachment_id", "position", name=op.f("pk_attachment_field")),
        schema="serving",
    )
