"""Decisions in batches that can be sent twice and taken back."""

from uuid import UUID

import numpy as np

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.schemas import Annotations, AnnotationsDone, AnnotationsUndone
from quadrat.api.wire import Tx
from quadrat.objects.actions import annotation
from quadrat.objects.types import State

router = new_router("Annotations")


@router.post("/annotations", operation_id="annotations_create")
async def annotations_create(body: Annotations, caller: SignedIn, tx: Tx) -> AnnotationsDone:
    """Decide on objects of one project."""
    decisions = annotation.Decisions(
        np.array(body.target_ids, np.int64), np.array(body.classifications, np.int64), State(body.wanted_qualification)
    )
    return AnnotationsDone(changed=await annotation.annotate(tx, caller, body.id, decisions))


@router.post("/annotations/{batch_id}/undo", operation_id="annotations_undo")
async def annotations_undo(batch_id: UUID, caller: SignedIn, tx: Tx) -> AnnotationsUndone:
    """Put back what the batch changed, unless someone has touched it since."""
    undone, changed = await annotation.undo_annotation(tx, caller, batch_id)
    return AnnotationsUndone(undone=undone, changed=changed)
