"""Cleaning of features against the rule read out word by word."""

import math
import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quadrat.objects.learning.cleaning import learn_cleaning

CELLS = st.sampled_from([0.0, 1.0, 1.0, 2.5, -3.0, math.nan, math.inf, -math.inf])
TABLES = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=CELLS)


def naive(table: list[list[float]]) -> tuple[list[int], list[float]]:
    """Positions of the features that are used, and what stands for their missing values."""
    kept, medians = [], []
    for position in range(len(table[0])):
        present = [row[position] for row in table if math.isfinite(row[position])]
        missing = len(table) - len(present)
        if missing / len(table) > 0.25 or len(set(present)) < 2:
            continue
        kept.append(position)
        medians.append(statistics.median(present))
    return kept, medians


@given(TABLES, TABLES)
def test_cleaning_keeps_and_fills_what_the_rule_says(learned: np.ndarray, other: np.ndarray):
    cleaning = learn_cleaning(learned)
    kept, medians = naive(learned.tolist())
    assert cleaning.kept.tolist() == kept
    assert cleaning.medians.tolist() == medians
    assert sorted([*kept, *cleaning.missing, *cleaning.constant]) == list(range(learned.shape[1]))
    for table in (learned, other) if other.shape[1] == learned.shape[1] else (learned,):
        expected = [
            [row[i] if math.isfinite(row[i]) else medians[place] for place, i in enumerate(kept)]
            for row in table.tolist()
        ]
        assert cleaning.apply(table).tolist() == expected


def test_feature_that_just_a_quarter_lacks_is_used():
    column = np.array([[1.0], [2.0], [4.0], [math.nan]])
    assert learn_cleaning(column).apply(column).ravel().tolist() == [1, 2, 4, 2]
