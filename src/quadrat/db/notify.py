"""LISTEN on one connection of its own, for caches and wake-ups."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

_log = structlog.get_logger(__name__)
_RETRY_S = 1.0

OnMessage = Callable[[str], None]
OnReset = Callable[[], None]


async def notify(tx: AsyncConnection, channel: str, payload: str = "") -> None:
    """Send a message that PostgreSQL releases when the transaction commits; at most 7900 bytes."""
    await tx.execute(select(func.pg_notify(channel, payload)))


class Listener:
    """Keeps one connection open and hands messages to callbacks, which must not block.

    Messages sent while the connection was lost are gone; `on_reset` callbacks run after every (re)connection, so that
    a cache can be emptied and a queue looked at.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._handlers: dict[str, list[OnMessage]] = defaultdict(list)
        self._resets: list[OnReset] = []
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    def subscribe(self, channel: str, on_message: OnMessage, on_reset: OnReset | None = None) -> None:
        """Call before `start`. `on_message` gets the payload."""
        self._handlers[channel].append(on_message)
        if on_reset is not None:
            self._resets.append(on_reset)

    async def start(self) -> None:
        """Connect in the background and return once listening for the first time."""
        self._task = asyncio.create_task(self._run(), name="db-listener")
        await self._ready.wait()

    async def stop(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                _log.warning("listener.lost", error=type(error).__name__)
            await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> None:
        conn = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
        async with conn:
            for channel in self._handlers:
                await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            for on_reset in self._resets:
                on_reset()
            self._ready.set()
            async for message in conn.notifies():
                for on_message in self._handlers.get(message.channel, ()):
                    on_message(message.payload)
