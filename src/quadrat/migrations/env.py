"""Alembic's entry: runs the versions on the connection that `upgrade` opened."""

from alembic import context

from quadrat.migrations.metadata import SCHEMAS, metadata

#: Parts of tables that are compared as a whole.
PARTITIONS = {"log_system", "log_user"}


def is_ours(name: str | None, type_: str, _parents: object) -> bool:
    """Whether Alembic compares this with the metadata."""
    return name in SCHEMAS if type_ == "schema" else type_ != "table" or name not in PARTITIONS


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_schemas=True,
    include_name=is_ours,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
