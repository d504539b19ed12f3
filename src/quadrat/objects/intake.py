"""Decisions that arrive at the same time, written together: each answer waits for one commit of many.

The decisions of a project are made one after the other anyway, since each begins with the project's clock; here they
take one turn for all who wait.
"""

from collections.abc import Sequence

import numpy as np

from quadrat.db.engine import Database
from quadrat.db.together import Together
from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.actions.classification import (
    KEEP,
    Decided,
    apart,
    check_lengths,
    check_taxa,
    classify,
    decide_together,
    objects_not_found,
)
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.door import Door
from quadrat.objects.frames.frame import Decisions
from quadrat.objects.frames.sets import distinct, last_of_each
from quadrat.objects.frames.specs import Ids, moment_of
from quadrat.objects.store.classification import Decision
from quadrat.objects.types import Permission, State

_MOST_REMEMBERED = 100_000


class Intake:
    """Takes decisions.

    Args:
        db: Where objects are.
        door: Knows who may classify.
        cache: Columns in memory, which know where objects are.
    """

    def __init__(self, db: Database, door: Door, cache: ColumnCache) -> None:
        self._db = db
        self._door = door
        self._cache = cache
        # Taxa are never deleted.
        self._taxa: set[int] = set()
        self._together = Together(self._write, "object-intake", split=apart)

    async def classify(self, caller: Caller, object_ids: Ids, taxa: Ids, state: State | None) -> int:
        """Decide on objects of one project; how many changed. See `actions.classification.classify`.

        Raises:
            QuadratError: invalid lists or taxa; not_found, forbidden.
        """
        project_id = self._cache.find_project(object_ids)
        if project_id is None:
            async with self._db.begin() as tx:
                return await classify(tx, caller, object_ids, taxa, state, self._cache)
        check_lengths(object_ids, classifications=taxa)
        await self._check_taxa(distinct(taxa[taxa != KEEP]))
        await self._door.check(caller, project_id, Permission.CLASSIFY)
        last = last_of_each(object_ids)
        return await self._together.join(project_id, Decision(object_ids[last], taxa[last], state, caller.user_id))

    async def _check_taxa(self, taxa: Ids) -> None:
        if self._taxa.issuperset(taxa.tolist()):
            return
        async with self._db.look() as tx:
            await check_taxa(tx, taxa)
        if len(self._taxa) >= _MOST_REMEMBERED:
            self._taxa.clear()
        self._taxa.update(taxa.tolist())

    async def _write(self, project_id: ProjectId, decisions: Sequence[Decision]) -> Sequence[int | Exception]:
        made = await decide_together(self._db, project_id, decisions)
        if made is not None:
            self._cache.decided(project_id, made.change.number, _as_columns(made))
            return made.counts()
        if len(decisions) == 1:
            return [objects_not_found()]
        return [outcome for each in decisions for outcome in await self._write(project_id, [each])]


def _as_columns(made: Decided) -> Decisions:
    lengths = [len(each.object_ids) for each in made.decisions]
    return Decisions(
        np.concatenate([each.object_ids for each in made.decisions]),
        np.concatenate([each.taxa for each in made.decisions]),
        np.repeat(np.array([each.letter for each in made.decisions], np.int64), lengths),
        np.repeat(np.array([each.author_id for each in made.decisions], np.int64), lengths),
        moment_of(made.change.at),
        made.object_ids,
    )
