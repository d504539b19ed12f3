"""What others may want to know of the engine's work: requests that have ended, instances that came and went.

Metrics, the request log, pipelines and connectors subscribe here instead of being called by name.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import structlog

from quadrat.serving.types import Answer, Deployment, RequestState

_log = structlog.get_logger(__name__)


class Outcome(NamedTuple):
    """A request that has ended. A tuple, since one is made per direct request.

    Args:
        request_id: Of the request.
        deployment: The version as it was when the request was accepted (direct) or run (batch).
        batch: True when the request was durable; then its result is in the database already.
        answer: What was answered.
        input_bytes: Length of the request data.
        queued_ns: When it was accepted, nanoseconds of the Unix epoch.
        started_ns: When the model began on it; None when it never did, or nobody can tell.
        finished_ns: When its answer was there.
        compute_ns: Time inside the model; 0 when the model did not answer.
        result_payload_id: Where the result of a batch request lies when it is too large for its row.
    """

    request_id: UUID
    deployment: Deployment
    batch: bool
    answer: Answer
    input_bytes: int
    queued_ns: int
    started_ns: int | None
    finished_ns: int
    compute_ns: int
    result_payload_id: UUID | None = None

    @property
    def state(self) -> RequestState:
        """Completed or failed."""
        return RequestState.COMPLETED if self.answer.success else RequestState.FAILED

    @property
    def output_bytes(self) -> int:
        """Length of the result; 0 without one."""
        return 0 if self.answer.result is None else len(self.answer.result)

    @property
    def queued_at(self) -> datetime:
        """When it was accepted."""
        return _to_time(self.queued_ns)

    @property
    def started_at(self) -> datetime | None:
        """When the model began on it, if it did."""
        return None if self.started_ns is None else _to_time(self.started_ns)

    @property
    def finished_at(self) -> datetime:
        """When its answer was there."""
        return _to_time(self.finished_ns)


class InstanceChange(NamedTuple):
    """An instance that has become ready, or has ended.

    Args:
        deployment: The version it was started for.
        instance_id: Unique on this machine, and over its restarts.
        running: False when it has ended.
        at_ns: When, nanoseconds of the Unix epoch.
    """

    deployment: Deployment
    instance_id: str
    running: bool
    at_ns: int

    @property
    def at(self) -> datetime:
        """When."""
        return _to_time(self.at_ns)


OnRequest = Callable[[Outcome], None]
OnInstance = Callable[[InstanceChange], None]


class Observers:
    """Those who are told. They are called in the event loop and must not block; what they raise is only logged."""

    def __init__(self) -> None:
        self._on_request: list[OnRequest] = []
        self._on_instance: list[OnInstance] = []

    def subscribe(self, *, on_request: OnRequest | None = None, on_instance: OnInstance | None = None) -> None:
        """Hear of every request that ends in this process, and of its instances; call before the engine starts.

        A direct request is told of once. So is a batch request, by the process whose result was recorded; when that
        process is killed between the recording and the telling, nobody is told.
        """
        if on_request is not None:
            self._on_request.append(on_request)
        if on_instance is not None:
            self._on_instance.append(on_instance)

    def request_ended(self, outcome: Outcome) -> None:
        """Tell of a request."""
        for call in self._on_request:
            try:
                call(outcome)
            except Exception:  # noqa: BLE001 - an observer's fault must not fail the request
                _log.exception("outcome.observer_failed")

    def instance_changed(self, change: InstanceChange) -> None:
        """Tell of an instance."""
        for call in self._on_instance:
            try:
                call(change)
            except Exception:  # noqa: BLE001 - an observer's fault must not disturb the pool
                _log.exception("outcome.observer_failed")


def to_ns(at: datetime) -> int:
    """A time as nanoseconds of the Unix epoch, exact to the microsecond."""
    seconds = at - _EPOCH
    return ((seconds.days * 86_400 + seconds.seconds) * 1_000_000 + seconds.microseconds) * 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _to_time(epoch_ns: int) -> datetime:
    return datetime.fromtimestamp(epoch_ns // 1000 / 1_000_000, UTC)
