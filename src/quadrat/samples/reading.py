"""Looks into all images of a dataset that wait for it, many at a time."""

import asyncio

import structlog

from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.samples.reader import Found, ImageReader
from quadrat.samples.store import images as store
from quadrat.samples.types import DatasetId, SampleId

_log = structlog.get_logger(__name__)
# The next are known before the last of these are found: nobody waits for the slowest of a block.
_IN_HAND = 1024
_KEEP_EVERY_S = 1.0


class Reading:
    """One go through what waits. Goes on until nothing does that has not been given up.

    Args:
        db: Where samples are.
        reader: Looks into one image.
        dataset_id: Whose images.
    """

    def __init__(self, db: Database, reader: ImageReader, dataset_id: DatasetId) -> None:
        self._db = db
        self._reader = reader
        self._dataset_id = dataset_id
        self._turns = asyncio.Semaphore(reader.at_a_time)
        self._under_way: dict[SampleId, asyncio.Task[Found | Exception]] = {}
        self.given_up: set[SampleId] = set()
        self.done = 0
        self.problems = 0

    async def go_on(self) -> bool:
        """Keep what was found within about a second; False when nothing waits any more.

        Raises:
            QuadratError: unavailable.
        """
        if len(self._under_way) < _IN_HAND / 2:
            await self._take_more()
        if not self._under_way:
            return False
        await asyncio.wait(self._under_way.values(), timeout=_KEEP_EVERY_S)
        outcomes = {id_: task.result() for id_, task in self._under_way.items() if task.done()}
        found = [outcome for outcome in outcomes.values() if not isinstance(outcome, Exception)]
        await self._reader.keep(self._dataset_id, found)
        # Only now: what is not kept waits still, and would be taken again.
        for id_, outcome in outcomes.items():
            del self._under_way[id_]
            if isinstance(outcome, Exception):
                self.given_up.add(id_)
        self.done += len(outcomes)
        self.problems += sum(one.facts.problem is not None for one in found)
        return True

    async def stop(self) -> None:
        """End what is under way; what was not kept waits for the next."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _take_more(self) -> None:
        passed_over = len(self._under_way) + len(self.given_up)
        async with self._db.begin() as tx:
            rows = await store.list_unread(tx, self._dataset_id, _IN_HAND + passed_over)
        for id_, etag, location in rows:
            if id_ not in self._under_way and id_ not in self.given_up:
                self._under_way[id_] = asyncio.create_task(self._look(id_, etag, location))

    async def _look(self, sample_id: SampleId, etag: str, location: str | None) -> Found | Exception:
        async with self._turns:
            try:
                return await self._reader.look(self._dataset_id, sample_id, etag, location)
            except QuadratError as error:
                _log.warning("image.unreadable", sample_id=sample_id, reason=error.message)
                return error
