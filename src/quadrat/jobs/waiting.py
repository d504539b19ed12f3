"""Waits for the end of a job without asking the database again and again."""

import asyncio
from collections import defaultdict

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs import store
from quadrat.jobs.rules import ENDED
from quadrat.jobs.store import ENDED_CHANNEL
from quadrat.jobs.types import Job, JobId


class JobWaiter:
    """Hears of jobs that have ended. One per process.

    Args:
        db: The database.
        listener: Not started yet.
    """

    def __init__(self, db: Database, listener: Listener) -> None:
        self._db = db
        self._waiting: dict[JobId, set[asyncio.Event]] = defaultdict(set)
        listener.subscribe(ENDED_CHANNEL, self._on_end, on_reset=self._on_reset)

    async def ended(self, job_id: JobId) -> Job:
        """The job, once it has finished, failed or been cancelled. No transaction is open meanwhile.

        Raises:
            QuadratError: not_found when it was deleted.
        """
        news = asyncio.Event()
        self._waiting[job_id].add(news)
        try:
            while True:
                # Looked at after the ear is there: an end in between is heard of.
                async with self._db.begin() as tx:
                    found = await store.find_job(tx, job_id)
                if found is None:
                    raise QuadratError(ErrorKind.NOT_FOUND, f"Job {job_id} does not exist any more.")
                if found.state in ENDED:
                    return found
                await news.wait()
                news.clear()
        finally:
            self._waiting[job_id].discard(news)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def _on_end(self, payload: str) -> None:
        for news in self._waiting.get(JobId(int(payload)), ()):
            news.set()

    def _on_reset(self) -> None:
        for waiting in self._waiting.values():
            for news in waiting:
                news.set()
