"""Brings messages to connectors: gathered under load, again after a failure, and at last given up in the log."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.base.sealing import Sealer, SealError
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import ProjectId
from quadrat.serving.actions.connectors import find_spec
from quadrat.serving.connector_types import Connector, ConnectorId, Delivery
from quadrat.serving.engine import ServingEngine
from quadrat.serving.gather import Gatherer
from quadrat.serving.log_types import LogPlace
from quadrat.serving.rules.metrics import Metric
from quadrat.serving.rules.values import decode_json
from quadrat.serving.store import deliveries as store
from quadrat.serving.targets.base import (
    Message,
    RefusedError,
    Target,
    UnreachableError,
    unexpected_as_unreachable,
)
from quadrat.serving.targets.places import Places

_log = structlog.get_logger(__name__)
_SHOWN_DATA = 2000


@dataclass(frozen=True, slots=True)
class CourierTiming:
    """How patient a courier is.

    Args:
        lease_s: After this long without a sign of life its messages are brought by another one.
        renew_s: Between two signs of life, and between two looks for messages whose time has come.
        first_pause_s: After the first failure in a row; each one more doubles it.
        longest_pause_s: Between two attempts.
        give_up_s: Age of a message that is given up when it fails again.
        idle_s: After this long without messages a connection is closed.
        retry_s: Pause after the house's own database did not answer.
        most_at_a_time: Messages in one write.
    """

    lease_s: float = 60.0
    renew_s: float = 5.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 300.0
    give_up_s: float = 24 * 3600.0
    idle_s: float = 30.0
    retry_s: float = 1.0
    most_at_a_time: int = 500


@dataclass(slots=True)
class _Lane:
    """The way to one connector.

    Args:
        done: Messages that have arrived or were given up, and whose rows are still to be removed.
    """

    queue: deque[Delivery] = field(default_factory=deque)
    done: list[Delivery] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    connector: Connector | None = None
    target: Target | None = None
    failures: int = 0
    not_before: float = 0.0
    may_have_more: bool = True
    changed: bool = False


class Courier:
    """The part of one engine that writes to connectors.

    A message is a row until it has arrived or was given up, so it outlives every process. It arrives at least once;
    what a place can tell apart by the message's id, exactly once.

    Args:
        db: Where messages wait.
        sealer: Opens credentials.
        places: Where connectors write to.
        engine: Its log, its metrics and its files are used.
        timing: See `CourierTiming`.
    """

    def __init__(
        self,
        db: Database,
        sealer: Sealer,
        places: Places,
        engine: ServingEngine,
        timing: CourierTiming | None = None,
    ) -> None:
        self._db = db
        self._sealer = sealer
        self._places = places
        self._engine = engine
        self._timing = timing or CourierTiming()
        self.owner = new_uuid()
        self.lease = timedelta(seconds=self._timing.lease_s)
        self._intake = Gatherer(self._accept, retry_s=self._timing.retry_s, name="courier-intake")
        self._lanes: dict[ConnectorId, _Lane] = {}
        self._attempts: dict[UUID, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._look = asyncio.Event()
        self._look.set()
        self._stopping = False

    def start(self) -> None:
        """Begin to work: messages of an earlier life go on."""
        self._intake.start()
        self._looking = asyncio.create_task(self._look_often(), name="courier-look")

    async def stop(self) -> None:
        """End the write that runs; messages that have not arrived stay for the next life."""
        self._stopping = True
        if self._looking is not None:
            self._looking.cancel()
        await self._intake.stop()
        for lane in self._lanes.values():
            lane.wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._timing.retry_s * 10)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(QuadratError):
            async with self._db.begin() as tx:
                await store.release(tx, self.owner)

    async def send(self, message: Delivery) -> None:
        """Accept a message; return once it has arrived, was given up, or has failed for the first time."""
        if await self._intake.put(message):
            await self.attempted(message.id)

    async def attempted(self, message_id: UUID) -> None:
        """Return once a message that was taken has arrived, was given up, or has failed for the first time."""
        attempt = self._attempts.get(message_id)
        if attempt is not None:
            await asyncio.shield(attempt)

    def take(self, messages: Sequence[Delivery]) -> None:
        """Bring messages that have been accepted in this courier's name."""
        loop = asyncio.get_running_loop()
        for message in messages:
            self._attempts[message.id] = loop.create_future()
            lane = self._lane_of(message.connector_id)
            lane.queue.append(message)
            lane.wake.set()

    def on_change(self, payload: str) -> None:
        """A connector has changed: whatever waits for it is tried at once."""
        lane = self._lanes.get(ConnectorId(int(payload)))
        if lane is not None:
            lane.changed = True
            lane.wake.set()
        self._look.set()

    def on_reset(self) -> None:
        """Messages may have been missed."""
        for lane in self._lanes.values():
            lane.changed = True
        self._look.set()

    async def _accept(self, block: Sequence[Delivery]) -> Sequence[bool]:
        async with self._db.begin() as tx:
            accepted = await store.insert_deliveries(tx, self.owner, block, self.lease)
        self.take([item for item in block if item.id in accepted])
        return [item.id in accepted for item in block]

    async def _look_often(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.renew_s):
                    await self._look.wait()
            self._look.clear()
            try:
                async with self._db.begin() as tx:
                    await store.renew(tx, self.owner, self.lease)
                    due = await store.list_due_connectors(tx)
                for connector_id in due:
                    lane = self._lane_of(connector_id)
                    lane.may_have_more = True
                    lane.wake.set()
            except Exception:  # noqa: BLE001 - leases must be kept as long as this process lives
                _log.exception("courier.look_failed")
                await asyncio.sleep(self._timing.retry_s)

    # One connector's lane.

    def _lane_of(self, connector_id: ConnectorId) -> _Lane:
        lane = self._lanes.get(connector_id)
        if lane is None:
            lane = self._lanes[connector_id] = _Lane()
            task = asyncio.create_task(self._drive(connector_id, lane), name=f"courier-{connector_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return lane

    async def _drive(self, connector_id: ConnectorId, lane: _Lane) -> None:
        try:
            while not self._stopping:
                lane.wake.clear()
                try:
                    busy = await self._step(connector_id, lane)
                except Exception:  # noqa: BLE001 - the messages must not be stuck whatever it was
                    _log.exception("courier.step_failed", connector_id=connector_id)
                    await asyncio.sleep(self._timing.retry_s)
                    continue
                if not busy and not await self._sleep(lane):
                    return
        finally:
            del self._lanes[connector_id]
            with suppress(QuadratError):
                await self._forget(lane)
            self._resolve(lane.queue)
            await self._close(lane)

    async def _sleep(self, lane: _Lane) -> bool:
        """Wait for messages or for the end of a pause; False when nothing has come for long."""
        pause_s = lane.not_before - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(pause_s if pause_s > 0 else self._timing.idle_s):
                await lane.wake.wait()
        except TimeoutError:
            if pause_s <= 0:
                return bool(lane.queue)
            lane.may_have_more = True
        return True

    async def _step(self, connector_id: ConnectorId, lane: _Lane) -> bool:
        """One write, if there is something to write; False when there is not."""
        await self._forget(lane)
        if lane.changed:
            lane.changed = False
            lane.not_before, lane.failures, lane.may_have_more = 0.0, 0, True
            await self._close(lane)
            async with self._db.begin() as tx:
                await store.hurry(tx, connector_id)
        pause_s = lane.not_before - asyncio.get_running_loop().time()
        if pause_s > 0:
            await self._put_off(lane, self._taken(lane), pause_s)
            return False
        if not lane.queue and lane.may_have_more:
            lane.may_have_more = False
            async with self._db.begin() as tx:
                found = await store.claim(tx, connector_id, self.owner, self._timing.most_at_a_time, self.lease)
            lane.queue.extend(found)
            lane.may_have_more = len(found) == self._timing.most_at_a_time
        block = self._taken(lane)
        if not block:
            return False
        try:
            await self._bring(connector_id, lane, block)
        except BaseException:
            # What has arrived is not brought again because its row could not be removed at once.
            done = {item.id for item in lane.done}
            lane.queue.extendleft(item for item in reversed(block) if item.id not in done)
            raise
        return True

    def _taken(self, lane: _Lane) -> list[Delivery]:
        return [lane.queue.popleft() for _ in range(min(len(lane.queue), self._timing.most_at_a_time))]

    async def _bring(self, connector_id: ConnectorId, lane: _Lane, block: list[Delivery]) -> None:
        try:
            target = await self._open(connector_id, lane)
            if target is None:
                self._resolve(block)  # the connector is gone, and the rows with it
                return
            rest = await self._write(lane, target, block)
        except UnreachableError as error:
            await self._fail(lane, block, str(error))
            return
        except RefusedError as error:
            await self._give_up(lane, block, str(error))
            return
        if rest:
            await self._fail(lane, rest[0], rest[1])
        else:
            if lane.failures:
                self._say(lane, block[0], "The connector can be written to again.")
            lane.failures = 0

    async def _write(self, lane: _Lane, target: Target, block: list[Delivery]) -> tuple[list[Delivery], str] | None:
        """Write a block, in halves where something in it is refused; returns what could not be tried, and why."""
        waiting = [block]
        while waiting:
            part = waiting.pop()
            try:
                messages = [Message(item.id, decode_json(item.data)) for item in part]
                with unexpected_as_unreachable():
                    await target.write(messages)
            except RefusedError as error:
                if len(part) == 1:
                    await self._give_up(lane, part, str(error))
                else:
                    half = len(part) // 2
                    waiting += [part[half:], part[:half]]
            except UnreachableError as error:
                return [*part, *(item for other in waiting for item in other)], str(error)
            else:
                await self._arrived(lane, part)
        return None

    async def _open(self, connector_id: ConnectorId, lane: _Lane) -> Target | None:
        if lane.target is not None:
            return lane.target
        try:
            async with self._db.begin() as tx:
                found = await find_spec(tx, self._sealer, connector_id)
        except SealError as error:
            raise UnreachableError(str(error)) from error
        if found is None:
            return None
        lane.connector, spec = found
        with unexpected_as_unreachable():
            lane.target = await self._places.open(spec, _Blobs(self._engine, lane.connector.project_id))
        return lane.target

    async def _close(self, lane: _Lane) -> None:
        target, lane.target = lane.target, None
        if target is not None:
            with suppress(Exception):
                await target.close()

    # What becomes of messages.

    async def _forget(self, lane: _Lane) -> None:
        """Remove the rows of what is done; tried again before anything else is written."""
        if lane.done:
            async with self._db.begin() as tx:
                await store.remove(tx, self.owner, [item.id for item in lane.done])
            self._resolve(lane.done)
            lane.done.clear()

    async def _arrived(self, lane: _Lane, part: list[Delivery]) -> None:
        lane.done += part
        if lane.connector is not None:
            project_id, uuid = lane.connector.project_id, lane.connector.uuid
            for item in part:
                self._engine.meter.count(project_id, Metric.CONNECTOR_REQUESTS, uuid)
                self._engine.meter.count(project_id, Metric.CONNECTOR_BYTES, uuid, len(item.data))
            self._say(lane, part[0], f"{len(part)} written." if len(part) > 1 else "Written.")
        await self._forget(lane)

    async def _fail(self, lane: _Lane, part: list[Delivery], reason: str) -> None:
        lane.failures += 1
        await self._close(lane)
        pause_s = min(self._timing.longest_pause_s, self._timing.first_pause_s * 2 ** (lane.failures - 1))
        lane.not_before = asyncio.get_running_loop().time() + pause_s
        oldest = now() - timedelta(seconds=self._timing.give_up_s)
        await self._give_up(lane, [item for item in part if item.created_at < oldest], reason)
        kept = [item for item in part if item.created_at >= oldest]
        if kept:
            self._say(lane, kept[0], f"Not written, tried again in {pause_s:g} s ({len(kept)} waiting): {reason}")
        await self._put_off(lane, kept, pause_s)

    async def _put_off(self, lane: _Lane, part: list[Delivery], pause_s: float) -> None:
        if part:
            async with self._db.begin() as tx:
                await store.put_off(tx, self.owner, [item.id for item in part], timedelta(seconds=pause_s))
            self._resolve(part)
            lane.may_have_more = False

    async def _give_up(self, lane: _Lane, part: list[Delivery], reason: str) -> None:
        """The dead letters: the log keeps what would have been written."""
        for item in part:
            data = item.data.decode("utf-8", "replace")
            shown = data if len(data) <= _SHOWN_DATA else f"{data[:_SHOWN_DATA]}…"
            self._say(lane, item, f"Given up, message {item.id} is not written: {reason} Data: {shown}")
            _log.warning("courier.gave_up", connector_id=item.connector_id, message_id=item.id)
        lane.done += part
        await self._forget(lane)

    def _say(self, lane: _Lane, message: Delivery, text: str) -> None:
        if lane.connector is not None:
            place = LogPlace(
                lane.connector.project_id,
                pipeline_id=message.pipeline_id,
                pipeline_object_id=message.object_id,
                connector_id=message.connector_id,
                pipeline_request_id=message.pipeline_request_id,
            )
            self._engine.logbook.write(place, text)

    def _resolve(self, part: Sequence[Delivery] | deque[Delivery]) -> None:
        for item in part:
            attempt = self._attempts.pop(item.id, None)
            if attempt is not None and not attempt.done():
                attempt.set_result(None)


@dataclass(frozen=True, slots=True)
class _Blobs:
    """Blobs of one project."""

    engine: ServingEngine
    project_id: ProjectId

    @asynccontextmanager
    async def fetch(self, blob_id: UUID) -> AsyncIterator[tuple[str, Path]]:
        try:
            async with self.engine.files.copied(self.project_id, blob_id) as found:
                yield found
        except QuadratError as error:
            if error.kind is ErrorKind.UNAVAILABLE:
                raise UnreachableError(error.message) from error
            raise RefusedError(error.message) from error
