"""Numbers of PostgreSQL advisory locks, in one list so that no two uses meet; and locks beyond a transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum

import psycopg


class AdvisoryLock(IntEnum):
    """What an advisory lock protects (the first of its two keys is the same for all of Quadrat)."""

    MIGRATIONS = 1
    FIRST_ADMINISTRATOR = 2
    SCHEDULER = 3
    OBJECT_NUMBERS = 4


NAMESPACE = 0x51554144  # "QUAD"
_IMPORTS = 0x514F424A << 32  # "QOBJ"; single keys are a space of their own


@asynccontextmanager
async def importing(dsn: str, project_id: int, *, wait: bool = True) -> AsyncIterator[bool]:
    """Be the only one who imports objects into a project, as long as this process and the database live.

    Args:
        dsn: The database.
        project_id: The project.
        wait: For another one to end; without, the answer is whether there is none.
    """
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    async with connection:
        function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
        found = await connection.execute(f"SELECT {function}(%s)".encode(), [_IMPORTS + project_id])
        row = await found.fetchone()
        yield row is not None and row[0] is not False
