"""Alembic's entry: runs the versions on the connection that `upgrade` opened."""

from alembic import context

from quadrat.migrations.metadata import SCHEMAS, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_schemas=True,
    include_name=lambda name, type_, _parents: type_ != "schema" or name in SCHEMAS,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
