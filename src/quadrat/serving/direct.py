"""A direct request from its arrival to its answer, where nothing on the way has to be waited for."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol
from uuid import UUID

import structlog

from quadrat.runner.base import End, InstanceLostError, RecalledError, Reply
from quadrat.serving.outcomes import Outcome
from quadrat.serving.pool import Flight, Pool
from quadrat.serving.rules.values import fit_result
from quadrat.serving.types import Answer, Deployment

_log = structlog.get_logger(__name__)
HUNG_UP = "The request was given up by its caller before it was answered."
OnAnswer = Callable[[UUID, Answer], None]


class Order(NamedTuple):
    """A direct request.

    Args:
        request_id: Its id.
        deployment: The version.
        data: Checked data as JSON text.
        timeout_s: For everything.
        queued_ns: When it came, nanoseconds of the Unix epoch.
    """

    request_id: UUID
    deployment: Deployment
    data: bytes
    timeout_s: float
    queued_ns: int

    def outcome(self, answer: Answer, compute_ns: int, ran_ns: int | None = None) -> Outcome:
        """What has come of it; see `outcome_of`."""
        return outcome_of(
            (self.request_id, self.deployment, False, answer, len(self.data)), self.queued_ns, compute_ns, ran_ns
        )


class Engine(Protocol):
    """What a run needs of the engine."""

    def ended(self, outcome: Outcome) -> None:
        """Tell of a request that has ended, soon."""
        ...

    def refusal(self, order: Order, error: Exception) -> tuple[Answer, int | None]:
        """The answer when no model has answered, and how long a model was at it."""
        ...

    async def run_on(self, order: Order) -> Answer:
        """Run it anew, and tell of it."""
        ...


class DirectRun:
    """A direct request that an instance works on. No coroutine waits for it: that would cost more than all else.

    Args:
        engine: Whose request it is.
        order: The request.
        on_answer: Is told the answer.
    """

    __slots__ = ("_anew", "_engine", "_flight", "_on_answer", "_order")

    def __init__(self, engine: Engine, order: Order, on_answer: OnAnswer) -> None:
        self._engine = engine
        self._order = order
        self._on_answer: OnAnswer | None = on_answer
        self._flight: Flight | None = None
        self._anew: asyncio.Task[None] | None = None

    def start(self, pool: Pool) -> bool:
        """Hand it to an instance, if one has a place."""
        order = self._order
        self._flight = pool.begin(order.request_id, order.data, order.timeout_s, self._on_end)
        return self._flight is not None

    @property
    def age_s(self) -> float:
        """Seconds since it came."""
        return (time.time_ns() - self._order.queued_ns) / 1e9

    def give_up(self) -> bool:
        """Its caller has left; False when it has been answered already."""
        if self._on_answer is None:
            return False
        self._on_answer = None
        if self._anew is not None:
            self._anew.cancel()
        elif self._flight is not None:
            self._flight.give_up()
            self._engine.ended(self._order.outcome(failed(HUNG_UP), 0))
        return True

    def _on_end(self, end: End) -> None:
        if isinstance(end, Reply):
            self._answer(to_answer(self._order.deployment, end), end.duration_ns, None)
        elif isinstance(end, RecalledError) or (isinstance(end, InstanceLostError) and not end.began):
            self._anew = asyncio.get_running_loop().create_task(self._run_anew())
        else:
            answer, ran_ns = self._engine.refusal(self._order, end)
            self._answer(answer, 0, ran_ns)

    def _answer(self, answer: Answer, compute_ns: int, ran_ns: int | None) -> None:
        # First to the one who waits.
        self._tell(answer)
        self._engine.ended(self._order.outcome(answer, compute_ns, ran_ns))

    async def _run_anew(self) -> None:
        try:
            answer = await self._engine.run_on(self._order)
        except Exception:  # noqa: BLE001 - the one who waits must hear of it whatever it was
            _log.exception("request.failed", request_id=str(self._order.request_id))
            answer = failed("The request could not be run because of an error of the server.")
        self._tell(answer)

    def _tell(self, answer: Answer) -> None:
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            on_answer(self._order.request_id, answer)


def outcome_of(
    facts: tuple[UUID, Deployment, bool, Answer, int], queued_ns: int, compute_ns: int, ran_ns: int | None = None
) -> Outcome:
    """What has come of a request that ends now.

    Args:
        facts: The first members of `Outcome`.
        queued_ns: When it was accepted.
        compute_ns: Time inside of the model that has answered.
        ran_ns: How long a model was at it that has not answered.
    """
    now_ns = time.time_ns()
    # The model's clock runs only while it works, so its start follows from its end.
    worked_ns = compute_ns or ran_ns
    started_ns = max(queued_ns, now_ns - worked_ns) if worked_ns else None
    return Outcome(*facts, queued_ns, started_ns, now_ns, compute_ns)


def failed(message: str) -> Answer:
    """The answer to a request that did not succeed."""
    return Answer(success=False, result=None, error_message=message.replace("\0", "") or "The request failed.")


def to_answer(deployment: Deployment, reply: Reply) -> Answer:
    """What the model said, if it is what the model declares."""
    if not reply.success:
        return failed(reply.error_message or "")
    result, problem = fit_result(deployment.output, reply.result)
    return failed(problem) if problem is not None else Answer(success=True, result=result, error_message=None)
