"""More than one prediction for an object."""

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.objects.frames.specs import Ids
from quadrat.objects.store.arrays import any_of, to_ids
from quadrat.objects.tables import object_, prediction

_ROWS_AT_A_TIME = 5_000


async def keep(tx: AsyncConnection, guesses: Mapping[int, Sequence[tuple[int, float]]]) -> None:
    """Keep the guesses beside the prediction that has just been written for each object."""
    query = select(object_.c.id, object_.c.predicted_at).where(any_of(object_.c.id, to_ids(list(guesses))))
    rows = [
        {
            "object_id": id_,
            "predicted_at": at,
            "taxon_ids": [taxon for taxon, _ in guesses[id_]],
            "scores": [score for _, score in guesses[id_]],
        }
        for id_, at in await tx.execute(query)
    ]
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        statement = insert(prediction).values(rows[start : start + _ROWS_AT_A_TIME])
        new = statement.excluded
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=[prediction.c.object_id],
                set_={
                    "predicted_at": new.predicted_at,
                    "taxon_ids": new.taxon_ids,
                    "scores": new.scores,
                    "training_id": None,
                },
            )
        )


async def find(tx: AsyncConnection, object_ids: Ids) -> Sequence[tuple[int, int, float]]:
    """Object, taxon and score of the last predictions, by object, the best first."""
    query = (
        select(
            object_.c.id,
            object_.c.predicted_taxon_id,
            object_.c.predicted_score,
            prediction.c.taxon_ids,
            prediction.c.scores,
        )
        .outerjoin(
            prediction,
            and_(prediction.c.object_id == object_.c.id, prediction.c.predicted_at == object_.c.predicted_at),
        )
        .where(any_of(object_.c.id, object_ids), object_.c.predicted_taxon_id.is_not(None))
        .order_by(object_.c.id)
    )
    found: list[tuple[int, int, float]] = []
    for id_, taxon, score, taxa, scores in await tx.execute(query):
        guesses = [(taxon, score)] if taxa is None else list(zip(taxa, scores, strict=True))
        found += [(id_, *guess) for guess in guesses]
    return found
