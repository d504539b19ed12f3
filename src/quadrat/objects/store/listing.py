"""Lists of objects in SQL: details of given objects, and whole queries where no columns are held in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, any_, bindparam, collate, func, make_url, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.frames.specs import Ids, Mask
from quadrat.objects.rules.fields import Field, Kind, Order
from quadrat.objects.rules.filters import Selection
from quadrat.objects.store.arrays import driver, integers
from quadrat.objects.store.fields import GIVEN, GIVEN_COLUMNS, column, joined, parent
from quadrat.objects.store.filters import where
from quadrat.objects.tables import object_, project_taxon, taxon

_DIALECT = make_url("postgresql+psycopg://").get_dialect()()


@dataclass(frozen=True, slots=True)
class Known:
    """What columns in memory know of some objects.

    Args:
        object_ids: Which.
        sample_ids: Of each.
        acquisition_ids: Of each.
        taxon_ids: Of each; -1 for none.
        letters: Codes of their states.
    """

    object_ids: Ids
    sample_ids: Ids
    acquisition_ids: Ids
    taxon_ids: Ids
    letters: Ids

    def of(self, chosen: Mask) -> "Known":
        """What is known of some of them."""
        columns = (self.object_ids, self.sample_ids, self.acquisition_ids, self.taxon_ids, self.letters)
        return Known(*(values[chosen] for values in columns))


async def details(tx: AsyncConnection, object_ids: Ids, fields: Sequence[Field]) -> dict[int, tuple[Any, ...]]:
    """The values of the fields for each object that exists."""
    statement, constants = _details(tuple(fields))
    return await _by_id(tx, statement, {**constants, "ids": integers(object_ids)})


async def details_of_known(tx: AsyncConnection, known: Known, fields: Sequence[Field]) -> dict[int, tuple[Any, ...]]:
    """The same without a look at the table of objects, where the fields allow that."""
    if not all(map(GIVEN.has, fields)):
        return await details(tx, known.object_ids, fields)
    statement, constants = _details_of_given(tuple(fields))
    columns = (known.object_ids, known.sample_ids, known.acquisition_ids, known.taxon_ids, known.letters)
    given = {f"{name}s": integers(values) for name, values in zip(GIVEN_COLUMNS, columns, strict=True)}
    return await _by_id(tx, statement, {**constants, **given})


async def details_of_taxa(
    tx: AsyncConnection, taxon_ids: Sequence[int], fields: Sequence[Field]
) -> dict[int, tuple[Any, ...]]:
    """The values of fields of taxa, or of those above them, for each taxon that exists."""
    statement, constants = _details_of_taxa(tuple(fields))
    return await _by_id(tx, statement, {**constants, "ids": list(taxon_ids)})


async def _by_id(tx: AsyncConnection, statement: bytes, parameters: dict[str, Any]) -> dict[int, tuple[Any, ...]]:
    found = await (await driver(tx)).execute(statement, parameters)
    return {row[0]: row[1:] for row in await found.fetchall()}


@lru_cache(200)
def _details(fields: tuple[Field, ...]) -> tuple[bytes, dict[str, Any]]:
    query = (
        select(object_.c.id, *(column(field) for field in fields))
        .select_from(joined(fields))
        .where(object_.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    )
    return _compiled(query)


@lru_cache(200)
def _details_of_given(fields: tuple[Field, ...]) -> tuple[bytes, dict[str, Any]]:
    return _compiled(
        select(GIVEN.source.c.id, *(GIVEN.column(field) for field in fields)).select_from(GIVEN.joined(fields))
    )


@lru_cache(200)
def _details_of_taxa(fields: tuple[Field, ...]) -> tuple[bytes, dict[str, Any]]:
    return _compiled(
        select(taxon.c.id, *(column(field) for field in fields))
        .select_from(taxon.outerjoin(parent, parent.c.id == taxon.c.parent_id))
        .where(taxon.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    )


def _compiled(query: Select[*tuple[Any, ...]]) -> tuple[bytes, dict[str, Any]]:
    """The statement as the driver takes it, with its constants: nothing of it has to be made for every window."""
    made = query.compile(dialect=_DIALECT)
    return str(made).encode(), {name: value for name, value in made.params.items() if value is not None}


async def select_window(
    tx: AsyncConnection, selection: Selection, order: Order, window: tuple[int, int | None]
) -> list[tuple[int, int, int]]:
    """Objects of a window with their acquisitions and samples, in order.

    Args:
        tx: The transaction.
        selection: Which objects.
        order: How they are sorted.
        window: How many to leave out, and how many to give at most.
    """
    condition, tables = where(selection)
    start, size = window
    query = (
        select(object_.c.id, object_.c.acquisition_id, object_.c.sample_id)
        .select_from(joined([order.field], tables))
        .where(condition)
        .order_by(*_order(order))
        .offset(start)
        .limit(size)
    )
    return [(row[0], row[1], row[2]) for row in await tx.execute(query)]


async def count_by_state(tx: AsyncConnection, selection: Selection) -> dict[str, int]:
    """How many of the objects are in each state."""
    condition, tables = where(selection)
    query = (
        select(object_.c.state, func.count()).select_from(joined([], tables)).where(condition).group_by(object_.c.state)
    )
    return {row[0]: row[1] for row in await tx.execute(query)}


async def count_all(tx: AsyncConnection, project_id: ProjectId) -> tuple[int, int, int, int]:
    """All, validated, dubious and predicted objects of a project."""
    columns = (
        project_taxon.c.n_objects,
        project_taxon.c.n_validated,
        project_taxon.c.n_dubious,
        project_taxon.c.n_predicted,
    )
    query = select(*(func.coalesce(func.sum(counted), 0) for counted in columns))
    row = (await tx.execute(query.where(project_taxon.c.project_id == project_id))).one()
    return int(row[0]), int(row[1]), int(row[2]), int(row[3])


def _order(order: Order) -> Sequence[ColumnElement[Any]]:
    value = column(order.field)
    if order.field.kind in (Kind.TEXT, Kind.LETTER):
        value = collate(value.cast(Text), "C")
    if order.descending:
        sorted_ = value.desc()
        sorted_ = sorted_.nulls_last() if order.field.nulls_first else sorted_.nulls_first()
        return sorted_, object_.c.id.desc()
    sorted_ = value.asc()
    sorted_ = sorted_.nulls_first() if order.field.nulls_first else sorted_.nulls_last()
    return sorted_, object_.c.id
