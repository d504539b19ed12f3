"""What the database says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SERVER = text(
    "SELECT current_setting('server_version'), pg_database_size(current_database()), "
    "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()), "
    "(SELECT version_num FROM alembic_version)"
)
# Tables with their indexes and long values.
_SCHEMAS = text(
    "SELECT n.nspname, sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^(pg_|information_)' "
    "GROUP BY n.nspname ORDER BY 2 DESC"
)


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The database at this moment.

    Args:
        version: Of PostgreSQL.
        size_bytes: On its disk.
        connections: Open ones, of all processes.
        migration: The newest that has been applied.
        schema_bytes: On disk, for each schema; the largest first.
    """

    version: str
    size_bytes: int
    connections: int
    migration: str
    schema_bytes: Mapping[str, int]


async def read_facts(tx: AsyncConnection) -> DatabaseFacts:
    """Look at the catalogue."""
    version, size_bytes, connections, migration = (await tx.execute(_SERVER)).one()
    sizes = {name: size for name, size in await tx.execute(_SCHEMAS)}  # noqa: C416 - rows are no pairs to mypy
    return DatabaseFacts(version, size_bytes, connections, migration, sizes)
