"""Settings with which people look at enrichments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "visualization",
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("enrichment_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('heatmap', 'aoi_heatmap')", name=op.f("ck_visualization_kind")),
        sa.ForeignKeyConstraint(
            ["enrichment_id"],
            ["gaze.enrichment.id"],
            name=op.f("fk_visualization_enrichment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["identity.project.id"], name=op.f("fk_visualization_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visualization")),
        sa.UniqueConstraint("project_id", "uuid", name=op.f("uq_visualization_project_id_uuid")),
        schema="gaze",
    )
    op.create_index(
        op.f("ix_visualization_enrichment_id"), "visualization", ["enrichment_id"], unique=False, schema="gaze"
    )
