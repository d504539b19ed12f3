"""Looking at the objects of a project: lists under any filter and order, counts, parents."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.db.extensions import has_vectors
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.actions.access import open_set, open_sets
from quadrat.objects.actions.showing import Marks, in_order, show
from quadrat.objects.columns.cache import ColumnCache, Needs, Reading
from quadrat.objects.frames import conditions as in_memory
from quadrat.objects.frames import specs
from quadrat.objects.frames.frame import View
from quadrat.objects.frames.sets import distinct
from quadrat.objects.frames.sorting import Window, sort_key, sorted_window
from quadrat.objects.frames.specs import Array, Ids, Mask
from quadrat.objects.rules.fields import Field, Order, read_fields, read_order
from quadrat.objects.rules.filters import Conditions, Selection, StatusFilter, read_filters
from quadrat.objects.store import columns as column_store
from quadrat.objects.store import listing as store
from quadrat.objects.store import vectors
from quadrat.objects.store.arrays import to_ids
from quadrat.objects.store.clock import NEVER
from quadrat.objects.store.filters import look_up, lowered
from quadrat.objects.store.objects import find_parents
from quadrat.objects.store.projects import read_project
from quadrat.objects.types import Permission, State

_DETAILS_AT_A_TIME = 5_000
_DIRECT_IDS = 1_000_000
_SHORT_LIST, _MOST_AT_ONCE = 5_000, 2_000_000
_SIMILAR = re.compile(r"ss-I([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A list as a caller asks for it.

    Args:
        filters: Texts by the names of the wire API.
        fields: Fields with commas.
        order: One field, with ``-`` in front for the other direction.
        window: Which part of the list.
    """

    filters: Mapping[str, str | None]
    fields: str | None = None
    order: str | None = None
    window: Window = field(default_factory=Window)


@dataclass(frozen=True, slots=True)
class ObjectList:
    """Objects in their order, with what stands above them.

    Args:
        object_ids: In order.
        acquisition_ids: Of each.
        sample_ids: Of each.
        fields: What the details are to hold; see `details`.
        total: How many objects there are outside the window too.
        known: What columns in memory know of the objects, where they were asked.
        marks: What may be remembered of them belongs to these.
    """

    object_ids: Ids
    acquisition_ids: Ids
    sample_ids: Ids
    fields: Sequence[Field]
    total: int
    known: store.Known | None = None
    marks: Marks | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many objects, by state."""

    total: int
    validated: int
    dubious: int
    predicted: int


@dataclass(frozen=True, slots=True)
class Parents:
    """Objects with all that they belong to, in no order."""

    object_ids: Ids
    acquisition_ids: Ids
    sample_ids: Ids
    project_ids: Ids


async def read_selection(
    tx: AsyncConnection, caller: Caller | None, project_id: ProjectId, filters: Mapping[str, str | None]
) -> Selection:
    """Filters understood and looked up; a stranger sees validated objects only.

    Raises:
        QuadratError: invalid.
    """
    conditions = read_filters(filters)
    if caller is None:
        conditions = replace(conditions, status=StatusFilter.VALIDATED)
    return await look_up(tx, project_id, conditions, None if caller is None else caller.user_id)


async def list_objects(
    tx: AsyncConnection, cache: ColumnCache, caller: Caller | None, project_id: ProjectId, wanted: ListRequest
) -> ObjectList:
    """A window of a filtered and sorted list.

    Raises:
        QuadratError: not_found, forbidden; invalid filters.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    return await list_admitted(tx, cache, caller, project_id, wanted)


async def list_admitted(
    tx: AsyncConnection, cache: ColumnCache, caller: Caller | None, project_id: ProjectId, wanted: ListRequest
) -> ObjectList:
    """As `list_objects`, for a caller who has been let in already.

    The connection need not be in a transaction, but to sort by similarity, which may have to prepare the database.

    Raises:
        QuadratError: invalid filters.
    """
    selection = await read_selection(tx, caller, project_id, wanted.filters)
    state = await read_project(tx, project_id)
    order, fields = read_order(wanted.order, state.free), read_fields(wanted.fields, state.free)
    like = _likeness(wanted)
    if like is not None:
        return await _list_similar(tx, cache, selection, int(like[1]), (fields, wanted.window))
    if not specs.is_sortable(order) or not await cache.holds(tx, project_id):
        return await _list_in_sql(tx, selection, order, fields, wanted.window)
    pattern = await _pattern(tx, selection.conditions)
    owners = None
    if specs.owner_of_field(order.field) is not None:
        owners = await column_store.ranks_of_owners(tx, project_id, order.field)
    marks = None if state.tree is None or state.clock == NEVER else Marks((project_id, state.clock.content), state.tree)
    async with cache.reading(tx, project_id, _needs(selection.conditions, order), clock=state.clock) as reading:

        def work() -> ObjectList:
            mask = in_memory.select(reading.view, selection, pattern)
            positions = _window(reading, mask, order, owners, wanted.window)
            known = _known(reading.view, positions)
            total = len(reading.view.ids) if mask is None else int(np.count_nonzero(mask))
            return ObjectList(known.object_ids, known.acquisition_ids, known.sample_ids, fields, total, known, marks)

        if _is_quick(reading, selection.conditions, order, wanted.window):
            return work()
        return await cache.compute(work)


