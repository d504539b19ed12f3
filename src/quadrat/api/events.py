"""What happens on the server, told to the pages that are open: one subscription per connection."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from quadrat.db.notify import Listener
from quadrat.identity.types import Caller, UserId

JOBS = "quadrat_job"
_LONGEST_QUEUE = 1000


@dataclass(frozen=True, slots=True)
class JobChanged:
    """A job was asked for or changed.

    Args:
        job_id: Which.
        owner_id: Whose; 0 for the house's own.
    """

    job_id: int
    owner_id: int


class Missed:
    """News were lost, as after a broken database connection: look at everything anew."""


News = JobChanged | Missed | None
"""None ends a subscription: the server stops."""


class EventHub:
    """Spreads the database's notifications to open pages. `attach` it before the listener starts."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[News], Caller] = {}
        self._closed = False

    def attach(self, listener: Listener) -> None:
        """Hear of changes from this listener."""
        listener.subscribe(JOBS, self._on_job, on_reset=self._on_reset)

    @contextmanager
    def subscribe(self, caller: Caller) -> Iterator[asyncio.Queue[News]]:
        """What this caller may hear of, until the end of the block."""
        queue: asyncio.Queue[News] = asyncio.Queue()
        if self._closed:
            queue.put_nowait(None)
        self._queues[queue] = caller
        try:
            yield queue
        finally:
            del self._queues[queue]

    def close(self) -> None:
        """End all subscriptions, so that the server can stop while pages are open."""
        self._closed = True
        for queue in self._queues:
            queue.put_nowait(None)

    def _on_job(self, payload: str) -> None:
        job_id, _, owner_id = payload.partition(" ")
        changed = JobChanged(int(job_id), int(owner_id))
        for queue, caller in self._queues.items():
            if caller.is_platform_admin or caller.user_id == UserId(changed.owner_id):
                self._put(queue, changed)

    def _on_reset(self) -> None:
        for queue in self._queues:
            self._put(queue, Missed())

    @staticmethod
    def _put(queue: "asyncio.Queue[News]", news: News) -> None:
        if queue.qsize() >= _LONGEST_QUEUE:
            # A reader that does not keep up gets one "look anew" instead of all that it missed.
            while not queue.empty():
                queue.get_nowait()
            news = Missed()
        queue.put_nowait(news)
