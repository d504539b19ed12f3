"""Runs jobs: procrastinate fetches, keeps the heartbeat and schedules retries; what users see is written here."""

import asyncio
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as QueuedJob
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs import rules, store
from quadrat.jobs.actions import CANCEL_CHANNEL, DELETE_FILE, enqueue
from quadrat.jobs.registry import Handler, JobCancelledError, JobContext, JobQuestionError, JobRefusedError, Registry
from quadrat.jobs.types import Job, JobId, JobState

_log = structlog.get_logger(__name__)
_RESTART_S = 1.0
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class WorkerTiming:
    """How soon a lost worker is noticed.

    Args:
        heartbeat_s: Between two signs of life.
        stalled_after_s: Silence after which a worker counts as lost and its jobs run again.
        poll_s: How late a job may start whose time has come, such as the next attempt of one that failed; new jobs
            wake the worker by themselves.
        grace_s: How long running jobs may go on after a stop; then they are given back to the queue.
    """

    heartbeat_s: float = 2.0
    stalled_after_s: float = 10.0
    poll_s: float = 1.0
    grace_s: float = 30.0


class _RunAgainError(Exception):
    """Tells the queue to start the job again."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"again in {wait_s} s")
        self.wait_s = wait_s


class _Retry(BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        del job
        if isinstance(exception, _RunAgainError):
            return RetryDecision(retry_in={"milliseconds": int(exception.wait_s * 1000)})
        # Only the database or this process failed, not the handler, whose failures are caught and recorded.
        return RetryDecision(retry_in={"milliseconds": int(_RESTART_S * 1000)})


class _Queue(JobManager):
    """The queue for a worker that was thought lost: its entry is gone, and there is nothing left to end."""

    async def finish_job(self, job: QueuedJob, status: Status, delete_job: bool) -> None:
        with _taken_over(job):
            await super().finish_job(job, status, delete_job)

    async def retry_job(
        self,
        job: QueuedJob,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        with _taken_over(job):
            await super().retry_job(job, retry_at, priority, queue, lock)


@contextmanager
def _taken_over(job: QueuedJob) -> Iterator[None]:
    try:
        yield
    except ConnectorException as error:
        # The queue's own functions raise this for an entry that is not there or does not run.
        if not isinstance(error.__cause__, psycopg.errors.RaiseException):
            raise
        _log.warning("job.entry_gone", job_id=job.task_kwargs.get("job_id"))


class Worker:
    """One process's loop over the queue.

    Args:
        db: The database.
        registry: The handlers.
        resources: Given to every handler.
        concurrency: Jobs at a time.
        timing: See `WorkerTiming`.
        queues: Serve these only; None for all.
    """

    def __init__(
        self,
        db: Database,
        registry: Registry,
        resources: Any,
        *,
        concurrency: int,
        timing: WorkerTiming | None = None,
        queues: Sequence[str] | None = None,
    ) -> None:
        self._db = db
        self._registry = registry
        self._resources = resources
        self._concurrency = concurrency
        self._timing = timing or WorkerTiming()
        self._queues = queues
        self._running: dict[tuple[JobId, int], asyncio.Future[Any]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a lost database is waited for."""
        working = asyncio.create_task(self._work(), name="worker")
        stopping = asyncio.create_task(stop.wait(), name="worker-stop")
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()  # it ends by itself only when it fails
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def _work(self) -> None:
        listener = Listener(self._db.dsn)
        listener.subscribe(CANCEL_CHANNEL, self._on_cancel)
        try:
            await listener.start()
            while True:
                try:
                    await self._run_until_lost()
                except Exception:  # noqa: BLE001 - whatever ends the loop must not end the process
                    # Most often it was the database. The jobs are still in the queue.
                    _log.exception("worker.interrupted")
                await asyncio.sleep(_RESTART_S)
        finally:
            await listener.stop()

    async def _run_until_lost(self) -> None:
        connector = procrastinate.PsycopgConnector(
            conninfo=self._db.dsn, min_size=1, max_size=self._concurrency + 3, timeout=_CONNECT_S
        )
        app = procrastinate.App(connector=connector)
        app.job_manager = _Queue(connector)
        app.task(name=store.TASK, retry=_Retry())(self._run_queued)
        try:
            await app.open_async()
            await self._requeue_lost()
            _stop_if_told()
            loop = asyncio.create_task(
                app.run_worker_async(
                    queues=self._queues,  # type: ignore[arg-type] # None is its own default, for all
                    concurrency=self._concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=self._timing.poll_s,
                    update_heartbeat_interval=self._timing.heartbeat_s,
                    stalled_worker_timeout=self._timing.stalled_after_s,
                    shutdown_graceful_timeout=self._timing.grace_s,
                    delete_jobs="successful",
                ),
                name="worker-loop",
            )
            watch = asyncio.create_task(self._watch(), name="worker-watch")
            try:
                await asyncio.wait({loop, watch}, return_when=asyncio.FIRST_COMPLETED)
                # Not told to stop, so the database is gone, and nobody can wait for what runs to end well.
                self._interrupt(self._running)
            finally:
                loop.cancel()
                watch.cancel()
                results = await asyncio.gather(loop, watch, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result
        finally:
            await app.close_async()

    async def _watch(self) -> None:
        """Look after lost workers' jobs, and after runs that nobody wants any more although no message said so."""
        while True:
            await asyncio.sleep(self._timing.heartbeat_s)
            await self._requeue_lost()
            runs = frozenset(self._running)
            if runs:
                async with self._db.begin() as tx:
                    unwanted = await store.list_unwanted(tx, runs)
                self._interrupt(unwanted)

    async def _requeue_lost(self) -> None:
        async with self._db.begin() as tx:
            lost = await store.requeue_lost(tx, self._timing.stalled_after_s)
        for job_id in lost:
            _log.warning("job.worker_lost", job_id=job_id)

    async def _run_queued(self, job_id: int, lost: int = 0) -> None:
        """One run of one job; the queue's only task. `lost` runs before it ended with their worker."""
        async with self._db.begin() as tx:
            job = await store.begin_attempt(tx, JobId(job_id))
        if job is None:
            return
        if job.cancel_requested:
            await self._finish(job, state=JobState.CANCELLED, progress_message="Cancelled")
            return
        structlog.contextvars.bind_contextvars(job_id=job.id, job_kind=job.kind)
        handler = self._registry.find(job.kind) or Handler(job.kind, _unknown)
        if lost >= handler.max_attempts:
            _log.error("job.given_up", attempt=job.attempt, lost=lost)
            message = f"The server was lost {lost} times while it ran this job."
            await self._finish(job, state=JobState.FAILED, errors=[message], progress_message="Failed")
            return
        _log.info("job.started", attempt=job.attempt)
        await self._handle(job, handler)

    async def _handle(self, job: Job, handler: Handler) -> None:
        context = JobContext(job, self._db, self._resources)
        task = asyncio.ensure_future(handler.run(context, job.params))
        self._running[job.id, job.attempt] = task
        try:
            result = await task
            # A result that cannot be stored is the handler's failure like any other.
            await self._succeeded(job, context, result)
        except (JobCancelledError, asyncio.CancelledError) as error:
            await self._cancelled(job, task, error)
        except JobQuestionError as asked:
            await self._asks(job, handler, asked)
        except JobRefusedError as refused:
            await self._refused(job, refused)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises ends its run, not the worker
            try:
                await self._failed(job, handler, error)
            except _RunAgainError:
                raise
            except Exception:
                # The disk is full or the database away: only the server's log can tell. The queue starts the job again.
                _log.error("job.failure_not_recorded", attempt=job.attempt, exc_info=error)
                raise
        finally:
            del self._running[job.id, job.attempt]

    async def _succeeded(self, job: Job, context: JobContext[Any], result: Mapping[str, Any] | None) -> None:
        file = context.result_file
        values: dict[str, Any] = {}
        if file is not None:
            values = {
                "result_key": file.key,
                "result_filename": file.filename,
                "result_media_type": file.media_type,
            }
        recorded = await self._finish(
            job,
            state=JobState.FINISHED,
            result=dict(result or {}),
            progress_percent=100,
            progress_message="Done",
            **values,
        )
        if recorded:
            _log.info("job.finished")
        elif file is not None:
            async with self._db.begin() as tx:
                if await store.find_job(tx, job.id) is None:
                    await enqueue(tx, DELETE_FILE, {"key": file.key})

    async def _refused(self, job: Job, refused: JobRefusedError) -> None:
        errors = [store.storable(error) for error in refused.errors]
        await self._finish(job, state=JobState.FAILED, errors=errors, progress_message=store.storable(refused.message))
        _log.info("job.refused", errors=len(errors))

    async def _asks(self, job: Job, handler: Handler, asked: JobQuestionError) -> None:
        try:
            await self._finish(
                job, state=JobState.ASKING, question=dict(asked.question), progress_message="Waiting for an answer"
            )
        except Exception as error:  # noqa: BLE001 - a question that cannot be stored
            await self._failed(job, handler, error)

    async def _cancelled(self, job: Job, task: "asyncio.Future[Any]", error: BaseException) -> None:
        async with self._db.begin() as tx:
            requested = await store.is_cancel_requested(tx, job.id)
        if requested:
            await self._finish(job, state=JobState.CANCELLED, progress_message="Cancelled")
            _log.info("job.cancelled")
            return
        # The worker stops and its grace is over, or its database was away: somebody runs the job again.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if await self._finish(job, state=JobState.PENDING, progress_message=rules.WAITS):
            _log.info("job.given_back", reason=type(error).__name__)
            raise _RunAgainError(0)

    async def _failed(self, job: Job, handler: Handler, error: Exception) -> None:
        trace = "".join(traceback.format_exception(error)).rstrip()
        async with self._db.begin() as tx:
            await store.append_log(tx, job.id, [f"attempt {job.attempt} failed", *trace.splitlines()])
            requested = await store.is_cancel_requested(tx, job.id)
        if requested:
            await self._finish(job, state=JobState.CANCELLED, progress_message="Cancelled")
            _log.info("job.cancelled", error=type(error).__name__)
            return
        if rules.is_worth_retrying(error) and job.attempt < handler.max_attempts:
            wait_s = rules.wait_before_retry_s(job.attempt)
            message = f"Failed; tried again in {wait_s:g} s"
            if await self._finish(job, state=JobState.PENDING, progress_message=message):
                _log.warning("job.will_retry", attempt=job.attempt, wait_s=wait_s, error=type(error).__name__)
                raise _RunAgainError(wait_s)
            return
        known = isinstance(error, QuadratError)
        message = error.message if isinstance(error, QuadratError) else "The job failed inside the server; see its log."
        await self._finish(job, state=JobState.FAILED, errors=[store.storable(message)], progress_message="Failed")
        _log.error("job.failed", attempt=job.attempt, exc_info=None if known else error)

    async def _finish(self, job: Job, **values: Any) -> bool:
        """End this run; False when another has taken the job over, or it is gone: then nothing changes."""
        async with self._db.begin() as tx:
            recorded = await store.change(tx, job.id, attempt=job.attempt, **values)
        if not recorded:
            _log.warning("job.taken_over", job_id=job.id, attempt=job.attempt)
        return recorded

    def _on_cancel(self, payload: str) -> None:
        job_id = JobId(int(payload))
        self._interrupt({run for run in self._running if run[0] == job_id})

    def _interrupt(self, runs: Collection[tuple[JobId, int]]) -> None:
        for run in runs:
            if run in self._running:
                self._running[run].cancel()


async def _unknown(context: JobContext[Any], _params: Mapping[str, Any]) -> None:
    """Stands for a kind that this worker is too old or too new to know; another one may."""
    raise QuadratError(ErrorKind.UNAVAILABLE, f"No worker knows the job {context.job.kind}.")


def _stop_if_told() -> None:
    """End this task if that was asked for and forgotten.

    Up to Python 3.11, `asyncio.wait_for`, with which the connections are waited for, takes no notice of a cancellation
    at the moment in which what it waits for comes.

    Raises:
        CancelledError: It was.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