def _known(view: View, positions: specs.Positions) -> store.Known:
    sample_ids, acquisition_ids, taxon_ids, letters = (
        view.values[column][positions].astype(np.int64)
        for column in (specs.SAMPLE, specs.ACQUISITION, specs.TAXON, specs.STATE)
    )
    return store.Known(view.ids[positions], sample_ids, acquisition_ids, taxon_ids, letters)


def _is_quick(reading: Reading, conditions: Conditions, order: Order, window: Window) -> bool:
    """Whether the window takes a moment: less than it takes to have another thread make it."""
    plain = replace(conditions, taxa=None, with_taxa_below=False, status=None, samples=None) == Conditions()
    is_short = window.size is not None and window.start + window.size <= _SHORT_LIST
    if not plain or not is_short or len(reading.view.ids) > _MOST_AT_ONCE:
        return False
    column = specs.of_field(order.field)
    if column is None:
        return specs.owner_of_field(order.field) is None
    return column.form not in (specs.Form.ID, specs.Form.RANK, specs.Form.LETTER) and reading.has_order(column)


def is_by_similarity(wanted: ListRequest) -> bool:
    """Whether the list is to be sorted by likeness to an object."""
    return _likeness(wanted) is not None


def _likeness(wanted: ListRequest) -> re.Match[str] | None:
    return _SIMILAR.fullmatch((wanted.order or "").strip())


async def select_objects(
    tx: AsyncConnection, cache: ColumnCache, selection: Selection, *, before: int | None = None
) -> Ids:
    """All selected objects, by number.

    Args:
        tx: The transaction.
        cache: Columns in memory.
        selection: Which objects.
        before: The change that the transaction is about to make, when it holds the clock.
    """
    if not await cache.holds(tx, selection.project_id):
        rows = await store.select_window(tx, selection, Order(), (0, None))
        return to_ids([row[0] for row in rows])
    pattern = await _pattern(tx, selection.conditions)
    needs = _needs(selection.conditions, Order())
    async with cache.reading(tx, selection.project_id, needs, before=before) as reading:

        def work() -> Ids:
            mask = in_memory.select(reading.view, selection, pattern)
            return reading.view.ids.copy() if mask is None else reading.view.ids[mask]

        return await cache.compute(work)


