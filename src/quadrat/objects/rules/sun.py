"""Where the sun stood over an object. Pure.

Source: spec of the object-set API, section 5: nautical twilight, 12 degrees below the horizon; ends of intervals
belong to both sides and the later in the order night, dawn, day, dusk wins.
"""

from datetime import UTC, date, time
from functools import lru_cache

from astral import Observer
from astral.sun import sun

NIGHT, DAWN, DAY, DUSK, UNKNOWN = "N", "A", "D", "U", "?"
_NAUTICAL_DEGREES = 12.0


def sun_position(day: date | None, at: time | None, latitude: float | None, longitude: float | None) -> str:
    """Night, dawn, day or dusk at a place; unknown where anything is missing, or where the sun does not rise or set.

    Args:
        day: The date, UTC.
        at: The time of day, UTC.
        latitude: Degrees north.
        longitude: Degrees east.
    """
    if day is None or at is None or latitude is None or longitude is None:
        return UNKNOWN
    events = _events(day, latitude, longitude)
    if events is None:
        return UNKNOWN
    dawn, sunrise, sunset, dusk = events
    found = UNKNOWN
    for letter, begin, end in (
        (NIGHT, dusk, dawn),
        (DAWN, dawn, sunrise),
        (DAY, sunrise, sunset),
        (DUSK, sunset, dusk),
    ):
        if _within(at, begin, end):
            found = letter
    return found


@lru_cache(maxsize=4096)
def _events(day: date, latitude: float, longitude: float) -> tuple[time, time, time, time] | None:
    """Dawn, sunrise, sunset and dusk as times of day; None where one of them does not happen."""
    try:
        found = sun(Observer(latitude, longitude), day, dawn_dusk_depression=_NAUTICAL_DEGREES, tzinfo=UTC)
    except ValueError:
        return None
    return found["dawn"].time(), found["sunrise"].time(), found["sunset"].time(), found["dusk"].time()


def _within(at: time, begin: time, end: time) -> bool:
    """Whether a time of day lies in an interval, which may go over midnight."""
    if begin <= end:
        return begin <= at <= end
    return at >= begin or at <= end
