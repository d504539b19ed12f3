"""Logs of everything in a project, found by any filter; metrics in buckets."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _replace_log()
    op.create_table(
        "metric",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("grain IN ('minute', 'hour', 'day', 'month')", name=op.f("ck_metric_grain")),
        sa.PrimaryKeyConstraint("project_id", "metric", "grain", "bucket", "object_id", name=op.f("pk_metric")),
        schema="serving",
    )


def _replace_log() -> None:
    # Nothing was released that wrote or showed the lines of the old table.
    op.drop_table("log", schema="serving")
    op.create_table(
        "log_source",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("pipeline_id", sa.BigInteger(), nullable=True),
        sa.Column("pipeline_object_id", sa.BigInteger(), nullable=True),
        sa.Column("connector_id", sa.BigInteger(), nullable=True),
        sa.Column("system", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_source")),
        sa.UniqueConstraint(
            "project_id",
            "version_id",
            "pipeline_id",
            "pipeline_object_id",
            "connector_id",
            "system",
            name=op.f("uq_log_source_once"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="serving",
    )
    op.create_table(
        "log",
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("system", sa.Boolean(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("pipeline_request_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "id", name=op.f("pk_log")),
        schema="serving",
    )
    for name, columns, condition in (
        ("ix_log_system", ["project_id", "id"], "system"),
        ("ix_log_user", ["project_id", "id"], "NOT system"),
        ("ix_log_request_id", ["request_id", "id"], "request_id IS NOT NULL"),
        ("ix_log_pipeline_request_id", ["pipeline_request_id", "id"], "pipeline_request_id IS NOT NULL"),
    ):
        op.create_index(name, "log", columns, unique=False, schema="serving", postgresql_where=sa.text(condition))