async def count_objects(
    tx: AsyncConnection,
    cache: ColumnCache,
    caller: Caller | None,
    project_id: ProjectId,
    filters: Mapping[str, str | None],
) -> Counts:
    """How many objects there are, by state.

    Raises:
        QuadratError: not_found, forbidden; invalid filters.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    selection = await read_selection(tx, caller, project_id, filters)
    if selection.conditions == Conditions():
        return Counts(*await store.count_all(tx, project_id))
    if not await cache.holds(tx, project_id):
        by_state = await store.count_by_state(tx, selection)
        return _counts(by_state)
    pattern = await _pattern(tx, selection.conditions)
    async with cache.reading(tx, project_id, _needs(selection.conditions, Order())) as reading:

        def work() -> Counts:
            mask = in_memory.select(reading.view, selection, pattern)
            states = reading.view.values[specs.STATE]
            found = np.bincount(states if mask is None else states[mask], minlength=128)
            return _counts({state.value: int(found[ord(state.value)]) for state in State})

        return await cache.compute(work)


async def list_parents(tx: AsyncConnection, cache: ColumnCache, caller: Caller, object_ids: Ids) -> Parents:
    """What objects belong to; unknown ones are left out.

    Raises:
        QuadratError: forbidden, when some of them are in a project that the caller may not read.
    """
    chosen = distinct(object_ids)
    places = await cache.find_places(tx, chosen)
    if places is not None:
        await open_set(tx, caller, places.project_id, Permission.READ)
        projects = np.full(len(chosen), places.project_id, np.int64)
        return Parents(chosen, places.acquisition_ids, places.sample_ids, projects)
    found = Parents(*await find_parents(tx, chosen))
    await open_sets(tx, caller, [ProjectId(int(id_)) for id_ in np.unique(found.project_ids)], Permission.READ)
    return found


async def details(tx: AsyncConnection, cache: ColumnCache, found: ObjectList) -> Sequence[Sequence[Any]]:
    """The values of the fields, a row for each object in its order; of None for an object that has just gone."""
    if found.known is None:
        return await _details(tx, found.object_ids, found.fields)
    return await show(tx, cache.rows, found.known, found.fields, found.marks)


async def _details(tx: AsyncConnection, object_ids: Ids, fields: Sequence[Field]) -> Sequence[Sequence[Any]]:
    return in_order(object_ids, await store.details(tx, object_ids, fields), fields)


async def stream_details(db: Database, object_ids: Ids, fields: Sequence[Field]) -> AsyncIterator[Sequence[Any]]:
    """The same for many objects, block by block; the caller has been admitted already."""
    async with db.snapshot() as tx:
        for start in range(0, len(object_ids), _DETAILS_AT_A_TIME):
            for row in await _details(tx, object_ids[start : start + _DETAILS_AT_A_TIME], fields):
                yield row


async def _list_in_sql(
    tx: AsyncConnection, selection: Selection, order: Order, fields: Sequence[Field], window: Window
) -> ObjectList:
    rows = await store.select_window(tx, selection, order, (window.start, window.size))
    total = sum((await store.count_by_state(tx, selection)).values())
    found = np.array(rows, np.int64).reshape(-1, 3)
    return ObjectList(found[:, 0], found[:, 1], found[:, 2], fields, total)


async def _list_similar(
    tx: AsyncConnection, cache: ColumnCache, selection: Selection, like: int, shown: tuple[Sequence[Field], Window]
) -> ObjectList:
    """By how much their images are like that of one object; those that cannot be compared come last."""
    if not await has_vectors(tx):
        raise QuadratError(
            ErrorKind.UNSUPPORTED,
            "This server's database lacks the extension pgvector, so objects cannot be sorted by similarity. Its "
            "operator can install it (package postgresql-<version>-pgvector, then CREATE EXTENSION vector).",
            field="order_field",
        )
    found, distance = await vectors.distances(tx, selection.project_id, like)
    if not len(found):
        raise QuadratError(
            ErrorKind.INVALID,
            f"Object {like} of this project has no deep features yet: set the project's cnn_network_id and predict "
            "with use_scn once.",
            field="order_field",
        )
    fields, window = shown
    selected = await select_objects(tx, cache, selection)

    def work() -> Ids:
        key = np.full(len(selected), np.nan)
        known = np.isin(found, selected, assume_unique=True)
        key[np.searchsorted(selected, found[known])] = distance[known]
        end = len(selected) if window.size is None else window.start + window.size
        return selected[np.argsort(key, kind="stable")[window.start : end]]

    chosen = await cache.compute(work)
    object_ids, acquisition_ids, sample_ids, _ = await find_parents(tx, chosen)
    rank = {id_: place for place, id_ in enumerate(chosen.tolist())}
    order = np.argsort([rank[id_] for id_ in object_ids.tolist()], kind="stable").astype(np.intp)
    return ObjectList(object_ids[order], acquisition_ids[order], sample_ids[order], fields, len(selected))


async def _pattern(tx: AsyncConnection, conditions: Conditions) -> str | None:
    return None if conditions.text is None else await lowered(tx, conditions.text.pattern)


def _needs(conditions: Conditions, order: Order) -> Needs:
    columns = in_memory.needed(conditions)
    sorted_by = specs.of_field(order.field) or specs.owner_of_field(order.field)
    if sorted_by is not None:
        columns.add(sorted_by)
    return Needs(frozenset(columns), conditions.annotators is not None)


def _window(
    reading: Reading, mask: Mask | None, order: Order, owners: tuple[Ids, Array] | None, window: Window
) -> specs.Positions:
    column = specs.of_field(order.field)
    key: Array | None = None
    if owners is not None:
        key = _owner_key(reading, order, owners)
    elif column is not None:
        key = sort_key(column, reading.view.values[column])

    def whole() -> specs.Positions:
        if key is None or column is None or owners is not None:
            return np.argsort(key, kind="stable") if key is not None else np.arange(len(reading.view.ids))
        return reading.permutation(column, key)

    return sorted_window(mask, len(reading.view.ids), key, window, descending=order.descending, whole=whole)


def _owner_key(reading: Reading, order: Order, owners: tuple[Ids, Array]) -> Array:
    """The rank of the thing that each object belongs to, in two bytes where that is enough."""
    column = specs.owner_of_field(order.field)
    ids, ranks = owners
    if column is None or not len(ids):
        return np.zeros(len(reading.view.ids), np.int16)
    values = reading.view.values[column]
    last = int(ranks.max(initial=0)) + 1
    if not order.field.nulls_first:
        ranks = np.where(ranks == specs.NO_ID, last, ranks)
    missing = specs.NO_ID if order.field.nulls_first else last
    kind = np.int16 if last < np.iinfo(np.int16).max else np.int32
    if ids[-1] < _DIRECT_IDS:
        # Both ends stand for "no owner", whose id is -1, and for owners that are gone.
        direct = np.full(ids[-1] + 2, missing, kind)
        direct[ids] = ranks
        return np.take(direct, values, mode="clip")
    at = np.minimum(np.searchsorted(ids, values), len(ids) - 1)
    return np.where(ids[at] == values, ranks[at], missing).astype(kind)


def _counts(by_state: Mapping[str, int]) -> Counts:
    return Counts(
        sum(by_state.values()),
        by_state.get(State.VALIDATED, 0),
        by_state.get(State.DUBIOUS, 0),
        by_state.get(State.PREDICTED, 0),
    )
