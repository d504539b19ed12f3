"""SQL of fixations. Many are read as one array of bytes, packed by the database, instead of row by row."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import delete, func, insert, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.gaze.tables import fixation, mapping, recording_fixation
from quadrat.gaze.types import MappingId, RecordingId

PACKED = np.dtype(
    [
        ("fixation_id", ">i4"),
        ("section", ">i4"),
        ("start_ns", ">i8"),
        ("end_ns", ">i8"),
        ("x", ">f8"),
        ("y", ">f8"),
        ("detected", ">i2"),
    ]
)
"""One fixation of a mapping as the database packs it."""

_PACK: Any = literal_column(
    "int4send(fixation_id) || int4send(section) || int8send(start_ns) || int8send(end_ns) || float8send(x) || "
    "float8send(y) || int2send(detected)"
)
_PACK_OWN: Any = literal_column(
    "int4send(fixation_id) || int4send(0) || int8send(start_ns) || int8send(end_ns) || float8send(x) || "
    "float8send(y) || int2send(1::int2)"
)
_EMPTY = np.zeros(0, PACKED)


async def read_mappings(tx: AsyncConnection, ids: Collection[MappingId]) -> dict[MappingId, NDArray[np.void]]:
    """Fixations of mappings, each an array of `PACKED` ordered by start."""
    found = {}
    for id_ in ids:
        # One at a time: the driver decodes a result in one go, and an hour of fixations is half a megabyte.
        query = select(func.string_agg(_PACK, text("''::bytea ORDER BY start_ns, number"))).where(
            fixation.c.mapping_id == id_
        )
        packed = (await tx.execute(query)).scalar_one()
        found[id_] = _EMPTY if packed is None else np.frombuffer(packed, PACKED)
    return found


async def list_revisions(tx: AsyncConnection, ids: Collection[MappingId]) -> dict[MappingId, UUID]:
    """The revisions that mappings have at this moment."""
    query = select(mapping.c.id, mapping.c.revision).where(mapping.c.id.in_(ids))
    return {MappingId(id_): revision for id_, revision in await tx.execute(query)}


async def read_recording(tx: AsyncConnection, id_: RecordingId) -> NDArray[np.void]:
    """A recording's own fixations, an array of `PACKED` ordered by start; positions in scene camera pixels."""
    query = select(func.string_agg(_PACK_OWN, text("''::bytea ORDER BY start_ns, number"))).where(
        recording_fixation.c.recording_id == id_
    )
    packed = (await tx.execute(query)).scalar_one()
    return _EMPTY if packed is None else np.frombuffer(packed, PACKED)


async def copy_mapping(tx: AsyncConnection, id_: MappingId, rows: NDArray[np.void]) -> None:
    """Write the fixations of a new mapping, ordered by start.

    Args:
        tx: The transaction.
        id_: The mapping.
        rows: An array with the fields of `PACKED`.
    """
    columns = ("mapping_id", "number", "section", "fixation_id", "start_ns", "end_ns", "x", "y", "detected")
    fields = ("section", "fixation_id", "start_ns", "end_ns", "x", "y", "detected")
    await _copy(tx, "fixation", columns, (id_, fields, rows))


async def replace_recording(tx: AsyncConnection, id_: RecordingId, rows: NDArray[np.void]) -> None:
    """Write a recording's own fixations, ordered by start, in place of those that it had."""
    await tx.execute(delete(recording_fixation).where(recording_fixation.c.recording_id == id_))
    columns = ("recording_id", "number", "fixation_id", "start_ns", "end_ns", "x", "y")
    fields = ("fixation_id", "start_ns", "end_ns", "x", "y")
    await _copy(tx, "recording_fixation", columns, (id_, fields, rows))


async def _copy(
    tx: AsyncConnection, table: str, columns: Sequence[str], content: tuple[int, Sequence[str], NDArray[np.void]]
) -> None:
    id_, fields, rows = content
    lists = [rows[name].tolist() for name in fields]
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier("gaze", table), sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    )
    raw: Any = (await tx.get_raw_connection()).driver_connection
    async with raw.cursor() as cursor, cursor.copy(statement) as copy:
        for start in range(0, len(rows), 1000):
            stop = min(start + 1000, len(rows))
            lines = (
                "\t".join(str(value) for value in (id_, number, *values))
                for number, *values in zip(range(start, stop), *(values[start:stop] for values in lists), strict=True)
            )
            await copy.write("".join(f"{line}\n" for line in lines))


async def list_updates(tx: AsyncConnection, id_: MappingId) -> dict[int, datetime]:
    """When fixations of a mapping were last changed by hand, by their ids; those that never were are left out."""
    query = select(fixation.c.fixation_id, fixation.c.updated_at).where(
        fixation.c.mapping_id == id_, fixation.c.updated_at.is_not(None)
    )
    return {fixation_id: at for fixation_id, at in await tx.execute(query) if at is not None}


async def place_fixation(
    tx: AsyncConnection, id_: MappingId, fixation_id: int, position: tuple[float, float, int], at: datetime | None
) -> bool:
    """Put a fixation somewhere by hand: x, y (NaN for none) and whether it is on the plane; False without such one."""
    x, y, detected = position
    statement = (
        update(fixation)
        .where(fixation.c.mapping_id == id_, fixation.c.fixation_id == fixation_id)
        .values(x=x, y=y, detected=detected, updated_at=at)
        .returning(fixation.c.number)
    )
    return bool((await tx.execute(statement)).all())


async def clear_fixations(tx: AsyncConnection, id_: MappingId) -> None:
    """Take all fixations of a mapping from where somebody put them."""
    nan = float("nan")
    await tx.execute(
        update(fixation).where(fixation.c.mapping_id == id_).values(x=nan, y=nan, detected=-1, updated_at=None)
    )


async def copy_to_mapping(tx: AsyncConnection, recording_id: RecordingId, id_: MappingId, span: tuple[int, int]) -> int:
    """Give a mapping the recording's own fixations that begin within a span, none of them placed yet."""
    own = recording_fixation
    query = select(
        literal_column(str(int(id_))),
        func.row_number().over(order_by=(own.c.start_ns, own.c.number)) - 1,
        literal_column("0"),
        own.c.fixation_id,
        own.c.start_ns,
        own.c.end_ns,
        literal_column("'NaN'::float8"),
        literal_column("'NaN'::float8"),
        literal_column("-1"),
    ).where(own.c.recording_id == recording_id, own.c.start_ns >= span[0], own.c.start_ns < span[1])
    columns = ["mapping_id", "number", "section", "fixation_id", "start_ns", "end_ns", "x", "y", "detected"]
    return (await tx.execute(insert(fixation).from_select(columns, query))).rowcount
