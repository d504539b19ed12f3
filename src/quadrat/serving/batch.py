"""Works on batch requests: claims them in blocks under a lease, runs them, writes results in blocks."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.serving.outcomes import OnRequest, Outcome
from quadrat.serving.pool import Pool, PoolClosedError
from quadrat.serving.signals import announce_requests
from quadrat.serving.store import requests as store
from quadrat.serving.types import ClaimedRequest, VersionId

_log = structlog.get_logger(__name__)

FindPool = Callable[[VersionId], Awaitable[Pool | None]]
RunRequest = Callable[[Pool, ClaimedRequest], Awaitable[Outcome]]

# Claims, not runs: each one more means that a server was lost with the request in its hands.
_MOST_CLAIMS = 10
_TOO_OFTEN = "The request was interrupted too often: the server was lost each time while it ran."
_MOST_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class BatchTiming:
    """How soon a lost engine is noticed.

    Args:
        lease_s: After this long without a sign of life its requests run elsewhere.
        renew_s: Between two signs of life, and between two looks for what others lost.
        drain_s: How long running requests may go on when the server stops.
        retry_s: Pause after the database did not answer.
    """

    lease_s: float = 15.0
    renew_s: float = 5.0
    drain_s: float = 10.0
    retry_s: float = 1.0


@dataclass(slots=True)
class _Feed:
    """The requests of one version that this engine has claimed and not finished."""

    running: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    may_have_more: bool = True


class BatchDispatcher:
    """The part of one engine that works on batch requests.

    A claimed request is held under a lease until its result is written. The write counts only while the lease is
    still this engine's, so that every request has one result, however many engines were lost over it.

    Args:
        db: Where the requests are.
        find_pool: Gives the pool of a version, or None when it cannot serve.
        run_request: Runs one request and turns everything that can go wrong into an answer; lets only
            `PoolClosedError` pass.
        on_recorded: Is told of each request whose result this engine has recorded.
        timing: See `BatchTiming`.
    """

    def __init__(
        self,
        db: Database,
        find_pool: FindPool,
        run_request: RunRequest,
        on_recorded: OnRequest,
        timing: BatchTiming | None = None,
    ) -> None:
        self._db = db
        self._find_pool = find_pool
        self._run_request = run_request
        self._on_recorded = on_recorded
        self._timing = timing or BatchTiming()
        self._lease = timedelta(seconds=self._timing.lease_s)
        self._owner = new_uuid()
        self._feeds: dict[VersionId, _Feed] = {}
        self._feeders: set[asyncio.Task[None]] = set()
        self._outcomes: dict[UUID, Outcome] = {}
        self._some_outcomes = asyncio.Event()
        self._look = asyncio.Event()
        self._look.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._unfinished: list[UUID] = []

    def start(self) -> None:
        """Begin to work."""
        self._tasks = [
            asyncio.create_task(self._record_often(), name="batch-recorder"),
            asyncio.create_task(self._look_often(), name="batch-look"),
        ]

    async def stop(self) -> None:
        """Finish what runs within the grace, write it, and give the rest back."""
        self._stopping = True
        running = {task for feed in self._feeds.values() for task in feed.running.values()}
        if running:
            _, late = await asyncio.wait(running, timeout=self._timing.drain_s)
            await _cancel(late)
        await _cancel(self._feeders)
        await _cancel(self._tasks)
        try:
            await self._record()
            async with self._db.begin() as tx:
                await store.release(tx, self._owner, self._unfinished)
        except QuadratError:
            _log.warning("batch.left_to_the_lease", requests=len(self._unfinished) + len(self._outcomes))

    def on_requests(self, payload: str) -> None:
        """Requests of a version wait now, or were deleted: then its number has a minus sign."""
        number = int(payload)
        if number > 0:
            self._wake(VersionId(number))
        elif VersionId(-number) in self._feeds:
            self._look.set()

    def on_version(self, version_id: VersionId) -> None:
        """A version has become available, or was replaced."""
        self._wake(version_id)

    def on_reset(self) -> None:
        """Messages may have been missed."""
        self._look.set()

    # Claiming.

    def _wake(self, version_id: VersionId) -> None:
        if self._stopping:
            return
        feed = self._feeds.get(version_id)
        if feed is not None:
            feed.may_have_more = True
            feed.wake.set()
            return
        feed = self._feeds[version_id] = _Feed()
        task = asyncio.create_task(self._feed(version_id, feed), name=f"batch-feed-{version_id}")
        self._feeders.add(task)
        task.add_done_callback(self._feeders.discard)

    async def _feed(self, version_id: VersionId, feed: _Feed) -> None:
        """Keep the pool of a version supplied until nothing is left."""
        while True:
            feed.wake.clear()
            try:
                if feed.may_have_more:
                    await self._claim(version_id, feed)
            except Exception:  # noqa: BLE001 - the requests must not be stuck whatever it was
                _log.exception("batch.claim_failed", version_id=version_id)
                await asyncio.sleep(self._timing.retry_s)
                continue
            if not feed.running and not feed.may_have_more:
                del self._feeds[version_id]
                return
            await feed.wake.wait()

    async def _claim(self, version_id: VersionId, feed: _Feed) -> None:
        pool = await self._find_pool(version_id)
        if pool is None:
            feed.may_have_more = False
            return
        width = min(_MOST_AT_A_TIME, pool.deployment.settings.maximum_instances * pool.depth)
        room = width - len(feed.running)
        if room <= 0 or (feed.running and pool.depth > 1 and room < width // 2):
            return
        feed.may_have_more = False
        async with self._db.begin() as tx:
            claimed = await store.claim(tx, version_id, self._owner, room, self._lease)
        feed.may_have_more = feed.may_have_more or len(claimed) == room
        for item in claimed:
            feed.running[item.id] = asyncio.create_task(self._work(pool, feed, item), name=f"batch-{item.id}")

    async def _work(self, pool: Pool, feed: _Feed, item: ClaimedRequest) -> None:
        try:
            self._outcomes[item.id] = await self._run_request(pool, item)
            self._some_outcomes.set()
        except PoolClosedError:
            # The version was deleted, and this request with it; or the server stops and gives it back.
            return
        finally:
            if self._stopping and item.id not in self._outcomes:
                self._unfinished.append(item.id)
            del feed.running[item.id]
            feed.wake.set()

    # Writing results.

    async def _record_often(self) -> None:
        while True:
            await self._some_outcomes.wait()
            try:
                await self._record()
            except Exception:  # noqa: BLE001 - results must be written some day whatever it was
                _log.exception("batch.record_failed", requests=len(self._outcomes))
                self._some_outcomes.set()
                await asyncio.sleep(self._timing.retry_s)

    async def _record(self) -> None:
        self._some_outcomes.clear()
        block = dict(self._outcomes)
        if not block:
            return
        async with self._db.begin() as tx:
            recorded = await store.record(tx, self._owner, list(block.values()))
        for id_, outcome in block.items():
            del self._outcomes[id_]
            if id_ in recorded:
                self._on_recorded(outcome)

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
                _log.exception("batch.look_failed")
                await asyncio.sleep(self._timing.retry_s)

    async def _renew(self) -> None:
        running = {id_: task for feed in self._feeds.values() for id_, task in feed.running.items()}
        held = [*running, *self._outcomes]
        if not held:
            return
        async with self._db.begin() as tx:
            kept = await store.renew(tx, self._owner, held, self._lease)
        for id_, task in running.items():
            # Deleted, or taken over by another engine after the database was away for longer than the lease.
            if id_ not in kept:
                task.cancel()

    async def _find_work(self) -> None:
        async with self._db.begin() as tx:
            for version_id in await store.requeue_expired(tx, attempts=_MOST_CLAIMS, message=_TOO_OFTEN):
                await announce_requests(tx, version_id)
            waiting = await store.list_waiting_versions(tx)
        for version_id in waiting:
            self._wake(version_id)


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
