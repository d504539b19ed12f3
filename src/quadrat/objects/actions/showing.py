"""The values that a list shows of its objects, of which those that seldom change are remembered."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.objects.columns.rows import Row, Rows
from quadrat.objects.frames.specs import NO_ID, UNCLASSIFIED, Ids
from quadrat.objects.rules.fields import Field, Table
from quadrat.objects.store import listing as store

_MOST_REMEMBERED = 1_000  # objects of one list
# What columns in memory know, in this order; all else of an object stays until the project's content changes.
_OWN = ("objid", "acquisid", "classif_id", "classif_qual")
_DECISIONS = frozenset({"classif_who", "classif_when", "classif_auto_id", "classif_auto_score", "classif_auto_when"})
# What stays until the tree of taxa changes.
_OF_TAXA = frozenset({"id", "name", "display_name", "parent_id", "taxotype"})


@dataclass(frozen=True, slots=True)
class Marks:
    """What remembered values belong to.

    Args:
        content: The project and the mark of what its objects hold.
        tree: The mark of the taxa.
    """

    content: Hashable
    tree: Hashable


@dataclass(frozen=True, slots=True)
class _Plan:
    """How rows are put together.

    Args:
        of_objects: Fields that an object keeps.
        of_taxa: Fields that a taxon keeps.
        pick: A row of all fields, from the own values, those of the object and those of the taxon, one after the other.
    """

    of_objects: tuple[Field, ...]
    of_taxa: tuple[Field, ...]
    pick: Callable[[Row], Sequence[Any]]


async def show(
    tx: AsyncConnection, rows: Rows, known: store.Known, fields: Sequence[Field], marks: Marks | None
) -> Sequence[Sequence[Any]]:
    """The values of the fields, a row for each object in its order.

    Args:
        tx: Where to read what is not remembered.
        rows: What is remembered.
        known: The objects, with what columns in memory know.
        fields: Which fields.
        marks: As they were before the objects were looked for; None to remember nothing.
    """
    plan = _plan(tuple(fields))
    if plan is None or marks is None or len(known.object_ids) > _MOST_REMEMBERED:
        return in_order(known.object_ids, await store.details_of_known(tx, known, fields), fields)
    ids, taxa = known.object_ids.tolist(), known.taxon_ids.tolist()
    of_objects: Mapping[int, Row] = {}
    of_taxa: Mapping[int, Row] = {}
    if plan.of_objects:
        of_objects = await _objects(tx, rows, known, plan.of_objects, marks)
    if plan.of_taxa:
        of_taxa = await _taxa(tx, rows, taxa, plan.of_taxa, marks)
    no_object, no_taxon = (None,) * len(plan.of_objects), (None,) * len(plan.of_taxa)
    own = zip(ids, known.acquisition_ids.tolist(), taxa, known.letters.tolist(), strict=True)
    pick = plan.pick
    return [
        pick(
            (
                id_,
                acquisition_id,
                None if taxon_id == NO_ID else taxon_id,
                None if letter == UNCLASSIFIED else chr(letter),
                *of_objects.get(id_, no_object),
                *of_taxa.get(taxon_id, no_taxon),
            )
        )
        for id_, acquisition_id, taxon_id, letter in own
    ]


async def _objects(
    tx: AsyncConnection, rows: Rows, known: store.Known, fields: tuple[Field, ...], marks: Marks
) -> Mapping[int, Row]:
    mark = (marks.content, fields)
    found, missing = rows.find(mark, known.object_ids.tolist())
    if missing:
        is_missing = np.isin(known.object_ids, missing)
        read = await store.details_of_known(tx, known.of(is_missing), fields)
        rows.keep(mark, read)
        found |= read
    return found


async def _taxa(
    tx: AsyncConnection, rows: Rows, taxa: Sequence[int], fields: tuple[Field, ...], marks: Marks
) -> Mapping[int, Row]:
    mark = (marks.tree, fields)
    found, missing = rows.find(mark, [id_ for id_ in dict.fromkeys(taxa) if id_ != NO_ID])
    if missing:
        read = await store.details_of_taxa(tx, missing, fields)
        rows.keep(mark, read)
        found |= read
    return found


@lru_cache(200)
def _plan(fields: tuple[Field, ...]) -> _Plan | None:
    """None when one of the fields has to be read each time."""
    of_objects: list[Field] = []
    of_taxa: list[Field] = []
    for field in fields:
        if field.table is Table.OBJECT and field.name in _OWN:
            continue
        if field.table in (Table.FREE, Table.IMAGE) or (field.table is Table.OBJECT and field.name not in _DECISIONS):
            of_objects.append(field)
        elif field.table in (Table.TAXON, Table.PARENT) and field.name in _OF_TAXA:
            of_taxa.append(field)
        else:
            return None
    kept = {field: len(_OWN) + place for place, field in enumerate([*of_objects, *of_taxa])}
    at = [kept[field] if field in kept else _OWN.index(field.name) for field in fields]
    pick: Callable[[Row], Sequence[Any]] = itemgetter(*at) if len(at) > 1 else lambda row: (row[at[0]],)
    return _Plan(tuple(of_objects), tuple(of_taxa), pick)


def in_order(object_ids: Ids, found: Mapping[int, Sequence[Any]], fields: Sequence[Field]) -> Sequence[Sequence[Any]]:
    """Rows in the order of the objects; of None for one that has just gone."""
    gone = (None,) * len(fields)
    return [found.get(id_, gone) for id_ in object_ids.tolist()]
