"""Lists of changed objects are stored as they are: compressing ten thousand numbers took longer than writing them."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute("ALTER TABLE objects.change ALTER COLUMN object_ids SET STORAGE EXTERNAL")
