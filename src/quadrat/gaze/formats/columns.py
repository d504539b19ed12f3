"""Gaze columns: one file of fixed-width little-endian values for each, in a folder per recording or mapping."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES: Mapping[str, np.dtype[Any]] = {
    "t": np.dtype("<i8"),
    "x": np.dtype("<f8"),
    "y": np.dtype("<f8"),
    "fixation": np.dtype("<i4"),
    "blink": np.dtype("<i4"),
    "detected": np.dtype("u1"),
}
"""Time in ns, position (NaN where missing), ids (-1 where missing), whether the position is on the plane."""


class ColumnWriter:
    """Collects the samples of one section of one recording in files, so that memory does not grow with them.

    Args:
        folder: Where; made here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self.n_samples = 0
        self.n_mapped = 0
        self.first_ns = 0
        self.last_ns = 0
        self._in_order = True

    def append(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Add samples; each of `DTYPES` has to be there."""
        times = columns["t"]
        if not len(times):
            return
        if self.n_samples and times[0] < self.last_ns:
            self._in_order = False
        if self._in_order and (np.diff(times) < 0).any():
            self._in_order = False
        low, high = int(times.min()), int(times.max())
        self.first_ns = min(self.first_ns, low) if self.n_samples else low
        self.last_ns = max(self.last_ns, high) if self.n_samples else high
        self.n_samples += len(times)
        self.n_mapped += int(columns["detected"].sum())
        for name, dtype in DTYPES.items():
            with (self._folder / name).open("ab") as file:
                file.write(np.ascontiguousarray(columns[name], dtype).data)

    def read(self, name: str) -> NDArray[Any]:
        """One column, mapped from its file."""
        if not self.n_samples:
            return np.zeros(0, DTYPES[name])
        return np.memmap(self._folder / name, DTYPES[name], "r")

    def sort(self) -> None:
        """Order the samples by time where the file had them otherwise; equal times keep their order."""
        if self._in_order:
            return
        order = np.argsort(self.read("t"), kind="stable")
        for name in DTYPES:
            ordered = self.read(name)[order]
            ordered.tofile(self._folder / name)
        self._in_order = True

    def remove(self) -> None:
        """Free the disk."""
        shutil.rmtree(self._folder)


def join(parts: Sequence[ColumnWriter], folder: Path) -> None:
    """Put sections one after the other into the columns of one folder; the parts go as they are joined."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in DTYPES:
        with (folder / name).open("wb") as target:
            for part in parts:
                target.write(part.read(name).data)
    for part in parts:
        part.remove()
