"""Blobs, payloads that are too large for a row, and the log of direct requests."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("ttl_s", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_blob_project_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blob")),
        schema="serving",
    )
    op.create_index(
        "ix_blob_project_id_created_at", "blob", ["project_id", "created_at", "id"], unique=False, schema="serving"
    )
    op.create_index(op.f("ix_blob_expires_at"), "blob", ["expires_at"], unique=False, schema="serving")
    op.create_table(
        "payload",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["serving.request.id"], name=op.f("fk_payload_request_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payload")),
        schema="serving",
    )
    op.create_index(op.f("ix_payload_request_id"), "payload", ["request_id"], unique=False, schema="serving")
    op.alter_column("request", "data", nullable=True, schema="serving")
    op.add_column("request", sa.Column("data_payload_id", sa.Uuid(), nullable=True), schema="serving")
    op.add_column("request", sa.Column("result_payload_id", sa.Uuid(), nullable=True), schema="serving")
    op.create_table(
        "direct_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("input_bytes", sa.BigInteger(), nullable=False),
        sa.Column("output_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_direct_request")),
        schema="serving",
    )
