"""Which objects a person should look at next."""

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.actions.access import open_set
from quadrat.objects.actions.classification import Filters
from quadrat.objects.actions.queries import read_selection, select_objects
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.frames import specs
from quadrat.objects.frames.specs import Ids
from quadrat.objects.rules.filters import StatusFilter
from quadrat.objects.rules.suggesting import choose, uncertainty
from quadrat.objects.store import learning as store
from quadrat.objects.store.projects import free_columns
from quadrat.objects.store.vectors import load_vectors
from quadrat.objects.types import Permission

# The most uncertain objects, among which those that differ are chosen.
_CANDIDATES = 5_000
_MOST_FEATURES = 256


async def suggest(
    tx: AsyncConnection, cache: ColumnCache, caller: Caller, project_id: ProjectId, filters: Filters, n: int
) -> Ids:
    """The n predicted objects whose review would help most, in the order in which to look at them.

    Args:
        tx: The transaction.
        cache: Columns in memory.
        caller: Who would look.
        project_id: Where.
        filters: Which objects; their state is always "predicted".
        n: How many.

    Raises:
        QuadratError: not_found, forbidden; invalid filters.
    """
    await open_set(tx, caller, project_id, Permission.CLASSIFY)
    predicted = {**filters, "statusfilter": StatusFilter.PREDICTED.value}
    selected = await select_objects(tx, cache, await read_selection(tx, caller, project_id, predicted))
    object_ids, best, second = await store.load_scores(tx, selected)
    unsure = uncertainty(best, second)
    candidates = np.sort(np.argsort(-unsure, kind="stable")[: max(n, _CANDIDATES)])
    object_ids, unsure = object_ids[candidates], unsure[candidates]
    features = await load_vectors(tx, object_ids)
    if not features.shape[1]:
        names = (await free_columns(tx, project_id)).object_numbers[:_MOST_FEATURES]
        columns = [specs.number(position) for position in range(len(names))]
        features = await store.load_features(tx, project_id, object_ids, columns)
    chosen = await cache.compute(lambda: choose(unsure, features, n))
    return object_ids[chosen]
