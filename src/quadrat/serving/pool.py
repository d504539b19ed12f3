"""The instances of one version on this machine, and the queue in front of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from quadrat.errors import QuadratError
from quadrat.runner.base import (
    BuildError,
    End,
    Instance,
    InstanceLostError,
    OnEnd,
    RecalledError,
    Reply,
    RequestTimeoutError,
)
from quadrat.serving.outcomes import InstanceChange, OnInstance
from quadrat.serving.types import Deployment
from quadrat.serving.waiting import WaitingLine

_log = structlog.get_logger(__name__)

StartInstance = Callable[[Deployment], Awaitable[Instance]]
Say = Callable[[Deployment, str], None]

_LONGEST_BACK_OFF_S = 30.0
# A queue inside of the instance saves the hand-over between very short requests; before longer ones it would only
# take away the choice of the instance.
_SHORT_NS = 2_000_000
_MOST_DEPTH = 64
_SOON_NS = 20_000_000
_SMOOTHING = 0.1


class StartFailedError(Exception):
    """No instance could be started; the message is for the author of the model."""


class PoolClosedError(Exception):
    """The version was deleted, or this server stops."""


@dataclass(frozen=True, slots=True)
class PoolTiming:
    """When a pool grows and shrinks.

    Args:
        patience_s: A request waits this long for an instance that is busy before another one is started, and for the
            one before it inside of an instance before it looks for another place.
        back_off_s: First pause before a model that keeps crashing or failing to start is started again.
        stop_grace_s: How long an instance may take to end by itself.
    """

    patience_s: float = 0.1
    back_off_s: float = 1.0
    stop_grace_s: float = 5.0


class _Member:
    """One running instance."""

    __slots__ = ("deployment", "expected_end", "flying", "idle_since", "instance", "patience", "recipe", "reserved")

    def __init__(self, instance: Instance, deployment: Deployment, now: float) -> None:
        self.instance = instance
        self.deployment = deployment
        self.recipe = recipe_of(deployment)
        # Requests on their way to it, the one that it works on first.
        self.flying: dict[int, None] = {}
        # Runs while others stand behind the first.
        self.patience: asyncio.TimerHandle | None = None
        # Places given to requests that will be on their way within this turn of the loop.
        self.reserved = 0
        self.idle_since = now
        self.expected_end = False

    @property
    def load(self) -> int:
        """Places that are taken."""
        return len(self.flying) + self.reserved

    def is_first(self, number: int) -> bool:
        """Whether it works on this request."""
        return next(iter(self.flying)) == number


class Flight:
    """A request on its way on an instance, whose end is told by a call.

    Args:
        pool: Of the instance.
        member: The instance.
        on_end: Is told the end, before the pool goes on with the place that has become free. It must not raise.
    """

    __slots__ = ("_member", "_number", "_on_end", "_place", "_pool")

    def __init__(self, pool: "Pool", member: _Member, on_end: OnEnd) -> None:
        self._pool = pool
        self._member = member
        self._on_end = on_end
        self._place = 0
        self._number = 0

    def start(self, request_id: UUID, data: bytes, timeout_s: float) -> None:
        """Send it.

        Raises:
            InstanceLostError: The instance has just ended.
        """
        self._number = self._member.instance.submit(str(request_id), data, timeout_s, self._land)
        self._place = self._pool.depart(self._member)

    def give_up(self) -> None:
        """Nobody waits for it any more."""
        self._member.instance.give_up(self._number)
        self._pool.land_unwanted(self._member, self._place)

    def _land(self, end: End) -> None:
        try:
            self._on_end(end)
        finally:
            self._pool.land(self._member, self._place, end)


class Pool:
    """Runs requests of one version. Direct requests go before batch requests.

    Args:
        deployment: The version.
        start_instance: Starts one more instance.
        say: Writes a line into the version's log.
        tell: Is told of instances that come and go.
        timing: See `PoolTiming`.
    """

    def __init__(
        self,
        deployment: Deployment,
        start_instance: StartInstance,
        say: Say,
        tell: OnInstance,
        timing: PoolTiming | None = None,
    ) -> None:
        self.deployment = deployment
        self._start_instance = start_instance
        self._say = say
        self._tell = tell
        self._timing = timing or PoolTiming()
        self._loop = asyncio.get_running_loop()
        self._members: list[_Member] = []
        self._starts: set[asyncio.Task[None]] = set()
        self._line: WaitingLine[_Member] = WaitingLine()
        self._recipe = recipe_of(deployment)
        self._number = 0
        self._mean_ns = float(_SHORT_NS)
        self._depth = 1
        self._failures = 0
        self._not_before = 0.0
        self._growth: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.on_idle: Callable[[], None] | None = None
        """Called when an instance has nothing to do any more."""
        self.on_trouble: Callable[[Deployment, str], None] | None = None
        """Called with the reason when the model keeps failing, and with nothing when it works again."""
        self.trouble = ""
        """Why the model keeps failing; empty when it does not."""

    @property
    def has_waiting(self) -> bool:
        """Whether requests wait for an instance."""
        return len(self._line) > 0

    def longest_idle(self, *, spare: bool) -> float | None:
        """Since when the longest idle instance has been so; `spare` leaves out those of the minimum."""
        member = self._find_idle(spare=spare)
        return None if member is None else member.idle_since

    def yield_one(self, *, spare: bool) -> None:
        """End the longest idle instance, because another version needs its memory."""
        member = self._find_idle(spare=spare)
        if member is not None:
            self._say(self.deployment, f"Instance {member.instance.id} yields its memory to another version.")
            self._end(member)

    def _find_idle(self, *, spare: bool) -> _Member | None:
        current = [member for member in self._members if self._is_current(member)]
        if spare and len(current) <= self.deployment.settings.minimum_instances:
            return None
        idle = [member for member in current if not member.load]
        return min(idle, key=lambda member: member.idle_since) if idle else None

    @property
    def instances(self) -> int:
        """How many run, old ones that are being replaced included."""
        return len(self._members)

    @property
    def depth(self) -> int:
        """Requests that one instance is given at a time."""
        return self._depth

    @property
    def has_place(self) -> bool:
        """Whether a direct request would be given to an instance right now."""
        return not self._closed and not self._line.is_before(batch=False) and self._find_place() is not None

    async def run(
        self, request_id: UUID, data: bytes, timeout_s: float, *, batch: bool = False, again: bool = False
    ) -> Reply:
        """Run one request on an instance, started for it when there is none.

        Args:
            request_id: Marks its log lines.
            data: Checked request data as JSON text.
            timeout_s: Of a direct request from now on, its waiting included; of a batch request from its start on.
            batch: Waits behind direct requests, as long as it takes.
            again: It had a place and lost it, so it waits before all others of its kind.

        Raises:
            RequestTimeoutError: Too late.
            InstanceLostError: The process ended while the model worked on it.
            StartFailedError: The model cannot be started.
            PoolClosedError: The version is gone.
        """
        deadline = self._loop.time() + timeout_s
        while True:
            member = self._reserve_now(batch) or await self._wait(None if batch else deadline, batch, again)
            remaining = timeout_s if batch else deadline - self._loop.time()
            try:
                return await self._send(member, request_id, data, remaining)
            except InstanceLostError as error:
                if error.began:
                    raise
            except RecalledError:
                pass
            again = True

    def begin(self, request_id: UUID, data: bytes, timeout_s: float, on_end: OnEnd) -> Flight | None:
        """Run one direct request as `run` does, if an instance has a place for it right now.

        Args:
            request_id: See `run`.
            data: See `run`.
            timeout_s: See `run`.
            on_end: Is told the end once and later; `RecalledError` and a lost instance that had not begun mean that
                the request has to be run anew.

        Returns:
            What gives it up; None when there is no place.
        """
        if self._closed or self._line.is_before(batch=False):
            return None
        member = self._find_place()
        if member is None:
            return None
        flight = Flight(self, member, on_end)
        try:
            flight.start(request_id, data, timeout_s)
        except InstanceLostError:
            return None
        return flight

    def update(self, deployment: Deployment) -> None:
        """Take over new settings; instances of another build or another memory are replaced as they become free."""
        if deployment.changed_at < self.deployment.changed_at:
            return
        self.deployment = deployment
        recipe = recipe_of(deployment)
        if recipe != self._recipe:
            self._recipe = recipe
            self._failures, self._not_before = 0, 0.0
            if self.trouble:
                self._set_trouble("")
            for member in list(self._members):
                if not member.load:
                    self._end(member)
        self._scale()
        self._shrink()

    def refuse_waiting(self) -> None:
        """Send away what has not begun, and take in nothing new."""
        self._closed = True
        self._line.fail(PoolClosedError())

    async def close(self) -> None:
        """Stop every instance; what still runs on them is lost."""
        self.refuse_waiting()
        for timer in (self._growth, self._sweep):
            if timer is not None:
                timer.cancel()
        for start in self._starts:
            start.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        for member in list(self._members):
            self._end(member)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # A request's way.

    def _reserve_now(self, batch: bool) -> _Member | None:
        """A place right now, unless others wait already."""
        if self._closed:
            raise PoolClosedError
        if self._line.is_before(batch=batch):
            return None
        return self._reserve()

    def _reserve(self) -> _Member | None:
        """A place on the instance with the least to do, taken until the request is sent or given up."""
        best = self._find_place()
        if best is not None:
            best.reserved += 1
        return best

    def _reserve_ahead(self) -> _Member | None:
        """A place behind one request, when more wait than there are instances and requests do not take long.

        Whoever is next has the first instance that becomes free in any case, or nearly; so it need not stand still
        until the answer before has come here and the next request has gone there.
        """
        if self._depth > 1 or self._mean_ns > _SOON_NS:
            return None
        current = [member for member in self._members if self._is_current(member)]
        best = min(current, key=lambda member: member.load, default=None)
        if best is None or best.load > 1 or not self._line.is_longer_than(len(current)):
            return None
        best.reserved += 1
        return best

    def _find_place(self) -> _Member | None:
        """The instance with the least to do, if it may be given one more request."""
        best, least = None, self._depth
        for member in self._members:
            load = len(member.flying) + member.reserved
            if load < least and self._is_current(member):
                best, least = member, load
                if load == 0:
                    break
        return best

    def _is_current(self, member: _Member) -> bool:
        """Whether it may be given requests."""
        return not member.expected_end and member.instance.alive and member.recipe == self._recipe

    async def _wait(self, deadline: float | None, batch: bool, again: bool) -> _Member:
        waiter = self._line.join(batch=batch, again=again)
        timer = None if deadline is None else self._loop.call_at(deadline, _too_late, waiter)
        # Those before may have given up.
        self._serve_waiting()
        self._scale()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                waiter.result().reserved -= 1
                self._on_left(waiter.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()

    async def _send(self, member: _Member, request_id: UUID, data: bytes, timeout_s: float) -> Reply:
        member.reserved -= 1
        number = self.depart(member)
        end: End | None = None
        try:
            end = await member.instance.send(str(request_id), data, timeout_s)
            return end
        except (RequestTimeoutError, InstanceLostError, RecalledError) as error:
            end = error
            raise
        finally:
            if end is None:
                self.land_unwanted(member, number)
            else:
                self.land(member, number, end)

    def depart(self, member: _Member) -> int:
        """A request is on its way to an instance: its number, for those who land it."""
        self._number = number = self._number + 1
        member.flying[number] = None
        if member.patience is None and len(member.flying) > 1:
            self._watch_first(member)
        return number

    def land(self, member: _Member, number: int, end: End) -> None:
        """A request has ended, and its place is free."""
        # The runner has killed the instance if the model had begun.
        if isinstance(end, RequestTimeoutError) and not member.instance.alive:
            member.expected_end = True
        del member.flying[number]
        self._on_left(member)
        if isinstance(end, Reply):
            self._failures = 0
            if self.trouble:
                self._set_trouble("")
            self._learn(self._mean_ns + (end.duration_ns - self._mean_ns) * _SMOOTHING)

    def land_unwanted(self, member: _Member, number: int) -> None:
        """Nobody waits for a request any more."""
        if member.is_first(number):
            # What the model is doing now is for nobody. The requests behind it go to another instance.
            self._end(member, grace_s=0)
        del member.flying[number]
        self._on_left(member)

    def _learn(self, mean_ns: float) -> None:
        """Take over how long requests are: an instance is given as many as it does in a short time, at least one."""
        self._mean_ns = mean_ns
        self._depth = max(1, min(_MOST_DEPTH, int(_SHORT_NS / max(mean_ns, 1.0))))

    def _watch_first(self, member: _Member) -> None:
        """Have those recalled that stand behind the first, if that is still the same when patience is over."""
        first = next(iter(member.flying))
        member.patience = self._loop.call_later(self._timing.patience_s, self._on_patience, member, first)

    def _on_patience(self, member: _Member, first: int) -> None:
        member.patience = None
        if len(member.flying) < 2:
            return
        if not member.is_first(first):
            self._watch_first(member)
            return
        # There are long requests among the short ones: for some time each instance is given one at a time.
        self._learn(max(self._mean_ns, self._timing.patience_s * 1e9))
        member.instance.recall()

    def _on_left(self, member: _Member) -> None:
        """A place has become free."""
        self._serve_waiting()
        if member.load:
            return
        if self._closed or member.recipe != self._recipe:
            self._end(member)
            return
        member.idle_since = self._loop.time()
        if self._sweep is None and len(self._members) > self.deployment.settings.minimum_instances:
            self._shrink()
        if self.on_idle is not None:
            self.on_idle()

    def _serve_waiting(self) -> None:
        while (waiter := self._line.next()) is not None:
            member = self._reserve() or self._reserve_ahead()
            if member is None:
                return
            waiter.set_result(member)

    # Growing and shrinking.

    def _scale(self) -> None:
        """Start an instance if there is none for those who wait; for more than one, wait a little first."""
        if self._closed:
            return
        settings = self.deployment.settings
        running = self._current()
        if running < settings.minimum_instances or (running == 0 and len(self._line)):
            self._start()
        elif self._growth is None and running < settings.maximum_instances and len(self._line):
            self._growth = self._loop.call_later(self._timing.patience_s, self._grow)

    def _grow(self) -> None:
        self._growth = None
        self._serve_waiting()
        if self._closed or self._current() >= self.deployment.settings.maximum_instances:
            return
        if len(self._line) > len(self._starts):
            self._start()
            self._scale()

    def _current(self) -> int:
        return len(self._starts) + sum(map(self._is_current, self._members))

    def _start(self) -> None:
        pause_s = self._not_before - self._loop.time()
        if pause_s > 0:
            if self._growth is None:
                self._growth = self._loop.call_later(pause_s, self._resume)
            return
        task = self._loop.create_task(self._start_one(self.deployment))
        self._starts.add(task)
        task.add_done_callback(self._on_start_ended)

    def _resume(self) -> None:
        self._growth = None
        self._scale()

    async def _start_one(self, deployment: Deployment) -> None:
        try:
            instance = await self._start_instance(deployment)
        except (BuildError, QuadratError) as error:
            self._on_start_failed(deployment, error.message)
        except Exception:  # noqa: BLE001 - those who wait must hear of it whatever it was
            _log.exception("instance.start_failed", version_id=deployment.version_id)
            self._on_start_failed(deployment, "The model could not be started because of an error of the server.")
        else:
            self._on_started(deployment, instance)

    def _on_start_ended(self, task: asyncio.Task[None]) -> None:
        self._starts.discard(task)
        if not self._closed:
            self._scale()

    def _on_started(self, deployment: Deployment, instance: Instance) -> None:
        member = _Member(instance, deployment, self._loop.time())
        self._members.append(member)
        self._tell(InstanceChange(deployment, instance.id, True, time.time_ns()))
        self._keep(self._watch(member))
        self._say(deployment, f"Instance {instance.id} is running.")
        if self._closed or member.recipe != self._recipe:
            self._end(member)
            return
        self._serve_waiting()
        self._shrink()

    def _on_start_failed(self, deployment: Deployment, message: str) -> None:
        self._back_off(message)
        self._say(deployment, f"An instance could not be started: {message}")
        if len(self._starts) == 1 and self._current() == 1:  # this one, and nothing else to hope for
            self._line.fail(StartFailedError(message))

    def _set_trouble(self, reason: str) -> None:
        self.trouble = reason
        if self.on_trouble is not None:
            self.on_trouble(self.deployment, reason)

    def _back_off(self, reason: str) -> None:
        self._failures += 1
        # The first crash may be the fault of one request; only a second one in a row tells of the model.
        if self._failures > 1:
            pause_s = min(_LONGEST_BACK_OFF_S, self._timing.back_off_s * 2 ** (self._failures - 2))
            self._not_before = self._loop.time() + pause_s
            self._set_trouble(f"The model keeps failing and is started again after pauses: {reason}")

    async def _watch(self, member: _Member) -> None:
        reason = await member.instance.wait_closed()
        self._members.remove(member)
        self._tell(InstanceChange(member.deployment, member.instance.id, False, time.time_ns()))
        self._say(self.deployment, f"Instance {member.instance.id} has ended: {reason}")
        if not member.expected_end:
            _log.warning("instance.lost", version_id=self.deployment.version_id, reason=reason)
            self._back_off(reason)
        self._scale()

    def _end(self, member: _Member, grace_s: float | None = None) -> None:
        if member.expected_end:
            return
        member.expected_end = True
        self._keep(member.instance.stop(self._timing.stop_grace_s if grace_s is None else grace_s))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _shrink(self) -> None:
        """Stop instances that have been idle too long, and look again when the next one will have been."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        if self._closed:
            return
        settings, now = self.deployment.settings, self._loop.time()
        current = [member for member in self._members if self._is_current(member)]
        idle = sorted((member for member in current if not member.load), key=lambda member: member.idle_since)
        too_many = len(current) - settings.maximum_instances
        spare = max(0, len(current) - settings.minimum_instances)
        for position, member in enumerate(idle[:spare]):
            ends_at = member.idle_since + settings.maximum_idle_time_s
            if ends_at > now and position >= too_many:
                self._sweep = self._loop.call_at(ends_at, self._shrink)
                return
            self._end(member)


def recipe_of(deployment: Deployment) -> object:
    """What instances have to be replaced for when it changes."""
    package = deployment.package
    return (
        None if package is None else package.key,
        deployment.language,
        deployment.settings.memory_allocation_mb,
        deployment.variables,
    )


def _too_late(waiter: "asyncio.Future[_Member]") -> None:
    if not waiter.done():
        waiter.set_exception(RequestTimeoutError("No instance became free in time."))
