"""By how much the gaze of a recording was corrected."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column(
        "recording", sa.Column("gaze_offset_px", postgresql.ARRAY(sa.Float(53)), nullable=True), schema="gaze"
    )
