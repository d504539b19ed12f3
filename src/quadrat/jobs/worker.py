"""Runs jobs: procrastinate fetches, keeps the heartbeat and schedules retries; what users see is written here."""

import asyncio
import contextlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import procrastinate
import structlog
from procrastinate.jobs import Job as QueuedJob
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.errors import QuadratError
from quadrat.jobs import rules, store
from quadrat.jobs.actions import CANCEL_CHANNEL
from quadrat.jobs.registry import Handler, JobCancelledError, JobContext, JobQuestionError, Registry
from quadrat.jobs.types import Job, JobId, JobState

_log = structlog.get_logger(__name__)
_RESTART_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerTiming:
    """How soon a lost worker is noticed.

    Args:
        heartbeat_s: Between two signs of life.
        stalled_after_s: Silence after which a worker counts as lost and its jobs run again.
        poll_s: Look at the queue at least this often; notifications wake it much sooner.
        grace_s: How long running jobs may go on after a stop; then they are given back to the queue.
    """

    heartbeat_s: float = 2.0
    stalled_after_s: float = 10.0
    poll_s: float = 5.0
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


class Worker:
    """One process's loop over the queue.

    Args:
        db: The database.
        registry: The handlers.
        resources: Given to every handler.
        concurrency: Jobs at a time.
        timing: See `WorkerTiming`.
    """

    def __init__(
        self, db: Database, registry: Registry, resources: Any, *, concurrency: int, timing: WorkerTiming | None = None
    ) -> None:
        self._db = db
        self._registry = registry
        self._resources = resources
        self._concurrency = concurrency
        self._timing = timing or WorkerTiming()
        self._running: dict[JobId, asyncio.Task[Any]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a lost database is waited for."""
        listener = Listener(self._db.dsn)
        listener.subscribe(CANCEL_CHANNEL, self._interrupt)
        await listener.start()
        try:
            while not stop.is_set():
                try:
                    await self._run_until_lost(stop)
                except Exception:  # noqa: BLE001 - whatever ends the loop must not end the process
                    # Whatever ended the loop, most often the database, the jobs are still in the queue.
                    _log.exception("worker.interrupted")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), _RESTART_S)
        finally:
            await listener.stop()

    async def _run_until_lost(self, stop: asyncio.Event) -> None:
        connector = procrastinate.PsycopgConnector(conninfo=self._db.dsn, min_size=1, max_size=self._concurrency + 3)
        app = procrastinate.App(connector=connector)
        app.task(name=store.TASK, retry=_Retry())(self._run_queued)
        async with app.open_async():
            await self._recover(app)
            loop = asyncio.create_task(
                app.run_worker_async(
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
            recovering = asyncio.create_task(self._recover_often(app), name="worker-recovery")
            stopping = asyncio.create_task(stop.wait(), name="worker-stop")
            try:
                await asyncio.wait({loop, recovering, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (recovering, stopping, loop):
                    task.cancel()
                results = await asyncio.gather(loop, recovering, stopping, return_exceptions=True)
            for result in results[:2]:
                if isinstance(result, Exception):
                    raise result

    async def _recover_often(self, app: procrastinate.App) -> None:
        while True:
            await asyncio.sleep(self._timing.heartbeat_s)
            await self._recover(app)

    async def _recover(self, app: procrastinate.App) -> None:
        """Give the jobs of lost workers back to the queue."""
        manager = app.job_manager
        for lost in await manager.get_stalled_jobs(seconds_since_heartbeat=self._timing.stalled_after_s):
            _log.warning("job.worker_lost", job_id=lost.task_kwargs.get("job_id"))
            await manager.retry_job(lost)

    async def _run_queued(self, job_id: int) -> None:
        """One run of one job; the queue's only task."""
        async with self._db.begin() as tx:
            job = await store.begin_attempt(tx, JobId(job_id))
        if job is None:
            return
        if job.cancel_requested:
            await self._finish(job, state=JobState.CANCELLED, progress_message="Cancelled")
            return
        handler = self._registry.find(job.kind)
        if handler is None:
            await self._finish(job, state=JobState.FAILED, errors=[f"No worker here knows the job {job.kind}."])
            return
        structlog.contextvars.bind_contextvars(job_id=job.id, job_kind=job.kind)
        _log.info("job.started", attempt=job.attempt)
        await self._handle(job, handler)

    async def _handle(self, job: Job, handler: Handler) -> None:
        context = JobContext(job, self._db, self._resources)
        task = asyncio.ensure_future(handler.run(context, job.params))
        self._running[job.id] = task
        try:
            result = await task
        except (JobCancelledError, asyncio.CancelledError) as error:
            await self._cancelled(job, task, error)
        except JobQuestionError as asked:
            await self._finish(
                job, state=JobState.ASKING, question=dict(asked.question), progress_message="Waiting for an answer"
            )
        except Exception as error:  # noqa: BLE001 - whatever a handler raises ends its run, not the worker
            await self._failed(job, handler, error)
        else:
            await self._succeeded(job, context, result)
        finally:
            del self._running[job.id]

    async def _succeeded(self, job: Job, context: JobContext[Any], result: Mapping[str, Any] | None) -> None:
        values: dict[str, Any] = {}
        if context.result_file is not None:
            file = context.result_file
            values = {
                "result_key": file.key,
                "result_filename": file.filename,
                "result_media_type": file.media_type,
            }
        await self._finish(
            job,
            state=JobState.FINISHED,
            result=dict(result or {}),
            progress_percent=100,
            progress_message="Done",
            **values,
        )
        _log.info("job.finished")

    async def _cancelled(self, job: Job, task: "asyncio.Future[Any]", error: BaseException) -> None:
        async with self._db.begin() as tx:
            requested = await store.is_cancel_requested(tx, job.id)
        if requested:
            await self._finish(job, state=JobState.CANCELLED, progress_message="Cancelled")
            _log.info("job.cancelled")
            return
        # The worker stops and its grace is over: somebody else runs the job again.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._finish(job, state=JobState.PENDING, progress_message="Waiting for a slot")
        _log.info("job.given_back", reason=type(error).__name__)
        raise _RunAgainError(0)

    async def _failed(self, job: Job, handler: Handler, error: Exception) -> None:
        trace = "".join(traceback.format_exception(error)).rstrip()
        async with self._db.begin() as tx:
            await store.append_log(tx, job.id, [f"attempt {job.attempt} failed", *trace.splitlines()])
        if rules.is_worth_retrying(error) and job.attempt < handler.max_attempts:
            wait_s = rules.wait_before_retry_s(job.attempt)
            await self._finish(job, state=JobState.PENDING, progress_message=f"Failed; tried again in {wait_s:g} s")
            _log.warning("job.will_retry", attempt=job.attempt, wait_s=wait_s, error=type(error).__name__)
            raise _RunAgainError(wait_s)
        known = isinstance(error, QuadratError)
        message = error.message if isinstance(error, QuadratError) else "The job failed inside the server; see its log."
        await self._finish(job, state=JobState.FAILED, errors=[message], progress_message="Failed")
        _log.error("job.failed", attempt=job.attempt, exc_info=None if known else error)

    async def _finish(self, job: Job, **values: Any) -> None:
        async with self._db.begin() as tx:
            if not await store.change(tx, job.id, attempt=job.attempt, **values):
                _log.warning("job.taken_over", job_id=job.id, attempt=job.attempt)

    def _interrupt(self, payload: str) -> None:
        task = self._running.get(JobId(int(payload)))
        if task is not None:
            task.cancel()
