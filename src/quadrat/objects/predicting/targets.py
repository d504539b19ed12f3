"""What all ways to predict share: who asks, which objects, and how guesses are written."""

from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import caller_in_name_of
from quadrat.identity.types import Caller
from quadrat.jobs.registry import JobContext
from quadrat.objects.actions.access import open_set, open_sets
from quadrat.objects.actions.queries import read_selection
from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.prediction_types import PredictionRequest, TrainingId
from quadrat.objects.rules.filters import StatusFilter
from quadrat.objects.store import classification
from quadrat.objects.store import learning as store
from quadrat.objects.types import Permission

Guessed = tuple[Ids, Ids, Numbers]
"""Objects, and taxa and scores of shape (objects, 3), the best first; -1 and 0 where there are fewer."""


async def owner_of(tx: AsyncConnection, context: JobContext[Any], request: PredictionRequest) -> Caller:
    """Whoever asked for the job, and may still do so.

    Raises:
        QuadratError: not_found, forbidden.
    """
    owner_id = context.job.owner_id
    caller = None if owner_id is None else await caller_in_name_of(tx, owner_id)
    if caller is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "Whoever asked for this prediction is gone.")
    await open_set(tx, caller, request.project_id, Permission.PREDICT)
    await open_sets(tx, caller, list(request.source_project_ids), Permission.READ)
    return caller


async def select_targets(tx: AsyncConnection, caller: Caller, request: PredictionRequest) -> Ids:
    """The objects that are to be predicted, by number."""
    filters = {**request.filters, "statusfilter": StatusFilter.UNDECIDED.value}
    return await store.load_selected(tx, await read_selection(tx, caller, request.project_id, filters))


async def write_guesses(
    tx: AsyncConnection, change: classification.Change, training_id: TrainingId, block: Guessed
) -> int:
    """Write predictions where no person has decided in the meantime; how many."""
    ids, taxa, scores = block
    best = ids, np.ascontiguousarray(taxa[:, 0]), np.ascontiguousarray(scores[:, 0])
    n = await classification.predict(tx, change, best, keep_log=True, on_decided=False)
    await store.keep_guesses(tx, training_id, change.at, ids, (taxa, scores))
    await store.note_done(tx, training_id, len(ids), n)
    return n
