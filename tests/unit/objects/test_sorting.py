"""Sorted windows of large columns: sorted once, mended after changes, never different from sorting anew."""

import numpy as np
import pytest

from quadrat.objects.frames import specs
from quadrat.objects.frames.sorting import Permutation, Window, sort_key, sorted_window
from quadrat.objects.frames.texts import DistinctTexts

N = 50_000


def keys(form: str, random: np.random.Generator) -> np.ndarray:
    if form == "float":
        return np.where(random.random(N) < 0.1, np.nan, random.integers(0, 500, N) / 7)
    if form == "none":
        return np.zeros(N)
    return random.integers(0 if form == "letter" else -1, 250, N).astype(
        {"letter": np.uint8, "rank": np.int16}.get(form, np.int64)
    )


@pytest.mark.parametrize("form", ["float", "integer", "rank", "letter", "none"])
@pytest.mark.parametrize("descending", [False, True])
def test_window_of_a_large_selection_is_that_of_sorting_anew(form: str, descending: bool):
    random = np.random.default_rng(3)
    key = keys(form, random)
    permutation = Permutation(key)
    for round_ in range(6):
        selected = None if round_ == 0 else random.random(N) < 0.7
        positions = np.arange(N) if selected is None else np.flatnonzero(selected)
        expected = positions[np.lexsort((positions, key[positions]))]
        expected = expected[::-1] if descending else expected
        for window in (Window(0, 200), Window(20_000, 200), Window(N - 3, 200), Window(N + 3, 200), Window(5, None)):
            end = None if window.size is None else window.start + window.size
            given = None if form == "none" else key
            found = sorted_window(
                selected, N, given, window, descending=descending, whole=lambda: permutation.order(key)
            )
            assert np.array_equal(found, expected[window.start : end])
        moved = random.choice(N, 300, replace=False)
        key[moved] = keys(form, random)[moved]
        assert permutation.soil(np.sort(moved))
    assert not permutation.soil(np.arange(N))


def test_sort_key_puts_missing_values_where_they_belong():
    taxa = sort_key(specs.TAXON, np.array([3, -1, 2], np.int32))
    assert np.argsort(taxa).tolist() == [2, 0, 1]
    states = sort_key(specs.STATE, np.frombuffer(b"VUPD", np.uint8))
    assert np.argsort(states).tolist() == [3, 2, 0, 1]
    sun = sort_key(specs.SUN_POSITION, np.frombuffer(b"U D", np.uint8))
    assert np.argsort(sun).tolist() == [2, 0, 1]
    moments = sort_key(specs.DECIDED_AT, np.array([5, specs.NO_MOMENT, 4]))
    assert np.argsort(moments).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%b%", ["ab", "b", "b.c"]),
        ("b%", ["b", "b.c"]),
        ("%b", ["ab", "b"]),
        ("b", ["b"]),
        ("", [""]),
        ("%", ["", "ab", "b", "b.c", "é"]),
        ("%%", ["", "ab", "b", "b.c", "é"]),
        ("_", ["b", "é"]),
        ("%.%", ["b.c"]),
        ("b_c", ["b.c"]),
        ("%é%", ["é"]),
        ("x", []),
    ],
)
def test_texts_are_found_by_pattern(pattern: str, expected: list[str]):
    values = ["", "ab", "b", "b.c", "é"]
    texts = DistinctTexts("\0".join(values).encode(), len(values))
    found = texts.matching(pattern)
    assert [value for value, is_found in zip(values, found, strict=False) if is_found] == expected
    assert not found[-1]


def test_no_texts_match_nothing():
    assert DistinctTexts(b"", 0).matching("%").tolist() == [False]
