"""Columns of a project for the memory: packed by PostgreSQL, so that Python does not touch single values."""

import asyncio
from collections.abc import Sequence

import numpy as np
from psycopg import sql
from sqlalchemy import ColumnElement, FromClause, Text, case, collate, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import user
from quadrat.identity.types import ProjectId
from quadrat.objects.frames.specs import CORE, PACKED, Array, Column, Form, Ids, Source
from quadrat.objects.frames.texts import DistinctTexts
from quadrat.objects.rules.fields import Field, Kind, Table
from quadrat.objects.store.arrays import any_of, binary_row, integers, to_ids
from quadrat.objects.store.fields import column as column_of_field
from quadrat.objects.store.fields import parent
from quadrat.objects.tables import acquisition, history, net_sample, object_, project_taxon, taxon

_ROWS_AT_A_TIME = 1_000_000
_MOST_AT_ONCE = 4_000_000  # rows that fit into one value of PostgreSQL, several times over
_VALUE = {
    Form.ID: "int8send(coalesce({0}, -1))",
    Form.FLOAT: "float8send(coalesce({0}, 'NaN'))",
    Form.INTEGER: "int4send({0})",
    Form.LETTER: "coalesce({0}, ' ')::bytea",
    Form.MOMENT: "timestamptz_send(coalesce({0}, '-infinity'))",
    Form.DATE: "date_send(coalesce({0}, 'infinity'))",
    # The largest number is later than any time of day.
    Form.TIME: "coalesce(time_send({0}), '\\x7fffffffffffffff')",
}
_TABLE = {Source.FACT: "fact", Source.NUMBER: "feature", Source.TEXT: "feature"}

_PACK_ALL = sql.SQL("SELECT coalesce(string_agg({packed}, ''), '') FROM objects.{table} WHERE project_id = {project}")
_PACK = sql.SQL(
    "SELECT coalesce(string_agg({packed}, ''), '') FROM ("
    "SELECT * FROM objects.{table} WHERE project_id = {project} AND {key} > {after} ORDER BY {key} LIMIT {limit}) o"
)
_PACK_SOME = sql.SQL(
    "SELECT coalesce(string_agg({packed}, ''), '') FROM objects.{table} "
    "WHERE {key} = ANY(%(ids)s) AND project_id = {project}"
)
_RANKS = sql.SQL(
    "WITH given AS MATERIALIZED ("
    "SELECT object_id, {value} AS value FROM objects.{table} WHERE project_id = {project}), "
    'ranked AS MATERIALIZED (SELECT value, (row_number() OVER (ORDER BY value COLLATE "C") - 1)::int4 AS rank '
    "FROM (SELECT DISTINCT value FROM given WHERE value IS NOT NULL) d) "
    "SELECT (SELECT coalesce(string_agg(packed, ''), '') FROM ("
    "SELECT int8send(object_id) || int4send(coalesce(rank, -1)) AS packed FROM given LEFT JOIN ranked USING (value) "
    "ORDER BY object_id) p), "
    "(SELECT string_agg(convert_to(lower(value), 'UTF8'), '\\x00'::bytea ORDER BY rank) FROM ranked), "
    "(SELECT count(*) FROM ranked)"
)


def _expression(column: Column) -> sql.Composable:
    value: sql.Composable = sql.Identifier(column.name) if column.name else _element(column)
    return sql.SQL(_VALUE[column.form]).format(value)


def _element(column: Column) -> sql.Composable:
    array = "numbers" if column.source is Source.NUMBER else "texts"
    return sql.SQL("{}[{}]").format(sql.Identifier(array), sql.Literal(column.position + 1))


def packed(key: str, columns: Sequence[Column]) -> sql.Composable:
    """One row as bytes of a fixed length: a number, then the columns; none of form `RANK`."""
    first = sql.SQL("int8send({})").format(sql.Identifier(key))
    return sql.SQL(" || ").join([first, *(_expression(column) for column in columns)])


def unpacked(data: bytes, columns: Sequence[Column]) -> tuple[Ids, dict[Column, Array]]:
    """Rows that were packed so and strung together: their numbers, and the columns."""
    names = [f"c{position}" for position in range(len(columns))]
    rows = np.frombuffer(data, [("id", ">i8"), *zip(names, (PACKED[column.form] for column in columns), strict=True)])
    return rows["id"].astype(np.int64), dict(zip(columns, (rows[name] for name in names), strict=True))


async def count_objects(tx: AsyncConnection, project_id: ProjectId) -> int:
    """How many objects a project has."""
    query = select(func.coalesce(func.sum(project_taxon.c.n_objects), 0)).where(
        project_taxon.c.project_id == project_id
    )
    return int((await tx.execute(query)).scalar_one())


