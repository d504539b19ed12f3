"""The size of a payload, for the log of its request."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column(
        "payload",
        sa.Column("size_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        schema="serving",
    )
