"""Rows that lists have shown, kept for the next list that shows them. No I/O."""

import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

Row = tuple[Any, ...]
_BYTES_PER_ROW = 200  # the row itself and its place


class Rows:
    """Rows by number, under marks that say what they are worth: a mark that comes no more is forgotten in the end.

    There are two generations. What is used moves to the younger one; when that has half of the budget it becomes the
    older one, and what had not been used since goes.

    Args:
        budget_bytes: What all rows may take.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._young: dict[Hashable, dict[int, Row]] = {}
        self._old: dict[Hashable, dict[int, Row]] = {}
        self._young_bytes = 0

    def find(self, mark: Hashable, numbers: Sequence[int]) -> tuple[dict[int, Row], list[int]]:
        """Those of the rows that are kept, and the numbers of the others."""
        young, old = self._young.get(mark, {}), self._old.get(mark, {})
        found, used = {}, {}
        for number in numbers:
            row = young.get(number)
            if row is None and (row := old.get(number)) is not None:
                used[number] = row
            if row is not None:
                found[number] = row
        if used:
            self.keep(mark, used)
        return found, [number for number in numbers if number not in found]

    def keep(self, mark: Hashable, rows: Mapping[int, Row]) -> None:
        """Keep rows, which are right for the mark."""
        n_bytes = sum(_BYTES_PER_ROW + sum(map(sys.getsizeof, row)) for row in rows.values())
        if n_bytes > self._budget_bytes // 2:
            return
        if self._young_bytes + n_bytes > self._budget_bytes // 2:
            self._old, self._young, self._young_bytes = self._young, {}, 0
        self._young.setdefault(mark, {}).update(rows)
        self._young_bytes += n_bytes
