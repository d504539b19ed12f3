"""Works on batch requests of pipelines: claims them in blocks under a lease, runs them, records step by step."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.serving.batch import BatchTiming
from quadrat.serving.connector_types import Delivery
from quadrat.serving.flow.courier import Courier
from quadrat.serving.flow.gather import Gatherer
from quadrat.serving.pipeline_types import ClaimedPipelineRequest, PipelineId, StepRun
from quadrat.serving.pool import PoolClosedError
from quadrat.serving.signals import announce_pipeline_requests
from quadrat.serving.store import deliveries as delivery_store
from quadrat.serving.store import pipeline_requests as store

_log = structlog.get_logger(__name__)

# Claims, not runs: each one more means that a server was lost with the request in its hands.
_MOST_CLAIMS = 10
_TOO_OFTEN = "The request was interrupted too often: the server was lost each time while it ran."
_MOST_AT_A_TIME = 256


class LeaseLostError(Exception):
    """The request was deleted, or another engine has taken it over."""


@dataclass(frozen=True, slots=True)
class Record:
    """Something to be written of a request.

    Args:
        run: A step that has ended; None for the end of the request.
        delivery: The message that the step sends.
        message: Why the request failed, at its end.
    """

    request_id: UUID
    run: StepRun | None = None
    delivery: Delivery | None = None
    message: str | None = None


RunRequest = Callable[[PipelineId, ClaimedPipelineRequest], Awaitable[None]]


@dataclass(slots=True)
class _Feed:
    """The requests of one pipeline that this engine has claimed and not finished."""

    running: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    may_have_more: bool = True


class PipelineDispatcher:
    """The part of one engine that works on batch requests of pipelines.

    A step's result is written before the steps behind it start, so that a request whose engine was lost goes on
    elsewhere from the last written result. A write counts only while the lease is still this engine's.

    Args:
        db: Where the requests are.
        courier: Takes the messages for connectors.
        run_request: Runs one request and records its steps and end; lets only `PoolClosedError` and `LeaseLostError`
            pass.
        timing: See `BatchTiming`.
    """

    def __init__(self, db: Database, courier: Courier, run_request: RunRequest, timing: BatchTiming) -> None:
        self._db = db
        self._courier = courier
        self._run_request = run_request
        self._timing = timing
        self._lease = timedelta(seconds=timing.lease_s)
        self._owner = new_uuid()
        self._records = Gatherer(self._write, retry_s=timing.retry_s, name="pipeline-recorder")
        self._feeds: dict[PipelineId, _Feed] = {}
        self._feeders: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._look.set()
        self._looking: asyncio.Task[None] | None = None
        self._stopping = False
        self._unfinished: list[UUID] = []

    def start(self) -> None:
        """Begin to work."""
        self._records.start()
        self._looking = asyncio.create_task(self._look_often(), name="pipeline-look")

    async def stop(self) -> None:
        """Finish what runs within the grace, write it, and give the rest back."""
        self._stopping = True
        running = {task for feed in self._feeds.values() for task in feed.running.values()}
        if running:
            _, late = await asyncio.wait(running, timeout=self._timing.drain_s)
            await _cancel(late)
        await _cancel(self._feeders)
        await _cancel([] if self._looking is None else [self._looking])
        await self._records.stop()
        try:
            async with self._db.begin() as tx:
                await store.release(tx, self._owner, self._unfinished)
        except QuadratError:
            _log.warning("pipelines.left_to_the_lease", requests=len(self._unfinished))

    async def record(self, record: Record) -> None:
        """Return once it is written.

        Raises:
            LeaseLostError: It was not, since the request is not this engine's any more.
        """
        if not await self._records.put(record):
            raise LeaseLostError

    def record_later(self, record: Record) -> None:
        """Have it written before all that is recorded after it."""
        self._records.put(record)

    def on_requests(self, payload: str) -> None:
        """Requests of a pipeline wait now, or were deleted: then its number has a minus sign."""
        number = int(payload)
        if number > 0:
            self._wake(PipelineId(number))
        elif PipelineId(-number) in self._feeds:
            self._look.set()

    def on_reset(self) -> None:
        """Messages may have been missed."""
        self._look.set()

    async def _write(self, block: Sequence[Record]) -> Sequence[bool]:
        async with self._db.begin() as tx:
            held = await store.hold(tx, self._owner, {item.request_id for item in block})
            runs = [(item.request_id, item.run) for item in block if item.run is not None and item.request_id in held]
            if runs:
                await store.insert_runs(tx, runs)
            sent = [item.delivery for item in block if item.delivery is not None and item.request_id in held]
            accepted = set()
            if sent:
                accepted = await delivery_store.insert_deliveries(tx, self._courier.owner, sent, self._courier.lease)
            ended = {item.request_id: item.message for item in block if item.run is None and item.request_id in held}
            if ended:
                await store.finish(tx, ended)
        self._courier.take([item for item in sent if item.id in accepted])
        return [item.request_id in held for item in block]

    # Claiming.

    def _wake(self, pipeline_id: PipelineId) -> None:
        if self._stopping:
            return
        feed = self._feeds.get(pipeline_id)
        if feed is not None:
            feed.may_have_more = True
            feed.wake.set()
            return
        feed = self._feeds[pipeline_id] = _Feed()
        task = asyncio.create_task(self._feed(pipeline_id, feed), name=f"pipeline-feed-{pipeline_id}")
        self._feeders.add(task)
        task.add_done_callback(self._feeders.discard)

    async def _feed(self, pipeline_id: PipelineId, feed: _Feed) -> None:
        """Keep requests of a pipeline on their way until nothing is left."""
        while True:
            feed.wake.clear()
            try:
                if feed.may_have_more and len(feed.running) <= _MOST_AT_A_TIME // 2:
                    await self._claim(pipeline_id, feed)
            except Exception:  # noqa: BLE001 - the requests must not be stuck whatever it was
                _log.exception("pipelines.claim_failed", pipeline_id=pipeline_id)
                await asyncio.sleep(self._timing.retry_s)
                continue
            if not feed.running and not feed.may_have_more:
                del self._feeds[pipeline_id]
                return
            await feed.wake.wait()

    async def _claim(self, pipeline_id: PipelineId, feed: _Feed) -> None:
        room = _MOST_AT_A_TIME - len(feed.running)
        feed.may_have_more = False
        async with self._db.begin() as tx:
            claimed = await store.claim(tx, pipeline_id, self._owner, room, self._lease)
        feed.may_have_more = feed.may_have_more or len(claimed) == room
        for item in claimed:
            feed.running[item.id] = asyncio.create_task(
                self._work(pipeline_id, feed, item), name=f"pipeline-request-{item.id}"
            )

    async def _work(self, pipeline_id: PipelineId, feed: _Feed, item: ClaimedPipelineRequest) -> None:
        ended = False
        try:
            await self._run_request(pipeline_id, item)
            ended = True
        except LeaseLostError:
            ended = True
        except PoolClosedError:
            # The server stops and gives the request back.
            return
        except Exception:  # noqa: BLE001 - its lease ends, and it is tried again, in the end by nobody
            _log.exception("pipelines.request_failed", request_id=item.id)
        finally:
            if self._stopping and not ended:
                self._unfinished.append(item.id)
            del feed.running[item.id]
            feed.wake.set()

    # Leases.

    async def _look_often(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.renew_s):
                    await self._look.wait()
            self._look.clear()
            try:
                await self._renew()
                await self._find_work()
            except Exception:  # noqa: BLE001 - leases must be kept as long as this process lives
                _log.exception("pipelines.look_failed")
                await asyncio.sleep(self._timing.retry_s)

    async def _renew(self) -> None:
        running = {id_: task for feed in self._feeds.values() for id_, task in feed.running.items()}
        if not running:
            return
        async with self._db.begin() as tx:
            kept = await store.renew(tx, self._owner, list(running), self._lease)
        for id_, task in running.items():
            # Deleted, or taken over by another engine; or its end is being written at this moment, which stays.
            if id_ not in kept:
                task.cancel()

    async def _find_work(self) -> None:
        async with self._db.begin() as tx:
            for pipeline_id in await store.requeue_expired(tx, attempts=_MOST_CLAIMS, message=_TOO_OFTEN):
                await announce_pipeline_requests(tx, pipeline_id)
            waiting = await store.list_waiting_pipelines(tx)
        for pipeline_id in waiting:
            self._wake(pipeline_id)


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
