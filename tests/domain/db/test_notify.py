import asyncio

import psycopg
import pytest

from quadrat.db.engine import Database, psycopg_dsn
from quadrat.db.notify import Listener, notify

pytestmark = pytest.mark.anyio


async def test_notify_committed_message_arrives_and_rolled_back_one_does_not(db: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = Listener(db.dsn)
    listener.subscribe("test_commit", heard.put_nowait)
    await listener.start()
    try:
        with pytest.raises(ZeroDivisionError):
            async with db.begin() as tx:
                await notify(tx, "test_commit", "lost")
                raise ZeroDivisionError
        async with db.begin() as tx:
            await notify(tx, "test_commit", "kept")
        assert await asyncio.wait_for(heard.get(), 10) == "kept"
        assert heard.empty()
    finally:
        await listener.stop()


async def test_listener_connection_cut_connects_again_and_resets(db: Database, database_url: str) -> None:
    resets: asyncio.Queue[None] = asyncio.Queue()
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = Listener(db.dsn)
    listener.subscribe("test_cut", heard.put_nowait, on_reset=lambda: resets.put_nowait(None))
    await listener.start()
    try:
        await asyncio.wait_for(resets.get(), 10)
        with psycopg.connect(psycopg_dsn(database_url), autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%test_cut%'"
            )
        await asyncio.wait_for(resets.get(), 10)
        async with db.begin() as tx:
            await notify(tx, "test_cut", "again")
        assert await asyncio.wait_for(heard.get(), 10) == "again"
    finally:
        await listener.stop()
