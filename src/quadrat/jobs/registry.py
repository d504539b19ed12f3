"""Handlers by name, and what a handler is given."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quadrat.db.engine import Database
from quadrat.jobs import rules, store
from quadrat.jobs.types import Job, ResultFile

Resources = TypeVar("Resources")
_PROGRESS_EVERY_S = 0.5
DEFAULT_ATTEMPTS = 5


class JobCancelledError(Exception):
    """Someone cancelled the job; handlers let it pass."""


class JobQuestionError(Exception):
    """Ends a run that cannot go on without an answer; raised by `JobContext.ask`."""

    def __init__(self, question: Mapping[str, Any]) -> None:
        super().__init__("the job asks")
        self.question = question


class JobRefusedError(Exception):
    """Ends a job for good with more to say than one sentence; raised by handlers.

    Args:
        message: In a few words, shown where the progress was.
        errors: Every reason.
    """

    def __init__(self, message: str, errors: Sequence[str]) -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors


class JobContext(Generic[Resources]):
    """What a handler works with.

    Args:
        job: The job as it was when this run began; `reply` holds the answers to earlier questions.
        db: For transactions of its own, one per step, none across a long computation.
        resources: What the process offers: stores, runners.
    """

    def __init__(self, job: Job, db: Database, resources: Resources) -> None:
        self.job = job
        self.db = db
        self.resources = resources
        self.result_file: ResultFile | None = None
        self._next_progress = 0.0

    async def progress(self, percent: float, message: str) -> None:
        """Say how far the job is, 0 to 100; written at most twice a second.

        Raises:
            JobCancelledError: It is to end.
        """
        if time.monotonic() < self._next_progress:
            return
        self._next_progress = time.monotonic() + _PROGRESS_EVERY_S
        async with self.db.begin() as tx:
            await store.change(
                tx,
                self.job.id,
                attempt=self.job.attempt,
                progress_percent=rules.whole_percent(percent),
                progress_message=store.storable(message),
            )
        await self.check_cancelled()

    async def log(self, *lines: str) -> None:
        """Add lines to the job's log."""
        async with self.db.begin() as tx:
            await store.append_log(tx, self.job.id, lines)

    async def check_cancelled(self) -> None:
        """Raise when someone has cancelled the job; a handler is also interrupted at its next ``await``.

        Raises:
            JobCancelledError: It is to end.
        """
        async with self.db.begin() as tx:
            if await store.is_cancel_requested(tx, self.job.id):
                raise JobCancelledError

    def ask(self, question: Mapping[str, Any]) -> None:
        """End this run with a question; the answer starts another.

        Raises:
            JobQuestionError: Always.
        """
        raise JobQuestionError(question)


Run = Callable[[JobContext[Any], Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Handler:
    """Code for one kind of job.

    Args:
        kind: Its name, e.g. ``serving.build``.
        run: Called with the context and the job's params; returns the result, JSON values. It may be called again for
            the same job after a crash, so it has to be safe to run twice. What computes for long goes through
            `asyncio.to_thread`: a worker whose loop is held up counts as lost.
        max_attempts: Failed runs, or runs that took their worker with them, before the job counts as failed.
    """

    kind: str
    run: Run
    max_attempts: int = DEFAULT_ATTEMPTS


class Registry:
    """The handlers that a worker knows."""

    def __init__(self, handlers: Iterable[Handler]) -> None:
        self._handlers: dict[str, Handler] = {}
        for handler in handlers:
            if handler.kind in self._handlers:
                message = f"two handlers for {handler.kind}"
                raise ValueError(message)
            self._handlers[handler.kind] = handler

    def find(self, kind: str) -> Handler | None:
        """The handler of a kind, if this worker has one."""
        return self._handlers.get(kind)
