"""Makes scheduled requests: one leader, each minute once."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.db.locks import AdvisoryLock, Leadership
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.actions.pipeline_requests import accept_requests as accept_pipeline_requests
from quadrat.serving.actions.requests import accept_requests
from quadrat.serving.engine import ServingEngine
from quadrat.serving.flow.engine import PipelineEngine
from quadrat.serving.log_types import LogPlace
from quadrat.serving.rules.schedules import fires_at, minute_of, seconds_to_next_minute
from quadrat.serving.schedule_types import Schedule
from quadrat.serving.store import pipelines as pipeline_store
from quadrat.serving.store import schedules as store

_log = structlog.get_logger(__name__)
_LOOK_S = 5.0
_REMEMBERED = timedelta(days=2)


class Scheduler:
    """Every server has one; that of the leader makes the requests.

    A minute is noted in the transaction that accepts its batch request, and before its direct request is run: no
    restart and no second leader makes a request twice. A minute in which no server ran is not made up.

    Args:
        db: Where schedules are.
        engine: Runs direct requests of versions.
        pipelines: Runs direct requests of pipelines.
        clock: The present moment.
    """

    def __init__(
        self, db: Database, engine: ServingEngine, pipelines: PipelineEngine, clock: Callable[[], datetime] = now
    ) -> None:
        self._db = db
        self._engine = engine
        self._pipelines = pipelines
        self._clock = clock
        self._leadership = Leadership(db.dsn, AdvisoryLock.SCHEDULER)
        self._task: asyncio.Task[None] | None = None
        self._direct: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._work(), name="scheduler")

    async def stop(self) -> None:
        """Let another server lead; direct requests that run are given up."""
        running = [*self._direct, *([] if self._task is None else [self._task])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._leadership.resign()

    async def _work(self) -> None:
        done: datetime | None = None
        while True:
            minute = minute_of(self._clock())
            try:
                if minute != done and await self._leadership.is_held():
                    await self.fire(minute)
                    done = minute
            except Exception:  # noqa: BLE001 - it is tried again within this minute, and in the next, whatever it was
                _log.exception("scheduler.failed")
            # Never for long: the clock on the wall may be set, or the machine be suspended, while this sleeps.
            await asyncio.sleep(min(seconds_to_next_minute(self._clock()), _LOOK_S))

    async def fire(self, minute: datetime) -> None:
        """Make the requests of all schedules for this minute that have not been made yet."""
        async with self._db.begin() as tx:
            await store.forget_fired_before(tx, minute - _REMEMBERED)
            enabled = await store.list_enabled(tx)
        for item in enabled:
            # One that was made or changed within this minute begins with the next.
            if item.updated_at <= minute and fires_at(item.timetable.cron, minute):
                try:
                    await self._make(item, minute)
                except QuadratError as error:
                    self._say(item, None, f"Schedule {item.name} could not make its request: {error.message}")
                except Exception:  # noqa: BLE001 - the other schedules fire whatever it was
                    _log.exception("scheduler.request_failed", schedule=item.uuid)

    async def _make(self, item: Schedule, minute: datetime) -> None:
        if item.timetable.is_batch:
            data = [item.timetable.data]
            payloads = await self._engine.files.spill(data)
            async with self._db.begin() as tx:
                if not await store.note_fired(tx, item.id, minute):
                    return
                if item.pipeline_id is None:
                    assert item.version_id is not None  # noqa: S101 - one of the two is there
                    (request_id,) = await accept_requests(tx, item.version_id, data, payloads)
                else:
                    found = await pipeline_store.find_pipeline(tx, item.project_id, item.object_name)
                    if found is None:
                        return
                    ((request_id,), _) = await accept_pipeline_requests(tx, found, data, payloads)
            self._say(item, request_id, f"Schedule {item.name} has made request {request_id}.")
            return
        async with self._db.begin() as tx:
            if not await store.note_fired(tx, item.id, minute):
                return
        task = asyncio.create_task(self._run(item), name=f"schedule-{item.id}")
        self._direct.add(task)
        task.add_done_callback(self._direct.discard)

    async def _run(self, item: Schedule) -> None:
        try:
            request_id, problem = await self._run_now(item)
        except QuadratError as error:
            self._say(item, None, f"Schedule {item.name} could not make its request: {error.message}")
            return
        except Exception:  # noqa: BLE001 - nobody waits for it
            _log.exception("scheduler.request_failed", schedule=item.uuid)
            return
        outcome = "it succeeded" if problem is None else f"it failed: {problem}"
        self._say(item, request_id, f"Schedule {item.name} has made request {request_id}; {outcome}.")

    async def _run_now(self, item: Schedule) -> tuple[UUID, str | None]:
        timetable = item.timetable
        if item.version_id is not None:
            request_id = new_uuid()
            answer = await self._engine.run_version(item.version_id, request_id, timetable.data, timetable.timeout_s)
            return request_id, None if answer.success else answer.error_message
        assert item.pipeline_id is not None  # noqa: S101 - one of the two is there
        plan = await self._pipelines.plans.find_by_id(item.pipeline_id)
        if plan is None:
            raise QuadratError(ErrorKind.NOT_FOUND, "The pipeline does not exist any more.")
        limits = {"pipeline_timeout_s": timetable.timeout_s, "model_timeout_s": timetable.timeout_s}
        request_id, runs = await self._pipelines.run(plan, timetable.data, **limits)
        bad = [f"{run.object_name}: {run.error_message}" for run in runs if not run.success]
        return request_id, "; ".join(bad) or None

    def _say(self, item: Schedule, request_id: UUID | None, text: str) -> None:
        place = LogPlace(
            item.project_id,
            version_id=item.version_id,
            pipeline_id=item.pipeline_id,
            pipeline_request_id=request_id if item.pipeline_id is not None else None,
        )
        own = request_id if item.pipeline_id is None else None
        self._engine.logbook.write(place, text, request_id=own)
