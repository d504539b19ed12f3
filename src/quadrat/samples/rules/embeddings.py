"""Reading the CSV of an embedding. Pure.

Source: spec of the samples API, section 2.1: columns ``filenames``, ``embedding_0`` ..., ``labels``.
"""

import csv
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from quadrat.errors import ErrorKind, QuadratError

MAX_DIMENSIONS = 16_000
MAX_NAME = 255
_PREFIX = "embedding_"
_MAX_FIELD = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of a CSV, flat and in single precision: a million of 128 numbers take half a gigabyte.

    Args:
        dimensions: Numbers of each.
        sample_indexes: To which sample each belongs.
        values: One vector after the other.
    """

    dimensions: int
    sample_indexes: list[int]
    values: "array[float]"

    def rows(self) -> Iterator[tuple[int, list[float]]]:
        """Sample index and vector of each."""
        for row, index in enumerate(self.sample_indexes):
            yield index, self.values[row * self.dimensions : (row + 1) * self.dimensions].tolist()


def check_embedding_name(name: str) -> None:
    """Anything short that can be stored.

    Raises:
        QuadratError: invalid.
    """
    if not 1 <= len(name) <= MAX_NAME or "\0" in name:
        raise QuadratError(ErrorKind.INVALID, f"An embedding's name has 1 to {MAX_NAME} characters.", field="name")


def read_vectors(lines: Iterable[str], index_of: Mapping[str, int]) -> Vectors:
    """All vectors of a CSV, in the order of its rows.

    Args:
        lines: Of the CSV.
        index_of: Sample index by file name.

    Raises:
        QuadratError: invalid; the message names the line.
    """
    csv.field_size_limit(_MAX_FIELD)
    reader = csv.reader(lines)
    header = next(reader, None)
    name_column, columns = _columns(header or [])
    width = len(header or [])
    indexes: list[int] = []
    values: array[float] = array("f")
    seen: set[int] = set()
    try:
        for row in reader:
            if not row:
                continue
            if len(row) != width:
                raise _bad(reader.line_num, f"it has {len(row)} fields and the header {width}")
            index = index_of.get(row[name_column])
            if index is None:
                raise _bad(reader.line_num, "the dataset has no sample of that file name")
            if index in seen:
                raise _bad(reader.line_num, "the sample has a vector already")
            seen.add(index)
            indexes.append(index)
            values.extend(_numbers(row, columns, reader.line_num))
    except csv.Error as error:
        raise _bad(reader.line_num, str(error)) from error
    if not indexes:
        raise QuadratError(ErrorKind.INVALID, "The CSV has no vectors.")
    return Vectors(len(columns), indexes, values)


def _columns(header: list[str]) -> tuple[int, list[int]]:
    columns = [place for place, name in enumerate(header) if name.strip().startswith(_PREFIX)]
    if not columns or not any(name.strip() == "filenames" for name in header):
        raise QuadratError(
            ErrorKind.INVALID, "The CSV needs a header with the columns filenames, embedding_0, embedding_1, ..."
        )
    if len(columns) > MAX_DIMENSIONS:
        raise QuadratError(ErrorKind.INVALID, f"An embedding has at most {MAX_DIMENSIONS} numbers.")
    name_column = next(place for place, name in enumerate(header) if name.strip() == "filenames")
    return name_column, columns


def _numbers(row: list[str], columns: list[int], line: int) -> list[float]:
    try:
        numbers = [float(row[column]) for column in columns]
    except ValueError:
        raise _bad(line, "one of its numbers is none") from None
    if not all(map(math.isfinite, numbers)):
        raise _bad(line, "one of its numbers is not finite")
    return numbers


def _bad(line: int, reason: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, f"Line {line} of the CSV cannot be used: {reason}.")
