"""What an export reads: numbers of objects first, then their lines in blocks, packed by PostgreSQL."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from psycopg import sql
from sqlalchemy import ColumnElement, Date, Double, Label, Text, cast, func, literal, select
from sqlalchemy import text as statement_text
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import user
from quadrat.identity.types import ProjectId
from quadrat.objects.frames.specs import Array, Column, Ids, Numbers, Source
from quadrat.objects.rules.fields import Table
from quadrat.objects.rules.filters import Selection
from quadrat.objects.store.arrays import any_of, binary_row, integers, to_ids
from quadrat.objects.store.columns import packed, unpacked
from quadrat.objects.store.fields import author_name, joined
from quadrat.objects.store.filters import where
from quadrat.objects.tables import acquisition, fact, feature, image, net_sample, object_, process, project_taxon, taxon

_PAGE = 200_000
DAY = "day"
_ARRAY_HEADER_BYTES = 20
_NAN = sql.SQL("'NaN'::float8")

_BLOCK = sql.SQL("SELECT {parts} FROM ({rows} ORDER BY o.id) b")
_ROWS = sql.SQL(
    "SELECT {values} FROM objects.object o JOIN objects.fact f ON f.object_id = o.id "
    "LEFT JOIN objects.feature e ON e.object_id = o.id WHERE o.id = ANY(%(ids)s) AND o.project_id = {project}"
)
# Always of the same length and without NULL, so that all arrays take the same number of bytes. Whether there is a NULL
# stands in the head of an array.
_NUMBERS = sql.SQL(
    "CASE WHEN cardinality(e.numbers) = {n} AND num_nulls(VARIADIC e.numbers) = 0 THEN e.numbers ELSE "
    "(array_replace(coalesce(e.numbers, '{{}}'), NULL, {nan}) || array_fill({nan}, ARRAY[{n}]))[1:{n}] END AS numbers"
)
_IMAGES = """
SELECT i.object_id, i.rank, i.id, i.file_name, i.extension, i.size_bytes FROM objects.image i
WHERE i.object_id = ANY(%(ids)s) ORDER BY i.object_id, i.rank
"""


class TextColumn(NamedTuple):
    """A text column of a block: of `fact` by name, or the free text at a position."""

    name: str = ""
    position: int = -1


@dataclass(frozen=True, slots=True)
class BlockNeeds:
    """What a block of lines holds beside the numbers of its objects.

    Args:
        values: Columns of classification and facts; none of form `RANK`.
        texts: Text columns.
        n_numbers: How many of the measured features, from the first.
    """

    values: Sequence[Column]
    texts: Sequence[TextColumn]
    n_numbers: int


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of objects by number; one that has just gone is not there.

    Args:
        ids: Numbers, rising.
        values: By column.
        texts: UTF-8, a NUL between one and the next; a missing text is empty.
        numbers: Objects x features; NaN for what is missing.
    """

    ids: Ids
    values: Mapping[Column, Array]
    texts: Sequence[bytes]
    numbers: Numbers


class ImageRow(NamedTuple):
    """An image of an object."""

    object_id: int
    rank: int
    id: int
    file_name: str
    extension: str
    size_bytes: int


class SampleRow(NamedTuple):
    """A sample as it is written."""

    id: int
    orig_id: str
    latitude: float | None
    longitude: float | None
    descriptor: str | None
    texts: Sequence[str | None]


class AcquisitionRow(NamedTuple):
    """An acquisition as it is written, with its process."""

    id: int
    sample_id: int
    orig_id: str
    instrument: str | None
    texts: Sequence[str | None]
    process_orig_id: str | None
    process_texts: Sequence[str | None]


class TaxonRow(NamedTuple):
    """A taxon as it is written; the hierarchy from the root to itself."""

    id: int
    display_name: str
    hierarchy: str


async def list_selected(tx: AsyncConnection, selection: Selection, owner: str) -> tuple[Ids, Ids]:
    """Objects by number, and what each belongs to: a column of `object`; -1 for none."""
    sent = [func.int8send(func.coalesce(object_.c[owner], -1))]
    ids, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    after = -1
    while True:
        data = (await _page(tx, selection, sent, after, set()))[0]
        page = np.frombuffer(data, ">i8").reshape(-1, 2)
        ids.append(page[:, 0].astype(np.int64))
        owners.append(page[:, 1].astype(np.int64))
        if len(page) < _PAGE:
            break
        after = int(page[-1, 0])
    return np.concatenate(ids), np.concatenate(owners)


