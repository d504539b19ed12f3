"""The log of direct requests: one row for each, written in blocks after the answer."""

import asyncio
from collections import deque
from contextlib import suppress

import structlog

from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.serving.outcomes import Outcome
from quadrat.serving.store import journal as store

_log = structlog.get_logger(__name__)
# Often, in small blocks: the longer the block, the longer all wait for the processor meanwhile.
_GATHER_S = 0.25
_RETRY_S = 2.0
_BLOCK = 5000
_MOST = 200_000


class Journal:
    """Takes outcomes without waiting and writes them at the latest after a second.

    While the database is away the newest 200 000 are kept.

    Args:
        db: Where to.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: deque[bytes] = deque(maxlen=_MOST)
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def on_request(self, outcome: Outcome) -> None:
        """Take a direct request; a batch request has a row of its own."""
        if not outcome.batch:
            self._waiting.append(store.to_row(outcome))

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_often(), name="serving-journal")

    async def stop(self) -> None:
        """Write what is left; what the database does not take now is lost."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        with suppress(QuadratError):
            while self._waiting:
                await self._write()
        if self._waiting:
            _log.warning("journal.lost", requests=len(self._waiting))

    async def _write_often(self) -> None:
        while not self._stopping.is_set():
            pause_s = _GATHER_S
            try:
                await self._write()
            except QuadratError:
                pause_s = _RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()

    async def _write(self) -> None:
        """Write what waits now. What comes meanwhile waits for more: else each block would be a few."""
        left = len(self._waiting)
        while left > 0 and self._waiting:
            block = [self._waiting.popleft() for _ in range(min(_BLOCK, left, len(self._waiting)))]
            left -= len(block)
            try:
                async with self._db.begin() as tx:
                    await store.append(tx, block)
            except QuadratError:
                self._waiting.extendleft(reversed(block))
                raise
            except Exception:  # noqa: BLE001 - a block that can never be written must not hold up the others
                _log.exception("journal.block_lost", requests=len(block))
            # Between blocks those go on who wait for answers.
            await asyncio.sleep(0)
