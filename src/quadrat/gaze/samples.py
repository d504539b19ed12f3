"""Reads gaze columns from the store, whole or in blocks of rows."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadrat.gaze.formats.columns import DTYPES
from quadrat.storage.blobs import BlobStore
from quadrat.storage.types import ByteRange

BLOCK_ROWS = 1 << 20


async def read_rows(blobs: BlobStore, folder: str, name: str, start: int, stop: int) -> NDArray[Any]:
    """Rows of one column.

    Raises:
        QuadratError: not_found when the columns have been replaced or removed.
    """
    dtype = DTYPES[name]
    if stop <= start:
        return np.zeros(0, dtype)
    width = dtype.itemsize
    return np.frombuffer(await blobs.read_range(f"{folder}/{name}", ByteRange(start * width, stop * width)), dtype)


async def iterate_rows(
    blobs: BlobStore, folder: str, names: Sequence[str], n_rows: int, *, block_rows: int = BLOCK_ROWS
) -> AsyncIterator[list[NDArray[Any]]]:
    """Blocks of some columns, so that memory does not grow with the recording."""
    for start in range(0, n_rows, block_rows):
        stop = min(n_rows, start + block_rows)
        yield [await read_rows(blobs, folder, name, start, stop) for name in names]


async def read_value(blobs: BlobStore, folder: str, name: str, row: int) -> int:
    """One value."""
    return int((await read_rows(blobs, folder, name, row, row + 1))[0])
