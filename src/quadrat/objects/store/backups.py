"""What a backup keeps of objects beside the columns of its tables."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import user
from quadrat.objects.frames.specs import Ids
from quadrat.objects.store.arrays import any_of
from quadrat.objects.tables import fact, history, object_, prediction


@dataclass(frozen=True, slots=True)
class KeptPast:
    """A former state; the author by e-mail address."""

    state: str
    taxon_id: int
    entered_at: dt.datetime
    author: str | None
    score: float | None


@dataclass(frozen=True, slots=True)
class KeptObject:
    """An object.

    Args:
        orig_id: As its lab names it.
        time: Of the object.
        complement: Comment.
        decided_at: When a person decided.
        predicted_taxon_id: What a machine has said last.
        predicted_score: How sure it was.
        predicted_at: When.
        guessed_taxa: The best taxa of that prediction, where they were kept.
        guessed_scores: Their scores.
        past: Former states, the oldest first.
    """

    orig_id: str
    time: dt.time | None
    complement: str | None
    decided_at: dt.datetime | None
    predicted_taxon_id: int | None
    predicted_score: float | None
    predicted_at: dt.datetime | None
    guessed_taxa: Sequence[int] | None
    guessed_scores: Sequence[float] | None
    past: list[KeptPast] = field(default_factory=list)


async def read_kept(tx: AsyncConnection, object_ids: Ids) -> dict[int, KeptObject]:
    """Some objects by number."""
    current = and_(prediction.c.object_id == object_.c.id, prediction.c.predicted_at == object_.c.predicted_at)
    query = (
        select(
            object_.c.id,
            fact.c.orig_id,
            fact.c.time,
            fact.c.complement,
            object_.c.decided_at,
            object_.c.predicted_taxon_id,
            object_.c.predicted_score,
            object_.c.predicted_at,
            prediction.c.taxon_ids,
            prediction.c.scores,
        )
        .join(fact, fact.c.object_id == object_.c.id)
        .outerjoin(prediction, current)
        .where(any_of(object_.c.id, object_ids))
    )
    found = {row[0]: KeptObject(*row[1:]) for row in await tx.execute(query)}
    lines = (
        select(
            history.c.object_id,
            history.c.state,
            history.c.taxon_id,
            history.c.entered_at,
            user.c.email,
            history.c.score,
        )
        .outerjoin(user, user.c.id == history.c.author_id)
        .where(any_of(history.c.object_id, object_ids))
        .order_by(history.c.object_id, history.c.change)
    )
    for row in await tx.execute(lines):
        if row[0] in found:
            found[row[0]].past.append(KeptPast(*row[1:]))
    return found
