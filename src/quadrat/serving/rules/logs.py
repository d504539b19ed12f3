"""Ids of log lines, and the windows in which lines are looked for. Pure but for the random bytes of a process."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quadrat.errors import ErrorKind, QuadratError

ID_BYTES = 12
MAX_LINES = 500
MAX_RANGE_S = 86_400
_TIME_BYTES = 8
_MAX_NS: int = 2 ** (8 * _TIME_BYTES) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A clock that was set back by more than this is followed; a line that is a little late is put behind the one before.
_PATIENCE_NS = 1_000_000_000


class LogIds:
    """Ids of 12 bytes that sort by time: nanoseconds of the Unix epoch, then 4 bytes of this process.

    The order of ids is the order in which they were made within a process.
    """

    def __init__(self) -> None:
        self._process = secrets.token_bytes(ID_BYTES - _TIME_BYTES)
        self._last_ns = 0

    def next(self, at: datetime) -> bytes:
        """The id of a line of this moment."""
        at_ns = _to_ns(at)
        if self._last_ns - _PATIENCE_NS < at_ns <= self._last_ns:
            at_ns = self._last_ns + 1
        self._last_ns = at_ns
        return at_ns.to_bytes(_TIME_BYTES, "big") + self._process


def time_of(id_: bytes) -> datetime:
    """When the line was written, to the microsecond."""
    return _EPOCH + int.from_bytes(id_[:_TIME_BYTES], "big") // 1000 * _MICROSECOND


def first_id_at(at: datetime) -> bytes:
    """No id of this moment or later is smaller; no earlier one is as large."""
    at_ns = min(max(_to_ns(at), 0), _MAX_NS)
    return at_ns.to_bytes(_TIME_BYTES, "big") + bytes(ID_BYTES - _TIME_BYTES)


@dataclass(frozen=True, slots=True)
class Window:
    """Where to look for lines.

    Args:
        first: Smallest id, inclusive.
        last: Largest id, inclusive.
        newest_first: Whether the looking begins at `last`.
    """

    first: bytes
    last: bytes
    newest_first: bool


def window(start: datetime | bytes, range_s: int) -> Window:
    """From a moment or an id, both inclusive, so many seconds towards the future or the past.

    Raises:
        QuadratError: invalid range.
    """
    if range_s == 0 or abs(range_s) > MAX_RANGE_S:
        raise QuadratError(
            ErrorKind.INVALID,
            f"The date range is a number of seconds from -{MAX_RANGE_S} to {MAX_RANGE_S}, and not 0.",
            field="date_range",
        )
    if isinstance(start, bytes):
        moment, near = time_of(start), start
    else:
        # All lines of the starting microsecond count, in either direction.
        moment, near = start, first_id_at(start) if range_s > 0 else _before(first_id_at(start + _MICROSECOND))
    far = _add_seconds(moment, range_s)
    if range_s > 0:
        return Window(near, _before(first_id_at(far + _MICROSECOND)), newest_first=False)
    return Window(first_id_at(far), near, newest_first=True)


def _add_seconds(at: datetime, seconds: int) -> datetime:
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return _EPOCH


def _before(id_: bytes) -> bytes:
    number = int.from_bytes(id_, "big")
    return (number - 1).to_bytes(ID_BYTES, "big") if number else bytes(ID_BYTES)


def _to_ns(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1000
