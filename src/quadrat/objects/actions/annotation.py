"""Deciding in batches that can be sent twice and taken back once."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.objects.actions.access import open_set
from quadrat.objects.actions.classification import begin_change, check_decisions, decide, open_objects
from quadrat.objects.frames.specs import Ids
from quadrat.objects.store import batches as store
from quadrat.objects.store import classification
from quadrat.objects.types import Permission, State

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a person decides in one go.

    Args:
        object_ids: Which objects, of one project.
        taxa: For each; `KEEP` for the present one.
        state: Validated or dubious.
    """

    object_ids: Ids
    taxa: Ids
    state: State


async def annotate(tx: AsyncConnection, caller: Caller, batch_id: UUID, wanted: Decisions) -> int:
    """Decide on objects; how many changed. The same batch again changes nothing and answers the same.

    Args:
        tx: The transaction.
        caller: Who decides.
        batch_id: Chosen by the caller, new for each batch.
        wanted: The decisions.

    Raises:
        QuadratError: invalid lists or taxa; not_found, forbidden; already_exists for a batch id of someone else.
    """
    await check_decisions(tx, wanted.object_ids, wanted.taxa)
    project_id = await open_objects(tx, caller, wanted.object_ids, Permission.CLASSIFY)
    change = await begin_change(tx, project_id)
    # Asked when it is our turn: the same batch may have been sent twice at once.
    known = await store.find_batch(tx, batch_id)
    if known is not None:
        if known.user_id != caller.user_id:
            raise QuadratError(ErrorKind.ALREADY_EXISTS, "Another batch has this id already.", field="id")
        return known.n_changed
    n = await decide(tx, caller, change, (wanted.object_ids, wanted.taxa), wanted.state)
    await store.delete_batches_before(tx, caller.user_id, change.at - KEPT)
    await store.insert_batch(tx, batch_id, store.Batch(change, caller.user_id, np.unique(wanted.object_ids), n, None))
    return n


async def undo_annotation(tx: AsyncConnection, caller: Caller, batch_id: UUID) -> tuple[int, int]:
    """Put every object of a batch back to exactly what it was, unless someone has touched it since.

    Returns:
        How many objects were put back, and how many had been changed by the batch.

    Raises:
        QuadratError: not_found, also for a batch of someone else; forbidden; wrong_state when it was undone before.
    """
    found = await store.find_batch(tx, batch_id, for_update=True)
    if found is None or found.user_id != caller.user_id:
        raise QuadratError(ErrorKind.NOT_FOUND, "There is no such batch of yours; batches are kept for 30 days.")
    await open_set(tx, caller, found.made.project_id, Permission.CLASSIFY)
    if found.undone_at is not None:
        raise QuadratError(ErrorKind.WRONG_STATE, "This batch has been undone already.")
    change = await begin_change(tx, found.made.project_id)
    n = await classification.undo(tx, change, found.made, found.object_ids, caller.user_id)
    await store.mark_undone(tx, batch_id)
    return n, found.n_changed
