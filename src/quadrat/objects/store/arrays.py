"""Many numbers at once, from numpy to PostgreSQL and back without a Python object for each.

psycopg adapts lists element by element; a hundred thousand numbers would hold up the event loop.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import BigInteger, ColumnElement, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import UserDefinedType

from quadrat.objects.frames.specs import Ids, Numbers

_CELL = np.dtype([("length", ">i4"), ("value", ">i8")])
_EMPTY_ARRAY_BYTES, _HEADER_BYTES = 12, 20
_OIDS = {"i": (1016, 20), "f": (1022, 701)}  # arrays of int8 and float8, and their elements


class Many:
    """An array as a parameter of a statement."""

    __slots__ = ("values",)

    def __init__(self, values: Ids | Numbers) -> None:
        self.values = values


class _ManyIntegers(Many):
    __slots__ = ()


class _ManyNumbers(Many):
    __slots__ = ()


def _binary(values: npt.NDArray[Any], element: int) -> bytes:
    header = np.array([1, 0, element, len(values), 1] if len(values) else [0, 0, element], ">i4").tobytes()
    cells = np.empty(len(values), [("length", ">i4"), ("value", f">{values.dtype.kind}8")])
    cells["length"] = 8
    cells["value"] = values
    return header + cells.tobytes()


class _IntegersDumper(Dumper):
    format = Format.BINARY
    oid = _OIDS["i"][0]

    def dump(self, obj: Any) -> bytes:
        return _binary(obj.values, _OIDS["i"][1])


class _NumbersDumper(Dumper):
    format = Format.BINARY
    oid = _OIDS["f"][0]

    def dump(self, obj: Any) -> bytes:
        return _binary(obj.values, _OIDS["f"][1])


psycopg.adapters.register_dumper(_ManyIntegers, _IntegersDumper)
psycopg.adapters.register_dumper(_ManyNumbers, _NumbersDumper)


def integers(values: Ids) -> Many:
    """A parameter of the type bigint[]."""
    return _ManyIntegers(values)


def numbers(values: Numbers) -> Many:
    """A parameter of the type float8[]."""
    return _ManyNumbers(values)


class _Plain(UserDefinedType[Any]):
    """Hands its values to the driver as they are."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "BIGINT[]"


def array_of(values: Ids) -> ColumnElement[Any]:
    """The numbers as an array in a statement."""
    return literal(integers(values), _Plain()).cast(ARRAY(BigInteger))


def any_of(column: ColumnElement[Any], values: Ids) -> ColumnElement[bool]:
    """Whether the column is one of the numbers."""
    return column == any_(array_of(values))


def to_ids(values: Sequence[int]) -> Ids:
    """Numbers of objects as an array."""
    return np.fromiter(values, np.int64, len(values))


def read_ids(packed: bytes) -> Ids:
    """Numbers that a statement strung together with ``string_agg(int8send(...), '')``."""
    return np.frombuffer(packed, ">i8").astype(np.int64)


def read_array(sent: bytes | None) -> Ids:
    """Numbers as ``array_send`` gives them, none of them NULL; an array of nothing, or none, is no number."""
    if sent is None or len(sent) <= _EMPTY_ARRAY_BYTES:
        return np.empty(0, np.int64)
    return np.frombuffer(sent, _CELL, offset=_HEADER_BYTES)["value"].astype(np.int64)


async def driver(tx: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The driver's own connection, inside the same transaction."""
    raw = await tx.get_raw_connection()
    return cast("psycopg.AsyncConnection[Any]", raw.driver_connection)


async def binary_row(tx: AsyncConnection, statement: Any, parameters: Any) -> tuple[Any, ...] | None:
    """One row of a statement whose values come as bytes, without their detour over text."""
    connection = await driver(tx)
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchone()
