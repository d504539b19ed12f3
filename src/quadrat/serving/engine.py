"""Runs requests on this machine: direct ones for those who wait, batch ones from the database."""

import asyncio
import os
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import require
from quadrat.identity.types import Access, Caller, ObjectType, Target
from quadrat.runner.base import Instance, InstanceLostError, Reply, RequestTimeoutError
from quadrat.serving.actions.access import VersionPath, no_deployment
from quadrat.serving.batch import BatchDispatcher
from quadrat.serving.budget import Budget
from quadrat.serving.direct import HUNG_UP, DirectRun, OnAnswer, Order, failed, outcome_of, to_answer
from quadrat.serving.directory import Directory
from quadrat.serving.dispatcher import BatchTiming
from quadrat.serving.files import Files, is_large
from quadrat.serving.housekeeping import Housekeeper
from quadrat.serving.journal import Journal
from quadrat.serving.launch import Launcher
from quadrat.serving.logbook import LogBook
from quadrat.serving.meter import Meter
from quadrat.serving.outcomes import Observers, Outcome, to_ns
from quadrat.serving.pool import Pool, PoolClosedError, PoolTiming, StartFailedError
from quadrat.serving.room import Room, machine_memory_mb
from quadrat.serving.rules.values import check_input, fits_at_once
from quadrat.serving.rules.versions import cut_error, is_available, refuse_unless_available
from quadrat.serving.signals import REQUESTS, VERSIONS
from quadrat.serving.store import deployments as store
from quadrat.serving.types import Answer, ClaimedRequest, Deployment, VersionId

_log = structlog.get_logger(__name__)
_RETRY_S = 1.0
_BATCH_ATTEMPTS = 3
_ALLOWED_S = 0.5


@dataclass(frozen=True, slots=True)
class EngineTiming:
    """The engine's patience.

    Args:
        batch_request_s: Longest run of one batch request.
        pool: Of the pools.
        batch: Of the batch dispatcher.
    """

    batch_request_s: float = 4 * 3600.0
    pool: PoolTiming = field(default_factory=PoolTiming)
    batch: BatchTiming = field(default_factory=BatchTiming)


