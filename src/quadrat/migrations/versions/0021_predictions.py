"""What a prediction has still to write, and what networks make of images."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"

_REMOVE_OBJECTS = """
CREATE OR REPLACE FUNCTION objects.remove_objects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM objects.history USING objects.object
        WHERE history.object_id = object.id AND object.project_id = OLD.project_id;
    DELETE FROM objects.prediction USING objects.object
        WHERE prediction.object_id = object.id AND object.project_id = OLD.project_id;
    DELETE FROM objects.vector WHERE project_id = OLD.project_id;
    DELETE FROM objects.fact WHERE project_id = OLD.project_id;
    DELETE FROM objects.feature WHERE project_id = OLD.project_id;
    DELETE FROM objects.image WHERE project_id = OLD.project_id;
    DELETE FROM objects.object WHERE project_id = OLD.project_id;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "prediction_block",
        sa.Column("training_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("object_ids", sa.LargeBinary(), nullable=False),
        sa.Column("taxa", sa.LargeBinary(), nullable=True),
        sa.Column("scores", sa.LargeBinary(), nullable=True),
        sa.Column("request_ids", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.ForeignKeyConstraint(
            ["training_id"],
            ["objects.training.id"],
            name=op.f("fk_prediction_block_training_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("training_id", "number", name=op.f("pk_prediction_block")),
        schema="objects",
    )
    op.create_table(
        "vector",
        sa.Column("object_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("network", sa.Text(collation="C"), nullable=False),
        sa.Column("elements", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_vector")),
        schema="objects",
    )
    op.create_index(op.f("ix_vector_project_id"), "vector", ["project_id"], schema="objects")
    op.execute(_REMOVE_OBJECTS)
