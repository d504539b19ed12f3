"""Sorted windows over columns in memory. No I/O.

Small selections are sorted as they are. For large ones the whole column is sorted once, and the selection picked from
that; few changes move only what changed.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quadrat.objects.frames.specs import NO_ID, NO_LETTER, STATE, UNCLASSIFIED, Array, Column, Form, Mask, Positions

_SORT_AS_IS = 20_000
_SOILED_PART = 10
_LOOKED_AT_FIRST = 2_048
_LOOKED_AT = 65_536


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a sorted list: how many to leave out, how many to give at most (None for all)."""

    start: int = 0
    size: int | None = None


def sort_key(column: Column, values: Array) -> Array:
    """Values that sort like those of the column, missing ones at their place (first for moments, else last)."""
    match column.form:
        case Form.ID | Form.RANK:
            largest = np.iinfo(values.dtype).max
            return np.where(values == NO_ID, largest, values)
        case Form.LETTER:
            missing = UNCLASSIFIED if column == STATE else NO_LETTER
            return np.where(values == missing, 255, values).astype(np.uint8)
        case _:
            return values


class Permutation:
    """Positions of all objects in the order of a column, ties by position."""

    def __init__(self, key: Array) -> None:
        self._order: npt.NDArray[np.int32] = np.argsort(key, kind="stable").astype(np.int32)
        self._soiled: list[Positions] = []
        self._mending = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Memory."""
        return self._order.nbytes

    @property
    def is_clean(self) -> bool:
        """Whether no value has changed since."""
        return not self._soiled

    def soil(self, positions: Positions) -> bool:
        """Some values have changed; whether mending is cheaper than sorting anew."""
        self._soiled.append(positions)
        return sum(map(len, self._soiled)) * _SOILED_PART <= len(self._order)

    def order(self, key: Array) -> npt.NDArray[np.int32]:
        """The positions in order, mended."""
        with self._mending:
            if self._soiled:
                moved = np.unique(np.concatenate(self._soiled)).astype(np.int32)
                self._order = _mended(self._order, key, moved)
                self._soiled = []
            return self._order


def _mended(order: npt.NDArray[np.int32], key: Array, moved: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    is_moved = np.zeros(len(order), bool)
    is_moved[moved] = True
    rest = order[~is_moved[order]]
    moved = moved[np.argsort(key[moved], kind="stable")]
    wanted = key[moved]
    low, high = np.zeros(len(moved), np.intp), np.full(len(moved), len(rest), np.intp)
    # Bisection of all at once: after what is less, or as much and further in front.
    while True:
        open_ = low < high
        if not open_.any():
            break
        middle = (low + high) // 2
        there = rest[np.minimum(middle, len(rest) - 1)]
        values = key[there]
        before = _less(values, wanted) | (same(values, wanted) & (there < moved))
        low = np.where(open_ & before, middle + 1, low)
        high = np.where(open_ & ~before, middle, high)
    return np.insert(rest, low, moved)


def _less(left: Array, right: Array) -> Mask:
    less: Mask = left < right
    return less | (~np.isnan(left) & np.isnan(right)) if left.dtype.kind == "f" else less


def same(left: Array, right: Array) -> Mask:
    """Where values are the same; a missing number is the same as another."""
    same: Mask = left == right
    return same | (np.isnan(left) & np.isnan(right)) if left.dtype.kind == "f" else same


def sorted_window(
    selected: Mask | None,
    n: int,
    key: Array | None,
    window: Window,
    *,
    descending: bool,
    whole: Callable[[], Positions],
) -> Positions:
    """Positions of a window.

    Args:
        selected: Which objects; None for all.
        n: How many objects there are.
        key: What to sort by; None for the number of the object.
        window: Which part.
        descending: The other way round, ties too.
        whole: Gives the order of all objects by the key.
    """
    found = n if selected is None else int(np.count_nonzero(selected))
    end = found if window.size is None else min(found, window.start + window.size)
    # The window as it lies in rising order.
    first, last = (max(0, found - end), max(0, found - window.start)) if descending else (window.start, end)
    if key is not None and found > _SORT_AS_IS and key.dtype.itemsize > 2:
        order = whole()
        part = order[first:last] if selected is None else _picked(order, selected, found, (first, last))
    elif key is None:
        part = np.arange(first, max(first, last)) if selected is None else _selected(selected, found, (first, last))
    elif found > _SORT_AS_IS and key.dtype.kind in "iu":
        part = _counted(key, selected, (first, last))
    else:
        positions = np.arange(n) if selected is None else np.flatnonzero(selected)
        part = positions[np.argsort(key[positions], kind="stable")[first:last]]
    return part[::-1] if descending else part


def _picked(order: Positions, selected: Mask, found: int, window: tuple[int, int]) -> Positions:
    """The window of what is selected, in order; of the order only as much is looked at as that takes."""
    first, last = window
    from_behind = first > found - last
    if from_behind:
        order, first, last = order[::-1], found - last, found - first
    parts: list[Positions] = []
    n = start = 0
    size = _LOOKED_AT_FIRST
    while n < last and start < len(order):
        block = order[start : start + size]
        parts.append(block[selected[block]])
        n += len(parts[-1])
        start, size = start + size, min(2 * size, _LOOKED_AT)
    picked = np.concatenate(parts)[first:last] if parts else order[:0]
    return picked[::-1] if from_behind else picked


def _selected(selected: Mask, found: int, window: tuple[int, int]) -> Positions:
    """The window of what is selected, by position; only as much is looked at as that takes."""
    first, last = window
    from_behind = first > found - last
    if from_behind:
        first, last = found - last, found - first
    parts: list[Positions] = []
    n = start = 0
    while n < last and start < len(selected):
        end = start + _LOOKED_AT
        if from_behind:
            low = max(0, len(selected) - end)
            parts.insert(0, np.flatnonzero(selected[low : len(selected) - start]) + low)
        else:
            parts.append(np.flatnonzero(selected[start:end]) + start)
        n += len(parts[0 if from_behind else -1])
        start = end
    picked = np.concatenate(parts) if parts else np.empty(0, np.intp)
    return picked[len(picked) - last : len(picked) - first] if from_behind else picked[first:last]


def _counted(key: Array, selected: Mask | None, window: tuple[int, int]) -> Positions:
    """The window of what is selected, by a key of few values: only those that the window has are sorted."""
    first, last = window
    values = key if selected is None else key[selected]
    least = int(values.min())
    ends = np.cumsum(np.bincount(values - least if least < 0 else values))
    offset = min(least, 0)
    low, high = (int(rank) for rank in np.searchsorted(ends, [first, max(first, last - 1)], "right"))
    inside = np.flatnonzero((values >= low + offset) & (values <= high + offset))
    before = int(ends[low - 1]) if low else 0
    inside = inside[np.argsort(values[inside], kind="stable")[first - before : last - before]]
    return inside if selected is None else np.flatnonzero(selected)[inside]
