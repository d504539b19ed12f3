"""Classifying objects: by people, by machines, and going back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId, UserId
from quadrat.objects.actions.access import open_set, open_sets
from quadrat.objects.actions.queries import read_selection, select_objects
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.frames.sets import distinct, last_of_each
from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.rules.classification import Reversion
from quadrat.objects.rules.filters import only_last_annotator
from quadrat.objects.store import classification as store
from quadrat.objects.store import objects as object_store
from quadrat.objects.store import predictions
from quadrat.objects.store.clock import forget_changes, is_time_to_forget, tick
from quadrat.objects.store.reclassification import log_reclassification
from quadrat.objects.types import Permission, State, TaxonId

KEEP = -1
"""Stands for "the present category" among given taxa."""
MOST_PREDICTIONS = 3
_MOST_AT_ONCE = 20_000

Filters = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Reverted:
    """What a revert did, or would do.

    Args:
        objects: Those that are concerned.
        names: Name and parent's name of the taxa among them; of a dry run only.
    """

    objects: store.Restorables
    names: Mapping[TaxonId, tuple[str, str | None]]


async def classify(
    tx: AsyncConnection,
    caller: Caller,
    object_ids: Ids,
    taxa: Ids,
    state: State | None,
    cache: ColumnCache | None = None,
) -> int:
    """Decide on objects of one project; how many changed.

    Args:
        tx: The transaction.
        caller: Who decides.
        object_ids: Which; of one that is given twice the last taxon counts.
        taxa: For each; `KEEP` for the present one.
        state: For all; None keeps the present one.
        cache: Columns in memory, which may know faster where the objects are.

    Raises:
        QuadratError: invalid lists or taxa; not_found, forbidden.
    """
    await check_decisions(tx, object_ids, taxa)
    project_id = await open_objects(tx, caller, object_ids, Permission.CLASSIFY, cache)
    return await decide(tx, caller, await begin_change(tx, project_id), (object_ids, taxa), state)


async def check_decisions(tx: AsyncConnection, object_ids: Ids, taxa: Ids) -> None:
    """Refuse unless there is one taxon, or `KEEP`, for each object.

    Raises:
        QuadratError: invalid.
    """
    check_lengths(object_ids, classifications=taxa)
    await check_taxa(tx, distinct(taxa[taxa != KEEP]))


async def decide(
    tx: AsyncConnection, caller: Caller, change: store.Change, given: tuple[Ids, Ids], state: State | None
) -> int:
    """The part of `classify` that a change has been begun for; how many objects changed."""
    object_ids, taxa = given
    last = last_of_each(object_ids)
    n, n_found = await store.decide(tx, change, (object_ids[last], taxa[last]), state, caller.user_id)
    check_found(n_found, last)
    return n


@dataclass(frozen=True, slots=True)
class Decided:
    """A change that decisions have made.

    Args:
        change: Which.
        decisions: In the order in which they were made.
        object_ids: The objects that are others now, rising.
    """

    change: store.Change
    decisions: Sequence[store.Decision]
    object_ids: Ids

    def counts(self) -> Sequence[int]:
        """How many objects each of the decisions changed."""
        return [int(np.isin(each.object_ids, self.object_ids).sum()) for each in self.decisions]


async def decide_together(db: Database, project_id: ProjectId, decisions: Sequence[store.Decision]) -> Decided | None:
    """Several decisions, which `apart` allows as one change, made for good. The callers have been admitted.

    None when they name an object that is not there; nothing has been decided then.
    """
    made = await store.decide_together(db, project_id, decisions)
    if made is None:
        return None
    change, object_ids = made
    if is_time_to_forget(change.number):
        with suppress(QuadratError):  # what has been decided stays decided; the next ones forget more
            async with db.begin() as tx:
                await forget_changes(tx, project_id, change.number)
    return Decided(change, decisions, object_ids)


def apart(decisions: Sequence[store.Decision]) -> Iterator[Sequence[store.Decision]]:
    """Runs of decisions in which no object is twice, none longer than is good."""
    run: list[store.Decision] = []
    ids = np.empty(0, np.int64)
    for each in decisions:
        both = np.concatenate([ids, each.object_ids])
        if run and (len(both) > _MOST_AT_ONCE or len(distinct(both)) < len(both)):
            yield run
            run, both = [], each.object_ids
        run.append(each)
        ids = both
    yield run


async def classify_auto(
    tx: AsyncConnection,
    caller: Caller,
    guesses: tuple[Ids, Ids, Numbers],
    *,
    keep_log: bool,
    cache: ColumnCache | None = None,
) -> int:
    """Note what a machine says of objects of one project; how many. People's decisions stay.

    Args:
        tx: The transaction.
        caller: Who brings the guesses.
        guesses: Objects, taxon and score of each; of an object that is given twice the last guess counts.
        keep_log: Whether replaced predictions go to history.
        cache: Columns in memory, which may know faster where the objects are.

    Raises:
        QuadratError: invalid lists, taxa or scores; not_found, forbidden.
    """
    object_ids, taxa, scores = guesses
    check_lengths(object_ids, classifications=taxa, scores=scores)
    _check_scores(scores)
    project_id = await open_objects(tx, caller, object_ids, Permission.CLASSIFY, cache)
    await check_taxa(tx, distinct(taxa))
    last = last_of_each(object_ids)
    change = await begin_change(tx, project_id)
    n_found = await store.predict(tx, change, (object_ids[last], taxa[last], scores[last]), keep_log=keep_log)
    check_found(n_found, last)
    return len(object_ids)


async def classify_auto_multiple(
    tx: AsyncConnection,
    caller: Caller,
    object_ids: Ids,
    guesses: Sequence[Sequence[tuple[int, float]]],
    *,
    keep_log: bool,
) -> int:
    """Note several guesses for each object: the best becomes its prediction, the three best are kept.

    Raises:
        QuadratError: as `classify_auto`.
    """
    if len(guesses) != len(object_ids) or not all(guesses):
        raise _invalid("classifications", "There must be at least one category for each object.")
    best = [sorted(each, key=lambda guess: -guess[1])[:MOST_PREDICTIONS] for each in guesses]
    scores = np.array([score for each in guesses for _, score in each], np.float64)
    _check_scores(scores)
    await check_taxa(tx, np.unique(np.array([taxon for each in guesses for taxon, _ in each], np.int64)))
    first = np.array([each[0][0] for each in best], np.int64), np.array([each[0][1] for each in best], np.float64)
    n = await classify_auto(tx, caller, (object_ids, *first), keep_log=keep_log)
    last = {int(id_): each for id_, each in zip(object_ids, best, strict=True)}
    await predictions.keep(tx, last)
    return n


async def list_predictions(tx: AsyncConnection, caller: Caller, object_ids: Ids) -> Sequence[tuple[int, int, float]]:
    """Object, taxon and score of what was predicted last, the best first; unknown objects are left out.

    Raises:
        QuadratError: forbidden.
    """
    await open_sets(tx, caller, list(await object_store.projects_of(tx, object_ids)), Permission.READ)
    return await predictions.find(tx, object_ids)


async def reclassify(
    tx: AsyncConnection,
    cache: ColumnCache,
    caller: Caller,
    project_id: ProjectId,
    filters: Filters,
    into: tuple[TaxonId, str],
) -> int:
    """Give all selected objects another taxon and leave their state; how many were selected.

    Args:
        tx: The transaction.
        cache: Columns in memory.
        caller: Who decides.
        project_id: Where.
        filters: Which objects.
        into: The taxon, and the reason, of which the first letter is kept.

    Raises:
        QuadratError: not_found, forbidden; invalid filters, taxon or reason.
    """
    await open_set(tx, caller, project_id, Permission.CLASSIFY)
    taxon_id, reason = into
    if not reason.strip():
        raise _invalid("reason", "Give a reason, such as W.")
    await check_taxa(tx, np.array([taxon_id], np.int64), field="forced_id")
    selection = await read_selection(tx, caller, project_id, filters)
    change = await begin_change(tx, project_id)
    selected = await select_objects(tx, cache, selection, before=change.number)
    await store.decide(tx, change, (selected, np.full(len(selected), taxon_id)), None, caller.user_id)
    whole = selection.conditions.one_whole_taxon
    if whole is not None:
        await log_reclassification(tx, change, (TaxonId(whole), taxon_id), reason.strip()[0], len(selected))
    return len(selected)


async def reset_to_predicted(
    tx: AsyncConnection, cache: ColumnCache, caller: Caller, project_id: ProjectId, filters: Filters
) -> None:
    """Turn the decisions on all selected objects into predictions of the same taxa.

    Raises:
        QuadratError: not_found, forbidden; invalid filters.
    """
    await open_managed(tx, caller, project_id)
    selection = await read_selection(tx, caller, project_id, filters)
    change = await begin_change(tx, project_id)
    selected = await select_objects(tx, cache, selection, before=change.number)
    await store.reset(tx, change, selected)


async def revert_to_history(
    tx: AsyncConnection,
    cache: ColumnCache,
    caller: Caller,
    project_id: ProjectId,
    filters: Filters,
    how: tuple[UserId | None, bool],
) -> Reverted:
    """Take all selected objects back to their last former state.

    Args:
        tx: The transaction.
        cache: Columns in memory.
        caller: Who does it.
        project_id: Where.
        filters: Which objects.
        how: The user whose decisions are to come back (None for the newest line of anyone), and whether to only try.

    Raises:
        QuadratError: not_found, forbidden; invalid filters.
    """
    await open_managed(tx, caller, project_id)
    target_id, dry_run = how
    not_by = only_last_annotator(filters)
    wanted = Reversion(target_id, None if not_by is None else UserId(not_by))
    selection = await read_selection(tx, caller, project_id, filters)
    change = None if dry_run else await begin_change(tx, project_id)
    before = None if change is None else change.number
    selected = await select_objects(tx, cache, selection, before=before)
    if change is not None:
        return Reverted(await store.restore(tx, change, selected, wanted), {})
    found = await store.find_restorable(tx, project_id, selected, wanted)
    taxa = distinct(np.concatenate([found.taxa, found.former_taxa]))
    return Reverted(found, await object_store.taxon_names(tx, taxa))


async def begin_change(tx: AsyncConnection, project_id: ProjectId) -> store.Change:
    """Become the project's only writer; the time is taken when it is our turn."""
    number = await tick(tx, project_id, by_number=True)
    return store.Change(project_id, number, now())


