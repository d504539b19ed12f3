from datetime import UTC, datetime, timedelta

import pytest

from quadrat.errors import QuadratError
from quadrat.serving.rules.logs import ID_BYTES, LogIds, first_id_at, time_of, window

NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def test_ids_sort_by_time_and_tell_it() -> None:
    ids = LogIds()
    made = [(at, ids.next(at)) for at in (NOW, NOW + TICK, NOW + timedelta(days=9000))]
    assert [id_ for _, id_ in made] == sorted(id_ for _, id_ in made)
    assert [time_of(id_) for _, id_ in made] == [at for at, _ in made]
    assert {len(id_) for _, id_ in made} == {ID_BYTES}


def test_ids_of_one_moment_and_of_late_lines_keep_the_order_in_which_they_came() -> None:
    ids = LogIds()
    made = [ids.next(NOW - timedelta(milliseconds=number % 3)) for number in range(2000)]
    assert made == sorted(set(made))
    assert time_of(made[-1]) - NOW < timedelta(milliseconds=1)


def test_ids_follow_a_clock_that_was_set_back() -> None:
    ids = LogIds()
    ids.next(NOW + timedelta(days=1))
    assert time_of(ids.next(NOW)) == NOW


def test_ids_of_two_processes_differ() -> None:
    assert LogIds().next(NOW) != LogIds().next(NOW)


@pytest.mark.parametrize("range_s", [1, 86_400, -1, -86_400])
def test_window_holds_both_ends_and_nothing_beyond(range_s: int) -> None:
    found = window(NOW, range_s)
    far = NOW + timedelta(seconds=range_s)
    low, high = min(NOW, far), max(NOW, far)
    ids = LogIds()
    inside = [ids.next(low), ids.next(high)]
    outside = [LogIds().next(low - TICK), LogIds().next(high + TICK)]
    assert all(found.first <= id_ <= found.last for id_ in inside)
    assert not any(found.first <= id_ <= found.last for id_ in outside)
    assert found.newest_first == (range_s < 0)


def test_window_from_an_id_begins_with_its_line() -> None:
    ids = LogIds()
    before, start, after = (ids.next(NOW) for _ in range(3))
    ahead, back = window(start, 10), window(start, -10)
    assert before < ahead.first
    assert ahead.first == start
    assert after <= ahead.last
    assert after > back.last
    assert back.last == start
    assert before >= back.first


@pytest.mark.parametrize("range_s", [0, 86_401, -86_401])
def test_window_of_another_length_is_refused(range_s: int) -> None:
    with pytest.raises(QuadratError):
        window(NOW, range_s)


def test_window_at_the_ends_of_the_calendar_is_empty_or_whole() -> None:
    assert first_id_at(datetime(1, 1, 1, tzinfo=UTC)) == bytes(ID_BYTES)
    assert window(datetime(1, 1, 1, tzinfo=UTC), -5).last < LogIds().next(NOW)
    assert window(datetime(9999, 12, 31, tzinfo=UTC), 86_400).first > LogIds().next(NOW)
    assert window(bytes(ID_BYTES), -5).first == bytes(ID_BYTES)
    assert window(b"\xff" * ID_BYTES, 5).first == b"\xff" * ID_BYTES
