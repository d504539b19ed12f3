"""Sees to it that what is over is removed some time, though nobody asks for anything."""

import asyncio
from datetime import timedelta

import structlog

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.serving.actions.packages import clean_later
from quadrat.serving.files import STORING_GRACE
from quadrat.serving.store import blobs as blob_store
from quadrat.serving.store import journal as journal_store
from quadrat.serving.store import pipeline_requests as pipeline_request_store
from quadrat.serving.store import requests as request_store

_log = structlog.get_logger(__name__)
RESULTS_KEPT = timedelta(days=28)
"""Results of batch requests and the log of direct ones are kept as long."""

_EVERY_S = 60.0


class Housekeeper:
    """Asks for the job that cleans whenever there is something to clean. Several may look at the same database.

    Args:
        db: Where to look.
        every_s: How often.
    """

    def __init__(self, db: Database, every_s: float = _EVERY_S) -> None:
        self._db = db
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look_often(), name="serving-housekeeper")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look_often(self) -> None:
        while True:
            try:
                await self.look()
            except QuadratError:
                _log.warning("housekeeper.database_away")
            except Exception:  # noqa: BLE001 - one bad look must not be the last
                _log.exception("housekeeper.failed")
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Ask for the job if there is work for it."""
        moment = now() - RESULTS_KEPT
        async with self._db.begin() as tx:
            if (
                await blob_store.has_waste(tx, STORING_GRACE)
                or await request_store.QUEUE.has_finished_before(tx, moment)
                or await pipeline_request_store.QUEUE.has_finished_before(tx, moment)
                or await journal_store.has_before(tx, moment)
            ):
                await clean_later(tx)
