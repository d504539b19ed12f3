"""Numbers of PostgreSQL advisory locks, in one list so that no two uses meet; and locks beyond a transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum

import psycopg

_PATIENCE_S = 10.0


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


class Leadership:
    """One process of all that share a database leads, as long as its connection lives.

    Args:
        dsn: Of the database.
        lock: What is led.
    """

    def __init__(self, dsn: str, lock: AdvisoryLock) -> None:
        self._dsn = dsn
        self._lock = lock
        self._conn: psycopg.AsyncConnection[tuple[bool]] | None = None

    async def is_held(self) -> bool:
        """Whether this process leads now; it tries to when nobody does. A database that is away has no leader."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                if self._conn is None or self._conn.closed:
                    self._conn = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
                # Holding it twice is holding it; a connection that was lost says so here.
                query = "SELECT pg_try_advisory_lock(%s, %s)"
                row = await (await self._conn.execute(query, (NAMESPACE, int(self._lock)))).fetchone()
        except (psycopg.Error, OSError, TimeoutError):
            await self.resign()
            return False
        return row is not None and row[0]

    async def resign(self) -> None:
        """Let another process lead."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()