async def load(
    tx: AsyncConnection,
    project_id: ProjectId,
    columns: Sequence[Column],
    *,
    most_at_once: int = _MOST_AT_ONCE,
    rows_at_a_time: int = _ROWS_AT_A_TIME,
) -> tuple[Ids, dict[Column, Array]]:
    """Columns of one table for all objects of a project, by number of the object.

    Args:
        tx: The transaction.
        project_id: Of the objects.
        columns: None of form `RANK`.
        most_at_once: More objects than this are read block by block.
        rows_at_a_time: How many such a block has.
    """
    table = _TABLE.get(columns[0].source, "object")
    key = "id" if table == "object" else "object_id"
    if await count_objects(tx, project_id) <= most_at_once:
        # As they lie in the table: in their order, a table that has to be read from the disk takes many times as long.
        statement = _PACK_ALL.format(
            packed=packed(key, columns), table=sql.Identifier(table), project=sql.Literal(project_id)
        )
        row = await binary_row(tx, statement, None)
        return await asyncio.to_thread(_sorted, *unpacked(b"" if row is None else row[0], columns))
    parts: list[bytes] = []
    after = -1
    width = 8 + sum(np.dtype(PACKED[column.form]).itemsize for column in columns)
    while True:
        statement = _PACK.format(
            packed=packed(key, columns),
            table=sql.Identifier(table),
            project=sql.Literal(project_id),
            key=sql.Identifier(key),
            after=sql.Literal(after),
            limit=sql.Literal(rows_at_a_time),
        )
        row = await binary_row(tx, statement, None)
        part: bytes = b"" if row is None else row[0]
        parts.append(part)
        if len(part) < rows_at_a_time * width:
            break
        after = int.from_bytes(part[-width : 8 - width], "big")
    return unpacked(b"".join(parts) if len(parts) > 1 else parts[0], columns)


def _sorted(object_ids: Ids, values: dict[Column, Array]) -> tuple[Ids, dict[Column, Array]]:
    order = np.argsort(object_ids, kind="stable")
    return object_ids[order], {column: array[order] for column, array in values.items()}


async def load_core(tx: AsyncConnection, project_id: ProjectId) -> tuple[Ids, dict[Column, Array]]:
    """What every query needs."""
    return await load(tx, project_id, CORE)


async def load_some(
    tx: AsyncConnection, project_id: ProjectId, object_ids: Ids, columns: Sequence[Column]
) -> tuple[Ids, dict[Column, Array]]:
    """Columns of one table of some objects, in any order; what is gone is left out. None of form `RANK`."""
    table = _TABLE.get(columns[0].source, "object")
    key = "id" if table == "object" else "object_id"
    statement = _PACK_SOME.format(
        packed=packed(key, columns),
        table=sql.Identifier(table),
        key=sql.Identifier(key),
        project=sql.Literal(project_id),
    )
    row = await binary_row(tx, statement, {"ids": integers(object_ids)})
    return unpacked(b"" if row is None else row[0], columns)


async def load_ranks(
    tx: AsyncConnection, project_id: ProjectId, column: Column
) -> tuple[Ids, Array, DistinctTexts | None]:
    """A text column as ranks of its different values; with those values where they are searched, for free texts."""
    value: sql.Composable = sql.Identifier(column.name) if column.name else _element(column)
    statement = _RANKS.format(value=value, table=sql.Identifier(_TABLE[column.source]), project=sql.Literal(project_id))
    row = await binary_row(tx, statement, None)
    packed, joined_, n = (b"", None, 0) if row is None else row
    object_ids, values = unpacked(packed, [column])
    texts = DistinctTexts(joined_ or b"", n) if column.source is Source.TEXT else None
    return object_ids, values[column], texts


async def load_annotations(tx: AsyncConnection, project_id: ProjectId, object_ids: Ids | None) -> tuple[Ids, Ids]:
    """Pairs of object and author in history, of some objects or of all."""
    pairs = select(history.c.object_id.label("object"), history.c.author_id.label("author")).distinct()
    pairs = pairs.where(history.c.author_id.is_not(None))
    if object_ids is None:
        pairs = pairs.join(object_, object_.c.id == history.c.object_id).where(object_.c.project_id == project_id)
    else:
        pairs = pairs.where(any_of(history.c.object_id, object_ids))
    found = pairs.order_by(history.c.object_id).subquery()
    packed = func.string_agg(func.int8send(found.c.object).op("||")(func.int8send(found.c.author)), b"")
    data: bytes = (await tx.execute(select(packed))).scalar_one_or_none() or b""
    rows = np.frombuffer(data, ">i8").astype(np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


async def ranks_of_owners(tx: AsyncConnection, project_id: ProjectId, field: Field) -> tuple[Ids, Array]:
    """Taxa, authors, samples or acquisitions with the rank of each by the field's value; -1 where it has none."""
    used = select(project_taxon.c.taxon_id).where(project_taxon.c.project_id == project_id)
    sources: dict[Table, tuple[FromClause, ColumnElement[int], ColumnElement[bool]]] = {
        Table.TAXON: (taxon, taxon.c.id, taxon.c.id.in_(used)),
        Table.PARENT: (
            taxon.outerjoin(parent, parent.c.id == taxon.c.parent_id),
            taxon.c.id,
            taxon.c.id.in_(used),
        ),
        Table.AUTHOR: (user, user.c.id, true()),
        Table.SAMPLE: (net_sample, net_sample.c.id, net_sample.c.project_id == project_id),
        Table.ACQUISITION: (acquisition, acquisition.c.id, acquisition.c.project_id == project_id),
    }
    source, key, condition = sources[field.table]
    value = column_of_field(field)
    if field.kind in (Kind.TEXT, Kind.LETTER):
        value = collate(value.cast(Text), "C")
    rank = case((value.is_(None), -1), else_=func.dense_rank().over(order_by=value.asc().nulls_last()))
    rows = (await tx.execute(select(key, rank).select_from(source).where(condition).order_by(key))).all()
    return to_ids([row[0] for row in rows]), np.fromiter((row[1] for row in rows), np.int32, len(rows))