async def read_blocks_alone(tx: AsyncConnection) -> None:
    """From now on one process reads: starting others for each block would take longer than the block."""
    await tx.execute(statement_text("SET LOCAL max_parallel_workers_per_gather = 0"))


async def read_block(tx: AsyncConnection, project_id: ProjectId, object_ids: Ids, needs: BlockNeeds) -> Block:
    """The lines of some objects."""
    values: list[sql.Composable] = [sql.SQL("o.id")]
    parts: list[sql.Composable] = [sql.SQL("string_agg({}, '')").format(packed("id", needs.values))]
    for column in needs.values:
        owner = "o" if column.source is Source.STATE else "f"
        values.append(sql.SQL("{}").format(sql.Identifier(owner, column.name)))
    for place, text in enumerate(needs.texts):
        name = sql.Identifier(f"text{place}")
        source = sql.Identifier("f", text.name) if text.name else sql.SQL("e.texts[{}]").format(text.position + 1)
        values.append(sql.SQL("convert_to(coalesce({}, ''), 'UTF8') AS {}").format(source, name))
        parts.append(sql.SQL("string_agg({}, '\\x00')").format(name))
    if needs.n_numbers:
        values.append(_NUMBERS.format(n=needs.n_numbers, nan=_NAN))
        parts.append(sql.SQL("string_agg(array_send(numbers), '')"))
    rows = _ROWS.format(values=sql.SQL(", ").join(values), project=sql.Literal(project_id))
    statement = _BLOCK.format(parts=sql.SQL(", ").join(parts), rows=rows)
    row = await binary_row(tx, statement, {"ids": integers(object_ids)})
    if row is None or row[0] is None:
        return Block(np.empty(0, np.int64), {}, [b""] * len(needs.texts), np.empty((0, needs.n_numbers)))
    ids, found = unpacked(row[0], needs.values)
    numbers = _numbers(row[-1], needs.n_numbers) if needs.n_numbers else np.empty((len(ids), 0))
    return Block(ids, found, row[1 : 1 + len(needs.texts)], numbers)


def _numbers(data: bytes, n: int) -> Numbers:
    row = np.dtype([("head", f"V{_ARRAY_HEADER_BYTES}"), ("cells", [("length", ">i4"), ("value", ">f8")], (n,))])
    return np.frombuffer(data, row)["cells"]["value"]


async def list_images(tx: AsyncConnection, object_ids: Ids) -> list[ImageRow]:
    """Images of some objects, by object and rank."""
    query = (
        select(image.c.object_id, image.c.rank, image.c.id, image.c.file_name, image.c.extension, image.c.size_bytes)
        .where(any_of(image.c.object_id, object_ids))
        .order_by(image.c.object_id, image.c.rank)
    )
    return [ImageRow(*row) for row in await tx.execute(query)]


async def list_samples(tx: AsyncConnection, project_id: ProjectId) -> list[SampleRow]:
    """The samples of a project by number."""
    columns = net_sample.c
    query = select(
        columns.id, columns.orig_id, columns.latitude, columns.longitude, columns.descriptor, columns.free_texts
    )
    rows = await tx.execute(query.where(columns.project_id == project_id).order_by(columns.id))
    return [SampleRow(*row) for row in rows]


async def list_acquisitions(tx: AsyncConnection, project_id: ProjectId) -> list[AcquisitionRow]:
    """The acquisitions of a project by number, each with its process."""
    query = (
        select(
            acquisition.c.id,
            acquisition.c.sample_id,
            acquisition.c.orig_id,
            acquisition.c.instrument,
            acquisition.c.free_texts,
            process.c.orig_id,
            func.coalesce(process.c.free_texts, literal([], ARRAY(Text))),
        )
        .outerjoin(process, process.c.acquisition_id == acquisition.c.id)
        .where(acquisition.c.project_id == project_id)
        .order_by(acquisition.c.id)
    )
    return [AcquisitionRow(*row) for row in await tx.execute(query)]


async def list_used_taxa(tx: AsyncConnection, project_id: ProjectId, *, predicted: bool) -> Ids:
    """Taxa that objects of a project are in, and those that machines have last said of them where that is asked."""
    used = select(project_taxon.c.taxon_id).where(project_taxon.c.project_id == project_id)
    found = set((await tx.execute(used)).scalars())
    if predicted:
        said = select(object_.c.predicted_taxon_id).where(object_.c.project_id == project_id).distinct()
        found |= {id_ for id_ in (await tx.execute(said)).scalars() if id_ is not None}
    return to_ids(sorted(found))


