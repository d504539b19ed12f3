"""Suggestions of what to review, against choosing one after the other by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.objects.rules.suggesting import choose, uncertainty


@given(
    st.lists(st.tuples(st.integers(1, 64), st.integers(0, 8)), min_size=1, max_size=12, unique_by=lambda pair: pair[0]),
    st.integers(1, 14),
)
def test_choice_is_that_of_choosing_by_hand(objects: list[tuple[int, int]], n: int):
    unsure, places = [pair[0] / 64 for pair in objects], [float(pair[1] ** 2) for pair in objects]
    chosen = choose(np.array(unsure), np.array(places)[:, None], n).tolist()
    assert len(set(chosen)) == len(chosen) == min(n, len(objects))
    assert unsure[chosen[0]] == max(unsure)
    for step in range(1, len(chosen)):
        rest = set(range(len(objects))) - set(chosen[:step])
        # Where two are as good, as far as numbers can tell, either will do.
        most = max(value(unsure, places, chosen[:step], i) for i in rest)
        assert value(unsure, places, chosen[:step], chosen[step]) == pytest.approx(most)


def value(unsure: list[float], places: list[float], before: list[int], i: int) -> float:
    """How unsure, times how far from the nearest of those before, in deviations."""
    deviation = float(np.std(places)) or 1.0
    return (unsure[i] + 1e-9) * (min(abs(places[i] - places[j]) for j in before) / deviation + 1e-9)


def test_without_features_the_most_unsure_come_first():
    assert choose(np.array([0.1, 0.9, 0.5]), np.empty((3, 0)), 2).tolist() == [1, 2]


def test_missing_and_constant_features_do_not_count():
    features = np.array([[np.nan, 7.0, 0.0], [np.nan, 7.0, 0.1], [np.nan, 7.0, 5.0]])
    assert choose(np.array([0.5, 0.5, 0.4]), features, 2).tolist() == [0, 2]


def test_uncertainty_is_one_for_a_tie_and_none_for_certainty():
    assert uncertainty(np.array([0.5, 1.0, 0.6]), np.array([0.5, 0.0, 0.2])).tolist() == pytest.approx([1.0, 0.0, 0.6])