async def open_objects(
    tx: AsyncConnection,
    caller: Caller,
    object_ids: Ids,
    permission: Permission,
    cache: ColumnCache | None = None,
) -> ProjectId:
    """The one project of objects, when the caller holds the permission there.

    Whoever changes the objects looks again whether they are all there, once the project's clock is held.

    Raises:
        QuadratError: invalid for no objects or several projects, not_found, forbidden.
    """
    if not len(object_ids):
        raise _invalid("target_ids", "Name at least one object.")
    remembered = None if cache is None else cache.find_project(object_ids)
    if remembered is not None:
        await open_set(tx, caller, remembered, permission)
        return remembered
    known = await object_store.projects_of(tx, object_ids)
    await open_sets(tx, caller, list(known), permission)
    if sum(known.values()) < len(distinct(object_ids)):
        raise objects_not_found()
    if len(known) > 1:
        raise _invalid("target_ids", "All objects must be in one project.")
    return next(iter(known))


async def open_managed(tx: AsyncConnection, caller: Caller, project_id: ProjectId) -> None:
    """Refuse unless the caller manages the project: annotators may not delete, managers may.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.UPDATE)


def _invalid(field: str, message: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field=field)


def check_lengths(object_ids: Ids, **lists: Ids | Numbers) -> None:
    """Refuse lists that are not as long as that of the objects.

    Raises:
        QuadratError: invalid.
    """
    for name, values in lists.items():
        if len(values) != len(object_ids):
            raise _invalid(name, f"There are {len(values)} {name} for {len(object_ids)} objects; one each is needed.")


def _check_scores(scores: Numbers) -> None:
    if not np.all((scores >= 0) & (scores <= 1)):
        raise _invalid("scores", "Scores must be between 0 and 1.")


async def check_taxa(tx: AsyncConnection, taxa: Ids, *, field: str = "classifications") -> None:
    """Refuse numbers that are no taxa.

    Raises:
        QuadratError: invalid.
    """
    unknown = await object_store.unknown_taxa(tx, taxa)
    if unknown:
        raise _invalid(field, f"There is no taxon {', '.join(map(str, sorted(unknown)[:5]))}.")


def objects_not_found() -> QuadratError:
    """Some of the objects are not there."""
    return QuadratError(ErrorKind.NOT_FOUND, "Object not found", field="target_ids")


def check_found(n_found: int, wanted: Ids) -> None:
    """Refuse when some of the objects that were to change are gone.

    Raises:
        QuadratError: not_found.
    """
    if n_found < len(wanted):
        raise objects_not_found()
