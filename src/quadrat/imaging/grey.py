"""Sums over a grey picture and what an edge filter makes of it, a few rows at a time: whole numbers, so exact.

The filter gives eight times a value less its eight neighbours, cut off at 0 and 255, and leaves the outermost rows and
columns as they are, as Pillow's does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
# As many at a time as stay in the processor's cache, in the same memory each time.
_BLOCK_PIXELS = 80 * 1024
# Sums of so many values of up to 255 fit 16 bits.
_MOST_ROWS = 128


@dataclass(slots=True)
class GreySums:
    """What is known of a picture so far.

    Args:
        total: Sum of its values.
        edge_total: Sum of the values behind the filter.
        edge_squares: Sum of their squares.
        flat_rows: Rows of one value.
    """

    total: int = 0
    edge_total: int = 0
    edge_squares: int = 0
    flat_rows: int = 0

    def add(self, grey: Grey, start: int, stop: int) -> None:
        """Add the next rows of the picture.

        Args:
            grey: Those rows, and the one before and the one after them where the picture has such.
            start: The first that counts: 1 behind a row before, else 0.
            stop: After the last that counts.
        """
        self.flat_rows += _flat_rows(grey[start:stop])
        height, width = grey.shape
        if min(height, width) < 3:
            self._add_as_is(grey[start:stop])
            return
        if start == 0:
            self._add_as_is(grey[:1])
        if stop == height:
            self._add_as_is(grey[-1:])
        self._add_filtered(grey)

    def _add_as_is(self, values: Grey) -> None:
        wide = values.ravel().astype(np.int64)
        total = int(wide.sum())
        self.total += total
        self.edge_total += total
        self.edge_squares += int(wide @ wide)

    def _add_filtered(self, grey: Grey) -> None:
        """All rows but the first and the last."""
        height, width = grey.shape
        for side in (grey[1:-1, 0], grey[1:-1, -1]):
            self._add_as_is(side)
            self.total -= int(side.sum(dtype=np.int64))  # counted with its row
        at_a_time = min(max(_BLOCK_PIXELS // width, 1), _MOST_ROWS, height - 2)
        room = _Room(at_a_time, width)
        for top in range(1, height - 1, at_a_time):
            rows = min(at_a_time, height - 1 - top)
            total, edge_total, edge_squares = room.sums(grey[top - 1 : top + rows + 1])
            self.total += total
            self.edge_total += edge_total
            self.edge_squares += edge_squares


class _Room:
    """Memory for so many rows at a time; without it, most of the time would go to the system.

    Rows lie behind each other as one array, over whose ends the filter runs on: what comes of that is the outermost
    columns, which are overwritten.
    """

    def __init__(self, rows: int, width: int) -> None:
        self._width = width
        self._values = np.empty((rows + 2) * width, np.int16)
        self._columns = np.empty(rows * width, np.int16)
        self._edges = np.empty(rows * width, np.int16)
        self._floats = np.empty(rows * width, np.float64)

    def sums(self, grey: Grey) -> tuple[int, int, int]:
        """Sums over the inner rows: of values, and without the outermost columns of filtered ones and their squares."""
        width = self._width
        count = grey.size - 2 * width
        values, columns, edges = self._values[: grey.size], self._columns[:count], self._edges[:count]
        floats = self._floats[:count]
        values[:] = grey.ravel()
        inner = values[width:-width]
        total = _sum(inner.reshape(-1, width))
        np.add(values[: -2 * width], inner, out=columns)
        columns += values[2 * width :]
        around = edges[1:-1]
        np.add(columns[:-2], columns[1:-1], out=around)
        around += columns[2:]
        inner *= np.int16(9)
        np.subtract(inner[1:-1], around, out=around)
        np.clip(around, 0, 255, out=around)
        rows = edges.reshape(-1, width)
        rows[:, 0] = 0
        rows[:, -1] = 0
        floats[:] = edges
        return total, _sum(rows), int(floats @ floats)


def _sum(rows: NDArray[np.int16]) -> int:
    return int(np.add.reduce(rows, axis=0, dtype=np.int16).sum(dtype=np.int64))


def _flat_rows(grey: Grey) -> int:
    first = grey[:, 0]
    # Most rows are seen not to be from two of their values.
    maybe = np.flatnonzero((first == grey[:, -1]) & (first == grey[:, grey.shape[1] // 2]))
    return int((grey[maybe] == first[maybe, None]).all(axis=1).sum()) if len(maybe) else 0
