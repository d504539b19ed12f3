"""Works on batch requests of any kind: claims them in blocks under a lease, runs them, writes results in blocks."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.serving.gather import Gatherer
from quadrat.serving.pool import PoolClosedError
from quadrat.serving.store.queue import Key, Queue

_log = structlog.get_logger(__name__)

# Claims, not runs: each one more means that a server was lost with the request in its hands.
_MOST_CLAIMS = 10
_TOO_OFTEN = "The request was interrupted too often: the server was lost each time while it ran."
MOST_AT_A_TIME = 256


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


class Claimed(Protocol):
    """A request that an engine holds under a lease."""

    @property
    def id(self) -> UUID:
        """Of the request."""
        ...


Item = TypeVar("Item", bound=Claimed)
Record = TypeVar("Record")
Run = Callable[[Item], Awaitable[None]]


@dataclass(slots=True)
class _Feed:
    """The requests of one key that this engine has claimed and not finished."""

    running: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    may_have_more: bool = True


class Dispatcher(ABC, Generic[Key, Item, Record]):
    """The part of one engine that works on one kind of batch requests.

    A claimed request is held under a lease until its result is written. A write counts only while the lease is
    still this engine's, so that every request has one result, however many engines were lost over it.

    Args:
        db: Where the requests are.
        queue: Their rows.
        timing: See `BatchTiming`.
        name: For logs.
    """

    def __init__(self, db: Database, queue: Queue[Key], timing: BatchTiming, *, name: str) -> None:
        self._db = db
        self._queue = queue
        self._timing = timing
        self._name = name
        self._lease = timedelta(seconds=timing.lease_s)
        self._owner = new_uuid()
        self._records = Gatherer(self._write, retry_s=timing.retry_s, name=f"{name}-recorder")
        self._unwritten: set[UUID] = set()
        self._feeds: dict[Key, _Feed] = {}
        self._feeders: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._look.set()
        self._looking: asyncio.Task[None] | None = None
        self._stopping = False
        self._unfinished: list[UUID] = []

    # What differs between the kinds.

    @abstractmethod
    async def _plan(self, key: Key, running: int) -> "tuple[int, Run[Item]] | None":
        """How many more requests may be claimed now, and what runs one of them; None when none can be run.

        What runs a request lets `PoolClosedError` pass, when the request has not ended and goes back.
        """

    @abstractmethod
    async def _take(self, tx: AsyncConnection, key: Key, limit: int) -> Sequence[Item]:
        """Claim requests that wait."""

    @abstractmethod
    async def _write(self, block: Sequence[Record]) -> Sequence[bool]:
        """Write what has come of requests; for each whether it counted."""

    @abstractmethod
    async def _list_waiting(self, tx: AsyncConnection) -> Sequence[Key]:
        """Those whose requests wait and can be run."""

    @abstractmethod
    async def _announce(self, tx: AsyncConnection, key: Key) -> None:
        """Tell all engines that requests wait."""

    # Life.

    def start(self) -> None:
        """Begin to work."""
        self._records.start()
        self._looking = asyncio.create_task(self._look_often(), name=f"{self._name}-look")

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
                await self._queue.release(tx, self._owner, self._unfinished)
        except QuadratError:
            left = len(self._unfinished) + len(self._unwritten)
            _log.warning("dispatcher.left_to_the_lease", dispatcher=self._name, requests=left)

    def on_requests(self, payload: str) -> None:
        """Requests of a key wait now, or were deleted: then its number has a minus sign."""
        number = int(payload)
        if number > 0:
            self._wake(self._queue.key(number))
        elif self._queue.key(-number) in self._feeds:
            self._look.set()

    def on_reset(self) -> None:
        """Messages may have been missed."""
        self._look.set()

    # Claiming.

    def _wake(self, key: Key) -> None:
        if self._stopping:
            return
        feed = self._feeds.get(key)
        if feed is not None:
            feed.may_have_more = True
            feed.wake.set()
            return
        feed = self._feeds[key] = _Feed()
        task = asyncio.create_task(self._feed(key, feed), name=f"{self._name}-feed-{key}")
        self._feeders.add(task)
        task.add_done_callback(self._feeders.discard)

    async def _feed(self, key: Key, feed: _Feed) -> None:
        """Keep requests of a key on their way until nothing is left."""
        while True:
            feed.wake.clear()
            try:
                if feed.may_have_more:
                    await self._claim(key, feed)
            except Exception:  # noqa: BLE001 - the requests must not be stuck whatever it was
                _log.exception("dispatcher.claim_failed", dispatcher=self._name, key=key)
                await asyncio.sleep(self._timing.retry_s)
                continue
            if not feed.running and not feed.may_have_more:
                del self._feeds[key]
                return
            await feed.wake.wait()

    async def _claim(self, key: Key, feed: _Feed) -> None:
        planned = await self._plan(key, len(feed.running))
        if planned is None:
            feed.may_have_more = False
            return
        room, run = planned
        if room <= 0:
            return
        feed.may_have_more = False
        async with self._db.begin() as tx:
            claimed = await self._take(tx, key, room)
        feed.may_have_more = feed.may_have_more or len(claimed) == room
        for item in claimed:
            if item.id in feed.running or item.id in self._unwritten:
                # Its lease had run out, though it runs here, as after a long stop of the machine: it goes on.
                feed.wake.set()
                continue
            work = self._work(run, feed, item)
            feed.running[item.id] = asyncio.create_task(work, name=f"{self._name}-{item.id}")

    async def _work(self, run: "Run[Item]", feed: _Feed, item: Item) -> None:
        ended = False
        try:
            await run(item)
            ended = True
        except PoolClosedError:
            # The version was deleted, and this request with it; or the server stops and gives it back.
            return
        except Exception:  # noqa: BLE001 - its lease ends, and it is tried again, in the end by nobody
            _log.exception("dispatcher.request_failed", dispatcher=self._name, request_id=item.id)
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
                _log.exception("dispatcher.look_failed", dispatcher=self._name)
                await asyncio.sleep(self._timing.retry_s)

    async def _renew(self) -> None:
        running = {id_: task for feed in self._feeds.values() for id_, task in feed.running.items()}
        held = [*running, *self._unwritten]
        if not held:
            return
        async with self._db.begin() as tx:
            kept = await self._queue.renew(tx, self._owner, held, self._lease)
        for id_, task in running.items():
            # Deleted, or taken over by another engine after the database was away for longer than the lease; or its
            # end is being written at this moment, which stays.
            if id_ not in kept:
                task.cancel()

    async def _find_work(self) -> None:
        async with self._db.begin() as tx:
            for key in await self._queue.requeue_expired(tx, attempts=_MOST_CLAIMS, message=_TOO_OFTEN):
                await self._announce(tx, key)
            waiting = await self._list_waiting(tx)
        for key in waiting:
            self._wake(key)


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
