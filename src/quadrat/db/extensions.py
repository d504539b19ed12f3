"""Extensions of PostgreSQL that make more possible where they are, and are missed nowhere else."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection


async def has_vectors(tx: AsyncConnection) -> bool:
    """Whether the database can compare vectors (pgvector); installs the extension when that is allowed."""
    if (await tx.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'vector'"))).one_or_none() is not None:
        return True
    available = text("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
    if (await tx.execute(available)).one_or_none() is None:
        return False
    try:
        async with tx.begin_nested():
            await tx.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    except DBAPIError:
        return False
    return True
