"""Tests of transactions that meet."""

import asyncio
from typing import Any

from sqlalchemy import text

from quadrat.db.engine import Database


async def until_blocked(db: Database, task: "asyncio.Task[Any]") -> None:
    """Return once a statement in this database waits for a lock, or the task has ended without waiting."""
    async with asyncio.timeout(30):
        while not task.done():
            async with db.begin() as tx:
                query = text(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                if (await tx.execute(query)).scalar_one():
                    return
