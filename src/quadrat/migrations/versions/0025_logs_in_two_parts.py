"""The system's lines of logs apart from the users', so that a page of them lies together on the disk."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

_COLUMNS = "source_id, id, project_id, system, request_id, pipeline_request_id, text"


def upgrade() -> None:
    op.rename_table("log", "log_before", schema="serving")
    for name in ("ix_log_system", "ix_log_user", "ix_log_request_id", "ix_log_pipeline_request_id"):
        op.drop_index(name, "log_before", schema="serving")
    op.drop_constraint("pk_log", "log_before", schema="serving")
    op.create_table(
        "log",
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("system", sa.Boolean(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("pipeline_request_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "id", "system", name=op.f("pk_log")),
        schema="serving",
        postgresql_partition_by="LIST (system)",
    )
    op.execute("CREATE TABLE serving.log_system PARTITION OF serving.log FOR VALUES IN (true)")
    op.execute("CREATE TABLE serving.log_user PARTITION OF serving.log FOR VALUES IN (false)")
    op.execute(f"INSERT INTO serving.log ({_COLUMNS}) SELECT {_COLUMNS} FROM serving.log_before ORDER BY id")  # noqa: S608
    op.drop_table("log_before", schema="serving")
    op.create_index(op.f("ix_log_project_id_id"), "log", ["project_id", "id"], schema="serving")
    for name in ("request_id", "pipeline_request_id"):
        condition = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_log_{name}", "log", [name, "id"], schema="serving", postgresql_where=condition)
