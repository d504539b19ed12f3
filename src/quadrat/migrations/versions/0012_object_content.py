"""A mark of what the objects of a project hold, for the files of cached columns."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column(
        "clock",
        sa.Column("content", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        schema="objects",
    )