async def list_taxa(tx: AsyncConnection, taxon_ids: Ids) -> list[TaxonRow]:
    """Some taxa by number."""
    step = func.unnest(taxon.c.path).table_valued("id", with_ordinality="place", name="step").render_derived()
    above = taxon.alias("above")
    hierarchy = (
        select(func.array_to_string(func.array_agg(aggregate_order_by(above.c.name, step.c.place)), ">"))
        .select_from(step.join(above, above.c.id == step.c.id))
        .scalar_subquery()
    )
    query = select(taxon.c.id, taxon.c.display_name, func.coalesce(hierarchy, taxon.c.name))
    rows = await tx.execute(query.where(any_of(taxon.c.id, taxon_ids)).order_by(taxon.c.id))
    return [TaxonRow(*row) for row in rows]


async def list_authors(tx: AsyncConnection, project_id: ProjectId) -> list[tuple[int, str, str]]:
    """Number, name and address of everyone who has decided on objects of a project, by number."""
    deciders = select(object_.c.author_id).where(object_.c.project_id == project_id).distinct()
    query = select(user.c.id, author_name, user.c.email).where(user.c.id.in_(deciders)).order_by(user.c.id)
    return [(row[0], row[1], row[2]) for row in await tx.execute(query)]


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """Objects as a summary reads them.

    Args:
        acquisitions: Number of each object's.
        taxa: Number of each object's; -1 for none.
        states: The letter of each.
        numbers: Wanted numbers of each, NaN for what is missing: objects x columns.
        texts: Wanted texts of each, UTF-8 with a NUL between one and the next, by column.
    """

    acquisitions: Ids
    taxa: Ids
    states: Array
    numbers: Numbers
    texts: Sequence[bytes]


async def summary_pages(
    tx: AsyncConnection, selection: Selection, numbers: Sequence[int | str], texts: Sequence[int]
) -> AsyncIterator[SummaryPage]:
    """The objects of a summary, in pages.

    Args:
        tx: The transaction.
        selection: Which objects.
        numbers: Positions of measured features, or names of numbers in `fact`; `DAY` for its date, in days from 2000.
        texts: Positions of free texts.
    """
    form = np.dtype(
        [("id", ">i8"), ("acquisition", ">i8"), ("taxon", ">i8"), ("state", "u1"), ("numbers", ">f8", (len(numbers),))]
    )
    sent: list[ColumnElement[Any]] = [
        func.int8send(object_.c.acquisition_id),
        func.int8send(func.coalesce(object_.c.taxon_id, -1)),
        func.convert_to(object_.c.state, "UTF8"),
    ]
    for wanted in numbers:
        if wanted == DAY:
            value: Any = cast(fact.c.date - literal(dt.date(2000, 1, 1), Date), Double)
        else:
            value = fact.c[wanted] if isinstance(wanted, str) else feature.c.numbers[wanted + 1]
        sent.append(func.float8send(func.coalesce(value, cast("NaN", Double))))
    named = [
        func.convert_to(func.coalesce(feature.c.texts[position + 1], ""), "UTF8").label(f"text{position}")
        for position in texts
    ]
    also = {Table.OBJECT} if any(isinstance(wanted, str) for wanted in numbers) else set()
    if texts or any(isinstance(wanted, int) for wanted in numbers):
        also.add(Table.FREE)
    after = -1
    while True:
        data, *found = await _page(tx, selection, sent, after, also, named)
        rows = np.frombuffer(data, form)
        if len(rows):
            yield SummaryPage(
                rows["acquisition"].astype(np.int64),
                rows["taxon"].astype(np.int64),
                rows["state"],
                rows["numbers"].astype(np.float64),
                found,
            )
        if len(rows) < _PAGE:
            return
        after = int(rows["id"][-1])


async def _page(
    tx: AsyncConnection,
    selection: Selection,
    sent: Sequence[ColumnElement[Any]],
    after: int,
    also: set[Table],
    texts: Sequence[Label[Any]] = (),
) -> Sequence[bytes]:
    """The next objects in their order, packed: the number of each and what is sent, then the texts by column."""
    condition, tables = where(selection)
    line: ColumnElement[Any] = func.int8send(object_.c.id)
    for value in sent:
        line = line.op("||")(value)
    rows = (
        select(line.label("line"), *texts)
        .select_from(joined([], tables | also))
        .where(condition, object_.c.id > after)
        .order_by(object_.c.id)
        .limit(_PAGE)
        .subquery()
    )
    parts = [func.string_agg(rows.c.line, b""), *(func.string_agg(rows.c[text.name], b"\0") for text in texts)]
    return [part or b"" for part in (await tx.execute(select(*parts))).one()]
