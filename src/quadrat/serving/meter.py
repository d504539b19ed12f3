"""Counts in memory what happens, and adds it to the database in blocks: no request waits for it."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import structlog

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.identity.types import ProjectId
from quadrat.serving.outcomes import InstanceChange, Observers, Outcome
from quadrat.serving.rules.metrics import Grain, Metric, floor, minutes_of
from quadrat.serving.store import metrics as store
from quadrat.serving.types import Deployment, VersionId

_log = structlog.get_logger(__name__)
_GATHER_S = 1.0
_RETRY_S = 2.0
_MAX_KEYS = 200_000
_GB_MB = 1024
_MINUTE_NS = 60 * 10**9


class _Page(NamedTuple):
    """The sums of one version in one minute, each with how often was added to it."""

    minute_number: int
    requests: list[float]
    input_bytes: list[float]
    outputs: list[float]
    output_bytes: list[float]
    compute_s: list[float]


class Meter:
    """Takes counts without waiting and writes them at the latest after a second.

    Args:
        db: Where to.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._counts: dict[store.Key, list[float]] = {}
        self._pages: dict[VersionId, _Page] = {}
        self._minute = (0, datetime.min.replace(tzinfo=UTC))
        self._running: dict[VersionId, _Running] = {}
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def count(
        self, project_id: ProjectId, metric: Metric, object_id: UUID, amount: float = 1.0, at: datetime | None = None
    ) -> None:
        """Add to a metric of an object: one more happening of this amount.

        Args:
            project_id: Where the object is.
            metric: Which; it names the object's type too.
            object_id: UUID of the version, pipeline or connector.
            amount: Requests, bytes or seconds.
            at: When; now if left out.
        """
        self._add(self._minute_of(at or now()), project_id, metric, object_id, amount)

    def observe(self, observers: Observers) -> None:
        """Count the requests and the instances of an engine from now on."""
        observers.subscribe(on_request=self._on_request, on_instance=self._on_instance)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_often(), name="serving-meter")

    async def stop(self) -> None:
        """Write what is left; what the database does not take now is lost."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        try:
            await self.flush()
        except QuadratError:
            _log.warning("meter.lost", counts=len(self._counts))

    async def flush(self) -> None:
        """Write what was counted until now."""
        self._measure_running(now())
        self._pages.clear()
        counts = {key: sums for key, sums in self._counts.items() if sums[1]}
        self._counts = {}
        if not counts:
            return
        try:
            async with self._db.begin() as tx:
                await store.add(tx, [(key, total, round(times)) for key, (total, times) in counts.items()])
        except BaseException:
            # Whoever counts meanwhile must not lose what was counted before.
            for key, (total, times) in counts.items() if len(self._counts) < _MAX_KEYS else ():
                self._add_key(key, total, times)
            raise

    def _minute_of(self, at: datetime) -> datetime:
        number = int(at.timestamp()) // 60
        if number != self._minute[0]:
            self._minute = (number, floor(at, Grain.MINUTE))
        return self._minute[1]

    def _add(self, minute: datetime, project_id: ProjectId, metric: Metric, object_id: UUID, amount: float) -> None:
        self._add_key((project_id, metric, object_id, minute), amount, 1)

    def _add_key(self, key: store.Key, amount: float, times: float) -> None:
        found = self._counts.get(key)
        if found is None:
            self._counts[key] = [amount, times]
        else:
            found[0] += amount
            found[1] += times

    def _on_request(self, outcome: Outcome) -> None:
        _, deployment, _, answer, input_bytes, _, _, finished_ns, compute_ns, _ = outcome
        minute_number = finished_ns // _MINUTE_NS
        page = self._pages.get(deployment.version_id)
        if page is None or page[0] != minute_number:
            # Which sums to add to is looked up once per version and minute, not per request.
            page = self._pages[deployment.version_id] = self._open_page(deployment, minute_number, outcome.finished_at)
        # Written out, since this is done for every request.
        _, requests, inputs, outputs, output_bytes, compute_s = page
        requests[0] += 1.0
        requests[1] += 1.0
        inputs[0] += input_bytes
        inputs[1] += 1.0
        if answer.success:
            outputs[0] += 1.0
            outputs[1] += 1.0
            output_bytes[0] += outcome.output_bytes
            output_bytes[1] += 1.0
        if compute_ns:
            compute_s[0] += compute_ns / 1e9
            compute_s[1] += 1.0

    def _open_page(self, deployment: Deployment, minute_number: int, at: datetime) -> "_Page":
        minute = self._minute_of(at)

        def sums(metric: Metric) -> list[float]:
            key = (deployment.project_id, metric, deployment.version_uuid, minute)
            return self._counts.setdefault(key, [0.0, 0.0])

        return _Page(
            minute_number,
            sums(Metric.VERSION_REQUESTS),
            sums(Metric.VERSION_INPUT_BYTES),
            sums(Metric.VERSION_OUTPUTS),
            sums(Metric.VERSION_OUTPUT_BYTES),
            sums(Metric.VERSION_COMPUTE_S),
        )

    def _on_instance(self, change: InstanceChange) -> None:
        version_id = change.deployment.version_id
        at = change.at
        running = self._running.get(version_id)
        if running is None:
            running = self._running[version_id] = _Running(at)
        self._measure(running, at)
        if change.running:
            running.instances[change.instance_id] = change.deployment
        else:
            running.instances.pop(change.instance_id, None)
        if not running.instances:
            del self._running[version_id]

    def _measure_running(self, until: datetime) -> None:
        for running in self._running.values():
            self._measure(running, until)

    def _measure(self, running: "_Running", until: datetime) -> None:
        """Add the time since the last look."""
        if not running.instances or until <= running.measured_until:
            return
        deployments = list(running.instances.values())
        project_id, object_id = deployments[0].project_id, deployments[0].version_uuid
        gigabytes = sum(deployment.settings.memory_allocation_mb for deployment in deployments) / _GB_MB
        for at, seconds in minutes_of(running.measured_until, until):
            minute = self._minute_of(at)
            self._add(minute, project_id, Metric.VERSION_INSTANCE_S, object_id, seconds * len(deployments))
            self._add(minute, project_id, Metric.VERSION_GB_S, object_id, seconds * gigabytes)
            self._add(minute, project_id, Metric.VERSION_ACTIVE_S, object_id, seconds)
        running.measured_until = until

    async def _write_often(self) -> None:
        while not self._stopping.is_set():
            await self._pause(_GATHER_S)
            try:
                await self.flush()
            except QuadratError:
                await self._pause(_RETRY_S)
            except Exception:  # noqa: BLE001 - counting must go on whatever it was
                _log.exception("meter.write_failed")
                await self._pause(_RETRY_S)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


class _Running:
    """The instances of one version in this process, and until when their time has been counted."""

    __slots__ = ("instances", "measured_until")

    def __init__(self, since: datetime) -> None:
        self.instances: dict[str, Deployment] = {}
        self.measured_until = since
