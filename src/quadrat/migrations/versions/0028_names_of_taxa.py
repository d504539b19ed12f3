"""A mark of the names and places of all taxa, for what server processes remember of them."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

_RENEW = """
CREATE FUNCTION objects.renew_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE objects.tree SET content = gen_random_uuid();
    RETURN NULL;
END $$
"""
# The counts of objects, which a job renews, are no part of it.
_TRIGGER = """
CREATE TRIGGER taxon_renews_tree
AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF id, parent_id, name, display_name, kind ON objects.taxon
FOR EACH STATEMENT EXECUTE FUNCTION objects.renew_tree()
"""


def upgrade() -> None:
    op.create_table(
        "tree",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_tree_only")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tree")),
        schema="objects",
    )
    op.execute("INSERT INTO objects.tree (id) VALUES (1)")
    op.execute(_RENEW)
    op.execute(_TRIGGER)