class ServingEngine:
    """Owns the instances of this machine. One per web process.

    Args:
        db: The database.
        listener: Hears of changed versions and new requests; not started yet.
        launcher: Starts instances; its runner is closed by its owner.
        timing: See `EngineTiming`.
        memory_mb: What all instances together may use; most of the machine's by default.
    """

    def __init__(
        self,
        db: Database,
        listener: Listener,
        launcher: Launcher,
        *,
        timing: EngineTiming | None = None,
        memory_mb: int | None = None,
    ) -> None:
        self._db = db
        self._timing = timing or EngineTiming()
        self._launcher = launcher
        self.logbook = LogBook(db)
        self.observers = Observers()
        self.meter = Meter(db)
        self._budget = Budget(db)
        self.meter.observe(self.observers)
        self._journal = Journal(db)
        self._housekeeper = Housekeeper(db)
        self.observers.subscribe(on_request=self._journal.on_request)
        self.files = Files(db, launcher.blobs, launcher.runner)
        self.directory = Directory(db, listener)
        self._batch = BatchDispatcher(
            db, self._find_pool, self._run_batch_request, self.observers.request_ended, self._timing.batch
        )
        self._pools: dict[VersionId, Pool] = {}
        self._room = Room(memory_mb or machine_memory_mb(), self._make_room)
        self._starts = asyncio.Semaphore(max(2, os.cpu_count() or 1))
        self._changed = asyncio.Event()
        self._caretaker: asyncio.Task[None] | None = None
        # Versions whose instance is started for a request, for which the budget has been asked already.
        self._allowed: dict[VersionId, float] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._ended: list[Outcome] = []
        listener.subscribe(VERSIONS, self._on_version, on_reset=self._on_reset)
        listener.subscribe(REQUESTS, self._batch.on_requests)

    async def start(self) -> None:
        """Begin to work: what the database holds from an earlier life goes on."""
        self.logbook.start()
        self.meter.start()
        self._journal.start()
        self._housekeeper.start()
        self._changed.set()
        self._caretaker = asyncio.create_task(self._follow_changes(), name="serving-caretaker")
        self._batch.start()

    def warm_up(self) -> None:
        """Set up in the background what the first start of an instance would wait for."""
        self._keep(self._warm_up())

    async def _warm_up(self) -> None:
        try:
            await self._launcher.runner.open()
        except Exception:  # noqa: BLE001 - the first start tries again, and says what is wrong
            _log.exception("engine.warm_up_failed")

    async def stop(self) -> None:
        """Finish what runs within the grace, give unfinished batch requests back, stop every instance."""
        self._stopping = True
        for pool in self._pools.values():
            pool.refuse_waiting()
        await self._batch.stop()
        if self._caretaker is not None:
            self._caretaker.cancel()
            await asyncio.gather(self._caretaker, return_exceptions=True)
        await asyncio.gather(*(pool.close() for pool in self._pools.values()), *self._closing)
        await self._housekeeper.stop()
        await self._journal.stop()
        await self.meter.stop()
        await self.logbook.stop()

    async def open(self, caller: Caller, access: Access, path: VersionPath) -> Deployment:
        """The version that a direct request is for; from memory once it is available.

        Args:
            caller: Who asks.
            access: To the path's project.
            path: Where the version is.

        Raises:
            QuadratError: not_found; forbidden, whether or not there is such a version.
        """
        found = await self.directory.find(access.project.id, path.model, path.version)
        target = None if found is None else Target(ObjectType.MODEL, found.model_uuid)
        require(caller, access, "models.versions.requests.create", target)
        if found is None:
            async with self._db.begin() as tx:
                raise await no_deployment(tx, access.project.id, path)
        return found

    async def run(
        self, deployment: Deployment, data: bytes, timeout_s: float, *, request_id: UUID | None = None
    ) -> tuple[UUID, Answer]:
        """Run a direct request. It leaves nothing but log lines.

        Args:
            deployment: From `open`.
            data: The request data as JSON text.
            timeout_s: For everything, a cold start included.
            request_id: Chosen before by whoever asks; a new one if left out.

        Returns:
            The request's id, and what the model said or why it said nothing.

        Raises:
            QuadratError: wrong_state before the version is available; invalid when the data does not fit;
                limit_reached when an instance would have to be started and the organization's month is used up.
        """
        refuse_unless_available(deployment.status)
        check_input(deployment.input, data)
        pool = self._pools.get(deployment.version_id)
        if pool is None or not pool.instances:
            await self._budget.check(deployment.project_id)
            self._allowed[deployment.version_id] = time.monotonic() + _ALLOWED_S
        order = Order(request_id or new_uuid(), deployment, data, timeout_s, time.time_ns())
        return order.request_id, await self._fulfil(order, timeout_s)

    def begin(self, deployment: Deployment, data: bytes, timeout_s: float, on_answer: OnAnswer) -> DirectRun | None:
        """Begin a direct request that has nothing to wait for: an instance is free, and its data certainly fits.

        Args:
            deployment: From `open`.
            data: The request data as JSON text.
            timeout_s: For everything.
            on_answer: Is told the answer once and later, unless the request is given up. It must not raise.

        Returns:
            What gives it up; None when `run` has to run it, or to say why not.
        """
        pool = self._pools.get(deployment.version_id)
        if (
            pool is None
            or not is_available(deployment.status)
            or deployment.changed_at > pool.deployment.changed_at
            or deployment.input.file_fields
            or deployment.output.file_fields
            # Asked first: whoever waits for a place has large data checked only once.
            or not pool.has_place
            or not fits_at_once(deployment.input, data)
        ):
            return None
        run = DirectRun(self, Order(new_uuid(), deployment, data, timeout_s, time.time_ns()), on_answer)
        return run if run.start(pool) else None

    def ended(self, outcome: Outcome) -> None:
        """Tell of a request once those have been served who wait in this turn of the loop."""
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._tell_ended)
        self._ended.append(outcome)

    def _tell_ended(self) -> None:
        ended, self._ended = self._ended, []
        for outcome in ended:
            self.observers.request_ended(outcome)

    async def run_on(self, order: Order) -> Answer:
        """Run a direct request anew whose instance went away before it began on it."""
        left_s = order.timeout_s - (time.time_ns() - order.queued_ns) / 1e9
        return await self._fulfil(order, left_s, again=True)

    async def _fulfil(self, order: Order, left_s: float, *, again: bool = False) -> Answer:
        deployment, compute_ns, ran_ns = order.deployment, 0, None
        try:
            pool = self._pool_of(deployment)
            if deployment.input.file_fields or deployment.output.file_fields:
                reply = await self._run(pool, order.request_id, order.data, left_s)
            else:
                reply = await pool.run(order.request_id, order.data, left_s, again=again)
        except (RequestTimeoutError, InstanceLostError, StartFailedError, PoolClosedError) as error:
            answer, ran_ns = self.refusal(order, error)
        except asyncio.CancelledError:
            self.observers.request_ended(order.outcome(failed(HUNG_UP), 0))
            raise
        else:
            answer, compute_ns = to_answer(deployment, reply), reply.duration_ns
        self.observers.request_ended(order.outcome(answer, compute_ns, ran_ns))
        return answer

    def refusal(self, order: Order, error: Exception) -> tuple[Answer, int | None]:
        """The answer to a direct request that no model has answered, and how long a model was at it."""
        if isinstance(error, RequestTimeoutError):
            return self._too_slow(order.deployment, order.request_id, order.timeout_s), error.ran_ns
        if isinstance(error, PoolClosedError):
            return failed("The version was deleted or the server stopped before the request was run."), None
        return failed(str(error)), error.ran_ns if isinstance(error, InstanceLostError) else None

    async def _run(self, pool: Pool, request_id: UUID, data: bytes, timeout_s: float, *, batch: bool = False) -> Reply:
        """Run on one of the pool's instances, with the files that the data names and those that the model gives."""
        deployment = pool.deployment
        if not deployment.input.file_fields:
            reply = await pool.run(request_id, data, timeout_s, batch=batch)
        else:
            began = time.monotonic()
            async with self.files.lend(deployment, data) as lent:
                left_s = timeout_s if batch else timeout_s - (time.monotonic() - began)
                reply = await pool.run(request_id, lent, left_s, batch=batch)
        return reply if reply.files is None else await self.files.keep(deployment, reply)

    # Requests of pipelines.

    async def run_version(self, version_id: VersionId, request_id: UUID, data: bytes, timeout_s: float) -> Answer:
        """Run a direct request that a pipeline makes.

        Raises:
            QuadratError: wrong_state before the version is available; invalid when the data does not fit.
        """
        deployment = await self._find(version_id)
        return (await self.run(deployment, data, timeout_s, request_id=request_id))[1]

    async def run_durable(self, version_id: VersionId, request_id: UUID, data: bytes) -> Answer:
        """Run a request of a pipeline's batch request: its caller records the result. It waits as batch requests do.

        Raises:
            QuadratError: wrong_state before the version is available; invalid when the data does not fit.
            PoolClosedError: The version is gone, or the server stops.
        """
        deployment = await self._find(version_id)
        refuse_unless_available(deployment.status)
        check_input(deployment.input, data)
        queued_ns = time.time_ns()
        answer, compute_ns, ran_ns = await self._try_claimed(self._pool_of(deployment), request_id, data)
        facts = (request_id, deployment, True, answer, len(data))
        self.observers.request_ended(outcome_of(facts, queued_ns, compute_ns, ran_ns))
        return answer

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new is run any more."""
        return self._stopping

    async def _find(self, version_id: VersionId) -> Deployment:
        found = await self.directory.find_by_id(version_id)
        if found is None:
            raise QuadratError(ErrorKind.NOT_FOUND, "The version does not exist any more.")
        return found

    # Instances.

    def _pool_of(self, deployment: Deployment) -> Pool:
        pool = self._pools.get(deployment.version_id)
        if pool is None:
            if self._stopping:
                raise PoolClosedError
            pool = Pool(
                deployment,
                self._start_instance,
                self.logbook.say,
                self.observers.instance_changed,
                self._timing.pool,
            )
            pool.on_idle, pool.on_trouble = self._room.look_again, self._on_trouble
            self._pools[deployment.version_id] = pool
        elif deployment.changed_at > pool.deployment.changed_at:
            pool.update(deployment)
        return pool

    async def _find_pool(self, version_id: VersionId) -> Pool | None:
        deployment = await self.directory.find_by_id(version_id)
        if deployment is None or not is_available(deployment.status):
            return None
        return self._pool_of(deployment)

    async def _start_instance(self, deployment: Deployment) -> Instance:
        assert deployment.package is not None  # noqa: S101 - it is available
        log, needed_mb = self.logbook.sink(deployment), deployment.settings.memory_allocation_mb
        if time.monotonic() > self._allowed.pop(deployment.version_id, 0.0):
            await self._budget.check(deployment.project_id)
        await self._room.take(needed_mb, lambda: self._has_waiting(deployment.version_id))
        try:
            async with self._starts:
                prepared = await self._launcher.prepare(deployment.package, deployment.language, log)
                instance = await self._launcher.start(deployment, prepared, log)
        except BaseException:
            self._room.give_back(needed_mb)
            raise
        self._keep(self._give_back(instance, needed_mb))
        return instance

    async def _give_back(self, instance: Instance, taken_mb: int) -> None:
        await instance.wait_closed()
        self._room.give_back(taken_mb)

    def _has_waiting(self, version_id: VersionId) -> bool:
        pool = self._pools.get(version_id)
        return pool is not None and pool.has_waiting

    def _make_room(self) -> None:
        """End the instance that has been idle longest, those above the minimum of their versions first."""
        for spare in (True, False):
            idle = [(pool.longest_idle(spare=spare), number, pool) for number, pool in enumerate(self._pools.values())]
            known = [(since, number, pool) for since, number, pool in idle if since is not None]
            if known:
                min(known)[2].yield_one(spare=spare)
                return

    def _on_trouble(self, deployment: Deployment, reason: str) -> None:
        self._keep(self._show_trouble(deployment, reason))

    async def _show_trouble(self, deployment: Deployment, reason: str) -> None:
        with suppress(QuadratError):
            async with self._db.begin() as tx:
                await store.set_trouble(tx, deployment.version_id, cut_error(reason))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # Batch requests.

    async def _run_batch_request(self, pool: Pool, item: ClaimedRequest) -> Outcome:
        async with self.files.brought(item.data_payload_id or item.data or b"") as data:
            return await self._run_claimed(pool, item, data)

    async def _run_claimed(self, pool: Pool, item: ClaimedRequest, data: bytes) -> Outcome:
        deployment = pool.deployment
        answer, compute_ns, ran_ns = await self._try_claimed(pool, item.id, data)
        facts = (item.id, deployment, True, answer, len(data))
        outcome = outcome_of(facts, to_ns(item.created_at), compute_ns, ran_ns)
        if answer.result is None or not is_large(answer.result):
            return outcome
        return outcome._replace(result_payload_id=await self.files.add_payload(answer.result))

    async def _try_claimed(self, pool: Pool, request_id: UUID, data: bytes) -> tuple[Answer, int, int | None]:
        """The answer, the time inside of a model that has answered, and how long one was at it that has not."""
        deployment, timeout_s = pool.deployment, self._timing.batch_request_s
        message, ran_ns = "", None
        for _ in range(_BATCH_ATTEMPTS):
            try:
                reply = await self._run(pool, request_id, data, timeout_s, batch=True)
            except RequestTimeoutError as error:
                return self._too_slow(deployment, request_id, timeout_s), 0, error.ran_ns
            except QuadratError as error:  # a blob is gone
                if error.kind is ErrorKind.UNAVAILABLE:  # the database or the store is away
                    raise
                return failed(error.message), 0, None
            except (InstanceLostError, StartFailedError) as error:
                message, ran_ns = str(error), error.ran_ns if isinstance(error, InstanceLostError) else None
                self.logbook.say(deployment, f"The request did not end: {message}", request_id=request_id)
            else:
                return to_answer(deployment, reply), reply.duration_ns, None
        return failed(message), 0, ran_ns

    def _too_slow(self, deployment: Deployment, request_id: UUID, timeout_s: float) -> Answer:
        pool = self._pools.get(deployment.version_id)
        trouble = f" {pool.trouble}" if pool is not None and pool.trouble else ""
        message = f"The request took longer than {timeout_s:g} seconds.{trouble}"
        self.logbook.say(deployment, message, request_id=request_id)
        return failed(message)

    # Changes.

    def _on_version(self, payload: str) -> None:
        self._changed.set()
        if payload:
            self._batch.on_version(VersionId(int(payload)))

    def _on_reset(self) -> None:
        self._changed.set()
        self._batch.on_reset()

    async def _follow_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._refresh_pools()
            except Exception:  # noqa: BLE001 - pools must go on following the database whatever it was
                _log.exception("engine.refresh_failed")
                self._changed.set()
                await asyncio.sleep(_RETRY_S)

    async def _refresh_pools(self) -> None:
        known = list(self._pools)
        async with self._db.begin() as tx:
            found = {item.version_id: item for item in await store.list_deployments(tx, known)}
            always_running = await store.list_always_running(tx)
        for version_id in known:
            deployment = found.get(version_id)
            if deployment is None or not is_available(deployment.status):
                self._close(self._pools.pop(version_id))
            else:
                self._pools[version_id].update(deployment)
        for deployment in always_running:
            self._pool_of(deployment).update(deployment)

    def _close(self, pool: Pool) -> None:
        self._keep(pool.close())
