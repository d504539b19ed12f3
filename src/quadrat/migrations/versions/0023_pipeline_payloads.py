"""Payloads of pipelines' requests and of what their objects have made, where they are too large for a row."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.alter_column("pipeline_request", "data", nullable=True, schema="serving")
    op.add_column("pipeline_request", sa.Column("data_payload_id", sa.Uuid(), nullable=True), schema="serving")
    op.alter_column("pipeline_run", "data", nullable=True, schema="serving")
    op.add_column("pipeline_run", sa.Column("data_payload_id", sa.Uuid(), nullable=True), schema="serving")
    op.add_column("pipeline_run", sa.Column("result_payload_id", sa.Uuid(), nullable=True), schema="serving")
    op.add_column("payload", sa.Column("pipeline_request_id", sa.Uuid(), nullable=True), schema="serving")
    op.create_foreign_key(
        op.f("fk_payload_pipeline_request_id"),
        "payload",
        "pipeline_request",
        ["pipeline_request_id"],
        ["id"],
        source_schema="serving",
        referent_schema="serving",
        ondelete="SET NULL",
    )
    op.create_index(
        op.f("ix_payload_pipeline_request_id"), "payload", ["pipeline_request_id"], unique=False, schema="serving"
    )
