"""Which object of a pipeline a message comes from, and quick renewal of leases on messages."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("delivery", sa.Column("object_id", sa.BigInteger(), nullable=True), schema="serving")
    op.create_index(
        "ix_delivery_leased",
        "delivery",
        ["lease_owner"],
        unique=False,
        schema="serving",
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
