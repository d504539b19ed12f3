from datetime import date, time

import pytest

from quadrat.objects.rules.sun import sun_position

NICE = (43.685, 7.315)


@pytest.mark.parametrize(
    ("at", "letter"),
    [(time(0), "N"), (time(4, 0), "A"), (time(12), "D"), (time(18, 30), "U"), (time(21), "N")],
)
def test_sun_position_over_nice_in_april(at: time, letter: str):
    assert sun_position(date(2014, 4, 20), at, *NICE) == letter


def test_sun_position_wraps_at_midnight_where_the_day_does():
    # At 180 degrees east the sun stands highest at midnight UTC.
    assert sun_position(date(2014, 4, 20), time(0), 0.0, 180.0) == "D"
    assert sun_position(date(2014, 4, 20), time(12), 0.0, 180.0) == "N"


def test_sun_position_is_unknown_without_sunset_or_without_a_place():
    assert sun_position(date(2014, 6, 20), time(12), 80.0, 7.0) == "?"
    assert sun_position(None, time(12), *NICE) == "?"
    assert sun_position(date(2014, 6, 20), None, *NICE) == "?"
    assert sun_position(date(2014, 6, 20), time(12), None, 7.0) == "?"
