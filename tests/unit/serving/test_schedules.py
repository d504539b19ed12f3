from datetime import UTC, datetime, timedelta, timezone

import pytest

from quadrat.errors import QuadratError
from quadrat.serving.rules.schedules import check_cron, check_timeout, fires_at, minute_of, seconds_to_next_minute


@pytest.mark.parametrize(
    "cron", ["* * * * *", "*/5 0-6,22 1,15 * 0", "0 0 29 2 *", "  0   12 * *  1-5 ", "59 23 31 12 6", "0-30/10 * * * *"]
)
def test_cron_with_five_fields_is_taken(cron: str):
    assert check_cron(cron) == " ".join(cron.split())


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 7",
        "* * * * 0-7",
        "a * * * *",
        "* * * JAN *",
        "* * * * MON",
        "@daily",
        "5-1 * * * *",
        "*/0 * * * *",
        "0 0 30 2 *",
        "0 0 31 2 *",
        "0 0 31 4,6,9,11 *",
        "* * L * *",
        "* * * * 1#2",
        "1," * 200 + "1 * * * *",
    ],
)
def test_cron_that_cannot_be_is_refused(cron: str):
    with pytest.raises(QuadratError) as refused:
        check_cron(cron)
    assert refused.value.field == "schedule"


def test_schedule_fires_in_utc():
    monday = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    assert fires_at("30 6 * * 1", monday)
    assert not fires_at("30 6 * * 1", monday + timedelta(minutes=1))
    assert not fires_at("30 6 * * 0", monday)
    elsewhere = monday.astimezone(timezone(timedelta(hours=5, minutes=45))) + timedelta(seconds=59.9)
    assert minute_of(elsewhere) == monday
    assert fires_at("30 6 * * 1", minute_of(elsewhere))


def test_lists_ranges_and_steps_fire_in_their_minutes():
    at = datetime(2026, 11, 1, tzinfo=UTC)
    fired = [n for n in range(60) if fires_at("5-20/5,50,*/29 0 * * *", at + timedelta(minutes=n))]
    assert fired == [0, 5, 10, 15, 20, 29, 50, 58]
    # As everywhere in cron: with both days given, either will do.
    days = [n + 1 for n in range(30) if fires_at("0 0 13 11 5", at + timedelta(days=n))]
    assert days == [6, 13, 20, 27]
    leap = check_cron("0 0 29 2 *")
    assert fires_at(leap, datetime(2028, 2, 29, tzinfo=UTC))
    assert not fires_at(leap, datetime(2027, 3, 1, tzinfo=UTC))


def test_every_minute_fires_in_every_minute_of_a_day():
    start = datetime(2026, 3, 29, tzinfo=UTC)
    assert all(fires_at("* * * * *", start + timedelta(minutes=n)) for n in range(0, 24 * 60, 7))


def test_next_minute_is_never_in_the_past():
    assert seconds_to_next_minute(datetime(2026, 1, 1, 0, 0, 59, 500_000, tzinfo=UTC)) == 0.5
    assert seconds_to_next_minute(datetime(2026, 1, 1, tzinfo=UTC)) == 60


@pytest.mark.parametrize("seconds", [9, 3601, -1])
def test_timeout_outside_of_its_range_is_refused(seconds: int):
    with pytest.raises(QuadratError):
        check_timeout(seconds)
