"""Lines of logs, gathered in memory and written in blocks."""

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from datetime import datetime
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.runner.base import LogLine, LogSink
from quadrat.serving.log_types import LogEntry, LogPlace
from quadrat.serving.rules.logs import LogIds
from quadrat.serving.signals import announce_lines
from quadrat.serving.store import logs as store
from quadrat.serving.types import Deployment

_log = structlog.get_logger(__name__)
_GATHER_S = 0.25
_RETRY_S = 2.0
_BLOCK_LINES = 5000
_MAX_LINES = 100_000
_MAX_RELATED = 20_000
_MAX_SOURCES = 20_000

_Source = tuple[LogPlace, bool]


class LogBook:
    """Takes lines without waiting and writes them at the latest after a second.

    While the database is away the newest 100 000 lines are kept.

    Args:
        db: Where to.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ids = LogIds()
        self._lines: deque[LogEntry] = deque()
        self._dropped = 0
        self._related: OrderedDict[UUID, LogPlace] = OrderedDict()
        self._sources: dict[_Source, int] = {}
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
        with suppress(QuadratError):
            while self._lines:
                await self._write()
        if self._lines:
            _log.warning("logbook.lost", lines=len(self._lines))

    def relate(self, request_id: UUID, place: LogPlace) -> None:
        """The request belongs to a pipeline's run: its lines carry this place from now on.

        Args:
            request_id: The request of a version.
            place: The version, with pipeline, object and the pipeline's request.
        """
        self._related[request_id] = place
        if len(self._related) > _MAX_RELATED:
            self._related.popitem(last=False)

    def sink(self, deployment: Deployment) -> LogSink:
        """Where the output of one version's builds and instances goes."""
        place = place_of(deployment)

        def take(line: LogLine) -> None:
            request_id = None if line.request_id is None else UUID(line.request_id)
            self.write(place, line.text, at=line.at, request_id=request_id, system=line.system)

        return take

    def say(self, deployment: Deployment, text: str, *, request_id: UUID | None = None) -> None:
        """Add a line of Quadrat's own about a version."""
        self.write(place_of(deployment), text, request_id=request_id)

    def write(
        self,
        place: LogPlace,
        text: str,
        *,
        at: datetime | None = None,
        request_id: UUID | None = None,
        system: bool = True,
    ) -> None:
        """Add a line.

        Args:
            place: What it belongs to.
            text: Without a line end.
            at: When it was written; now if left out.
            request_id: The request of a version that it came from.
            system: True for Quadrat's own words, False for output of the user's code.
        """
        if request_id is not None:
            place = self._related.get(request_id, place)
        # A line always shows something, since clients refuse empty ones.
        entry = LogEntry(self._ids.next(at or now()), place, request_id, system, text.replace("\0", "") or " ")
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
        """Write the lines that wait now. What comes meanwhile waits for more: else each block would be a few."""
        self._some.clear()
        left = len(self._lines)
        while left > 0 and self._lines:
            block = list(islice(self._lines, min(_BLOCK_LINES, left)))
            left -= len(block)
            dropped_before = self._dropped
            try:
                async with self._db.begin() as tx:
                    found = await self._find_sources(tx, block)
                    await store.append_lines(tx, [(found[_source(entry)], entry) for entry in block])
                    await announce_lines(tx, {entry.place.project_id for entry in block})
                # Only what was committed is there the next time.
                self._sources.update(found)
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

    async def _find_sources(self, tx: AsyncConnection, block: list[LogEntry]) -> dict[_Source, int]:
        if len(self._sources) > _MAX_SOURCES:
            self._sources.clear()
        found = {}
        for source in {_source(entry) for entry in block}:
            known = self._sources.get(source)
            found[source] = known if known is not None else await store.find_source(tx, source[0], system=source[1])
        return found


def place_of(deployment: Deployment) -> LogPlace:
    """What a version's own lines belong to."""
    return LogPlace(deployment.project_id, deployment.version_id)


def _source(entry: LogEntry) -> _Source:
    place = entry.place
    if place.pipeline_request_id is not None:
        place = LogPlace(
            place.project_id, place.version_id, place.pipeline_id, place.pipeline_object_id, place.connector_id
        )
    return place, entry.system
