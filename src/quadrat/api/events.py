"""What happens on the server, told to the pages that are open: one subscription per connection."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from quadrat.db.notify import Listener
from quadrat.identity.types import Caller
from quadrat.serving.signals import LOGS

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


@dataclass(frozen=True, slots=True)
class LinesWritten:
    """New lines stand in the logs of a project.

    Args:
        project_id: Which.
    """

    project_id: int


class Missed:
    """News were lost, as after a broken database connection: look at everything anew."""


News = JobChanged | LinesWritten | Missed | None
"""None ends a subscription: the server stops."""

Wanted = Callable[[JobChanged | LinesWritten], bool]


def jobs_of(caller: Caller) -> Wanted:
    """Changes of the jobs that the caller may see."""

    def wanted(news: JobChanged | LinesWritten) -> bool:
        return isinstance(news, JobChanged) and (caller.is_platform_admin or caller.user_id == news.owner_id)

    return wanted


def lines_of(project_id: int) -> Wanted:
    """New lines in a project's logs; whether the listener may read them is decided before."""
    return lambda news: isinstance(news, LinesWritten) and news.project_id == project_id


class EventHub:
    """Spreads the database's notifications to open pages. `attach` it before the listener starts."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[News], Wanted] = {}
        self._closed = False

    def attach(self, listener: Listener) -> None:
        """Hear of changes from this listener."""
        listener.subscribe(JOBS, self._on_job, on_reset=self._on_reset)
        listener.subscribe(LOGS, self._on_lines)

    @contextmanager
    def subscribe(self, wanted: Wanted) -> Iterator[asyncio.Queue[News]]:
        """What one listener wants to hear of, until the end of the block."""
        queue: asyncio.Queue[News] = asyncio.Queue()
        if self._closed:
            queue.put_nowait(None)
        self._queues[queue] = wanted
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
        self._tell(JobChanged(int(job_id), int(owner_id)))

    def _on_lines(self, payload: str) -> None:
        self._tell(LinesWritten(int(payload)))

    def _tell(self, news: JobChanged | LinesWritten) -> None:
        for queue, wanted in self._queues.items():
            if wanted(news):
                self._put(queue, news)

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
