"""When schedules fire. Pure.

Source: spec of the serving API, section 3.15.
"""

import re
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from quadrat.errors import ErrorKind, QuadratError

TIMEOUTS_S = range(10, 3600 + 1)
_FIELD = re.compile(r"[0-9*,/-]+")
_MAX_LENGTH = 256
_MINUTE = timedelta(minutes=1)


def check_cron(text: str) -> str:
    """A schedule of five fields, cleaned of spare blanks.

    Raises:
        QuadratError: invalid, saying what is wrong.
    """
    fields = text.split() if len(text) <= _MAX_LENGTH else []
    if len(fields) != 5 or not all(map(_FIELD.fullmatch, fields)):
        raise _bad(
            "A schedule has five fields: minute, hour, day of month, month, day of week; numbers, * , - and / only."
        )
    if any(int(number) > 6 for number in re.findall(r"\d+", re.sub(r"/\d+", "", fields[4]))):
        raise _bad("Days of the week go from 0 for Sunday to 6.")
    cleaned = " ".join(fields)
    try:
        next(CronSim(cleaned, datetime(2024, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise _bad(f"The schedule {cleaned} never fires: look at its ranges.") from error
    return cleaned


def check_timeout(seconds: int) -> int:
    """The limit of a direct request.

    Raises:
        QuadratError: invalid.
    """
    if seconds not in TIMEOUTS_S:
        raise QuadratError(
            ErrorKind.INVALID,
            f"The timeout must be from {TIMEOUTS_S.start} to {TIMEOUTS_S.stop - 1} seconds.",
            field="timeout",
        )
    return seconds


def minute_of(at: datetime) -> datetime:
    """The minute in which a moment is, in UTC."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def fires_at(cron: str, minute: datetime) -> bool:
    """Whether a schedule fires in this minute."""
    return next(CronSim(cron, minute - _MINUTE)) == minute


def seconds_to_next_minute(at: datetime) -> float:
    """How long until the next minute begins."""
    return (minute_of(at) + _MINUTE - at).total_seconds()


def _bad(message: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field="schedule")
