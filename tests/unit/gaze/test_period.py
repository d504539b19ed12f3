import numpy as np
import pytest

from quadrat.gaze.rules.statistics import median_period_ns


@pytest.mark.parametrize("count", [0, 1])
def test_period_of_nothing_is_zero(count: int):
    assert median_period_ns(np.zeros(count, np.int64)) == 0


@pytest.mark.parametrize("count", [2, 3, 4, 1000, (1 << 20) + 1, (1 << 20) + 2, 3 << 20])
def test_period_is_the_median_of_all_gaps(count: int):
    gaps = np.random.default_rng(count).integers(0, 10_000_000, count)
    times = 1_760_676_788_219_000_000 + np.cumsum(gaps)
    assert median_period_ns(times) == int(np.median(np.diff(times)))


def test_period_may_be_longer_than_two_seconds():
    assert median_period_ns(np.arange(9, dtype=np.int64) * 5_000_000_000) == 5_000_000_000
