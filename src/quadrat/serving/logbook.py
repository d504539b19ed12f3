"""Lines of models' logs, gathered in memory and written in blocks."""

import asyncio
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import structlog

from quadrat.base.ids import new_object_id
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.runner.base import LogLine, LogSink
from quadrat.serving.store import logs as store
from quadrat.serving.types import Deployment, LogEntry

_log = structlog.get_logger(__name__)
_GATHER_S = 0.25
_RETRY_S = 2.0
_BLOCK_LINES = 5000
_MAX_LINES = 100_000


class LogBook:
    """Takes lines without waiting and writes them at the latest after a second.

    While the database is away the newest 100 000 lines are kept.

    Args:
        db: Where to.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lines: deque[LogEntry] = deque()
        self._dropped = 0
        self._some = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_often(), name="serving-logbook")

    async def stop(self) -> None:
        """Write what is left; lines that the database does not take now are lost."""
        # A block that is being written is waited for: nobody could say whether it arrived.
        self._stopping.set()
        self._some.set()
        if self._task is not None:
            await self._task
        if self._lines:
            _log.warning("logbook.lost", lines=len(self._lines))

    def sink(self, deployment: Deployment) -> LogSink:
        """Where the output of one version's builds and instances goes."""

        def take(line: LogLine) -> None:
            request_id = None if line.request_id is None else UUID(line.request_id)
            self._append(deployment, line.at, line.text, request_id=request_id, system=line.system)

        return take

    def say(self, deployment: Deployment, text: str, *, request_id: UUID | None = None) -> None:
        """Add a line of Quadrat's own."""
        self._append(deployment, datetime.now(UTC), text, request_id=request_id, system=True)

    def _append(
        self, deployment: Deployment, at: datetime, text: str, *, request_id: UUID | None, system: bool
    ) -> None:
        entry = LogEntry(
            new_object_id(),
            at,
            deployment.project_id,
            deployment.version_id,
            request_id,
            system,
            text.replace("\0", ""),
        )
        self._lines.append(entry)
        if len(self._lines) > _MAX_LINES:
            self._lines.popleft()
            self._dropped += 1
        self._some.set()

    async def _write_often(self) -> None:
        while not self._stopping.is_set():
            await self._some.wait()
            await self._pause(_GATHER_S)
            try:
                await self._write()
            except QuadratError:
                await self._pause(_RETRY_S)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _write(self) -> None:
        self._some.clear()
        while self._lines:
            block = list(islice(self._lines, _BLOCK_LINES))
            dropped_before = self._dropped
            try:
                async with self._db.begin() as tx:
                    await store.append_lines(tx, block)
            except QuadratError:
                self._some.set()
                raise
            except Exception:  # noqa: BLE001 - a block that can never be written must not hold up the others
                _log.exception("logbook.block_lost", lines=len(block))
            # Lines that were dropped for space meanwhile were the oldest, those of this block.
            for _ in range(len(block) - (self._dropped - dropped_before)):
                self._lines.popleft()
        if self._dropped:
            _log.warning("logbook.dropped", lines=self._dropped)
            self._dropped = 0
