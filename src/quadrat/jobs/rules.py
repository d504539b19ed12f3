"""Which state of a job may follow which, and when a failed run is tried again. Pure."""

from datetime import UTC, datetime

from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs.types import JobState

_NEXT = {
    # RUNNING may follow RUNNING: the run before it was lost with its process.
    JobState.PENDING: {JobState.RUNNING, JobState.CANCELLED},
    JobState.RUNNING: {
        JobState.RUNNING,
        JobState.PENDING,
        JobState.ASKING,
        JobState.FAILED,
        JobState.FINISHED,
        JobState.CANCELLED,
    },
    JobState.ASKING: {JobState.PENDING, JobState.CANCELLED},
    JobState.FAILED: {JobState.PENDING},
    JobState.FINISHED: set(),
    JobState.CANCELLED: set(),
}
ENDED = frozenset({JobState.FAILED, JobState.FINISHED, JobState.CANCELLED})
WAITS = "Waiting for a slot"
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 300.0


def may_follow(before: JobState, after: JobState) -> bool:
    """Whether a job in one state may go to the other."""
    return after in _NEXT[before]


def require_state(state: JobState, *allowed: JobState, to: str) -> None:
    """Refuse what cannot be done now.

    Raises:
        QuadratError: wrong_state.
    """
    if state not in allowed:
        raise QuadratError(ErrorKind.WRONG_STATE, f"This job is {state}; it cannot be {to} now.")


def waits(until: datetime | None) -> str:
    """What a job says before it runs: that it waits for a worker, or for its time to come."""
    return WAITS if until is None else f"Waits until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def whole_percent(percent: float) -> int:
    """Progress as it is shown: whole, within 0 to 100."""
    return round(min(100.0, max(0.0, percent)))


def wait_before_retry_s(attempt: int) -> float:
    """Seconds to wait after the given attempt failed: 2, 4, 8, ... at most 300."""
    return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * float(2 ** (attempt - 1)))


def is_worth_retrying(error: Exception) -> bool:
    """A refusal stays a refusal; what was unavailable may come back, and so may anything unforeseen."""
    return not isinstance(error, QuadratError) or error.kind is ErrorKind.UNAVAILABLE
