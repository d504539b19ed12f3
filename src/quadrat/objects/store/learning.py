"""What predictions read and write beside the classification itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import LargeBinary, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.jobs.types import Job, JobId
from quadrat.objects.frames.specs import Column, Ids, Numbers, Source
from quadrat.objects.prediction_types import MOST_GUESSES, Training, TrainingId
from quadrat.objects.rules.filters import Selection
from quadrat.objects.store.arrays import any_of, binary_row, integers, numbers, read_ids, to_ids
from quadrat.objects.store.columns import load_some
from quadrat.objects.store.fields import joined
from quadrat.objects.store.filters import where
from quadrat.objects.tables import image, object_, prediction_block, taxon, training
from quadrat.objects.types import ImageId, State

_KEEP_GUESSES = text("""
INSERT INTO objects.prediction AS p (object_id, predicted_at, taxon_ids, scores, training_id)
SELECT g.id, o.predicted_at, array_remove(ARRAY[g.t1, g.t2, g.t3], -1), trim_array(
    ARRAY[g.s1, g.s2, g.s3], CAST(g.t1 = -1 AS int) + CAST(g.t2 = -1 AS int) + CAST(g.t3 = -1 AS int)), :training
FROM unnest(:ids, :t1, :t2, :t3, :s1, :s2, :s3) AS g (id, t1, t2, t3, s1, s2, s3)
JOIN objects.object o ON o.id = g.id AND o.predicted_at = :at AND o.state = 'P'
ON CONFLICT (object_id) DO UPDATE SET predicted_at = excluded.predicted_at, taxon_ids = excluded.taxon_ids,
    scores = excluded.scores, training_id = excluded.training_id
""")
# Unfinished trainings go; what comes back are the requests that were made for them.
_FORGET = """
WITH gone AS (DELETE FROM objects.training t WHERE {which} RETURNING t.id)
SELECT unnest(b.request_ids) FROM objects.prediction_block b JOIN gone ON gone.id = b.training_id
"""
_FORGET_ONE = text(_FORGET.format(which="t.id = :training"))
# Those of other jobs that still have something to write: whoever asked for them has given up.
_FORGET_UNFINISHED = text(
    _FORGET.format(
        which="""
    EXISTS (SELECT FROM objects.prediction_block b WHERE b.training_id = t.id)
    AND CASE WHEN CAST(:project AS bigint) IS NOT NULL
        THEN t.project_id = :project AND t.job_id IS DISTINCT FROM :job
        ELSE NOT EXISTS (SELECT FROM jobs.job j WHERE j.id = t.job_id AND j.state IN ('pending', 'running', 'asking'))
    END"""
    )
)


def _packed(column: Any, order: Any) -> Any:
    packed = func.string_agg(func.int8send(column), aggregate_order_by(literal(b"", LargeBinary), order))
    return func.coalesce(packed, literal(b"", LargeBinary))


async def load_validated(tx: AsyncConnection, project_id: ProjectId, taxa: Sequence[int]) -> tuple[Ids, Ids]:
    """Validated objects of a project in one of the taxa, by number, and the taxon of each."""
    query = select(_packed(object_.c.id, object_.c.id), _packed(object_.c.taxon_id, object_.c.id)).where(
        object_.c.project_id == project_id,
        object_.c.state == State.VALIDATED.value,
        any_of(object_.c.taxon_id, to_ids(taxa)),
    )
    row = (await tx.execute(query)).one()
    return read_ids(row[0]), read_ids(row[1])


async def load_selected(tx: AsyncConnection, selection: Selection) -> Ids:
    """All selected objects, by number."""
    condition, tables = where(selection)
    query = select(_packed(object_.c.id, object_.c.id)).select_from(joined([], tables)).where(condition)
    return read_ids((await tx.execute(query)).scalar_one())


async def load_features(
    tx: AsyncConnection, project_id: ProjectId, object_ids: Ids, columns: Sequence[Column]
) -> Numbers:
    """Features of objects in the order given, one column for each; NaN for what is missing.

    Args:
        tx: The transaction.
        project_id: Where the objects are.
        object_ids: Each once, rising.
        columns: Of forms that are numbers.
    """
    values = np.full((len(object_ids), len(columns)), np.nan)
    for source in Source:
        chosen = [column for column in columns if column.source is source]
        if not chosen or not len(object_ids):
            continue
        found, loaded = await load_some(tx, project_id, object_ids, chosen)
        at = np.searchsorted(object_ids, found)
        for position, column in enumerate(columns):
            if column.source is source:
                values[at, position] = loaded[column]
    return values


async def taxon_labels(tx: AsyncConnection, taxa: Sequence[int]) -> Mapping[int, str]:
    """Display name of each of the taxa."""
    rows = await tx.execute(select(taxon.c.id, taxon.c.display_name).where(any_of(taxon.c.id, to_ids(taxa))))
    return dict(rows.all())


_SCORES = """
SELECT coalesce(string_agg(int8send(o.id) || float8send(coalesce(o.predicted_score, 0))
    || float8send(coalesce(p.scores[2], 0)), '' ORDER BY o.id), '')
FROM objects.object o LEFT JOIN objects.prediction p ON p.object_id = o.id AND p.predicted_at = o.predicted_at
WHERE o.id = ANY(%(ids)s)
"""


async def load_scores(tx: AsyncConnection, object_ids: Ids) -> tuple[Ids, Numbers, Numbers]:
    """Objects by number, and the scores of the best and of the second guess of each, 0 where there is none."""
    row = await binary_row(tx, _SCORES, {"ids": integers(object_ids)})
    found = np.frombuffer(b"" if row is None else row[0], [("id", ">i8"), ("best", ">f8"), ("second", ">f8")])
    return found["id"].astype(np.int64), found["best"].astype(np.float64), found["second"].astype(np.float64)


# Trainings.


async def find_training(tx: AsyncConnection, job_id: JobId) -> Training | None:
    """What a job has learned already."""
    query = select(training.c.id, training.c.facts).where(training.c.job_id == job_id)
    row = (await tx.execute(query.order_by(training.c.id.desc()).limit(1))).one_or_none()
    return None if row is None else _to_training(row[0], row[1])


def _to_training(id_: int, facts: Mapping[str, Any]) -> Training:
    return Training(TrainingId(id_), facts["n_targets"], facts["n_done"], facts["n_written"], facts["report"])


async def insert_training(
    tx: AsyncConnection, job: Job, report: Mapping[str, Any], blocks: Sequence[tuple[Ids, Ids | None, Numbers | None]]
) -> Training:
    """Keep what was learned, with blocks of objects and the guesses for them where there are some already."""
    n_targets = sum(len(object_ids) for object_ids, _, _ in blocks)
    facts = {"report": dict(report), "n_targets": n_targets, "n_done": 0, "n_written": 0}
    values = {"project_id": job.project_id, "job_id": job.id, "author_id": job.owner_id, "facts": facts}
    id_: int = (await tx.execute(insert(training).values(values).returning(training.c.id))).scalar_one()
    for number, (object_ids, taxa, scores) in enumerate(blocks):
        await tx.execute(
            insert(prediction_block).values(
                training_id=id_,
                number=number,
                object_ids=object_ids.astype(">i8").tobytes(),
                taxa=None if taxa is None else taxa.astype(">i8").tobytes(),
                scores=None if scores is None else scores.astype(">f8").tobytes(),
            )
        )
    return _to_training(id_, facts)


async def take_block(tx: AsyncConnection, training_id: TrainingId) -> tuple[Ids, Ids, Numbers] | None:
    """Remove the next block whose guesses are there; its objects, taxa and scores. None when there is none."""
    first = (
        select(func.min(prediction_block.c.number))
        .where(prediction_block.c.training_id == training_id, prediction_block.c.taxa.is_not(None))
        .scalar_subquery()
    )
    statement = delete(prediction_block).where(
        prediction_block.c.training_id == training_id, prediction_block.c.number == first
    )
    returned = statement.returning(prediction_block.c.object_ids, prediction_block.c.taxa, prediction_block.c.scores)
    row = (await tx.execute(returned)).one_or_none()
    if row is None or row[1] is None or row[2] is None:
        return None
    taxa = read_ids(row[1]).reshape(-1, MOST_GUESSES)
    return read_ids(row[0]), taxa, np.frombuffer(row[2], ">f8").astype(np.float64).reshape(-1, MOST_GUESSES)


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """A block that a served model is asked about; None before it was."""

    number: int
    object_ids: Ids
    request_ids: Sequence[UUID] | None


async def list_blocks(tx: AsyncConnection, training_id: TrainingId, limit: int) -> list[OpenBlock]:
    """The next blocks, in order."""
    columns = (prediction_block.c.number, prediction_block.c.object_ids, prediction_block.c.request_ids)
    query = select(*columns).where(prediction_block.c.training_id == training_id)
    rows = await tx.execute(query.order_by(prediction_block.c.number).limit(limit))
    return [OpenBlock(row[0], read_ids(row[1]), row[2]) for row in rows]


async def note_requests(
    tx: AsyncConnection, training_id: TrainingId, number: int, object_ids: Ids, request_ids: Sequence[UUID]
) -> None:
    """A served model was asked about these objects of a block, and about no others of it."""
    chosen = (prediction_block.c.training_id == training_id, prediction_block.c.number == number)
    values = {"object_ids": object_ids.astype(">i8").tobytes(), "request_ids": list(request_ids)}
    await tx.execute(update(prediction_block).where(*chosen).values(values))


async def remove_block(tx: AsyncConnection, training_id: TrainingId, number: int) -> bool:
    """Whether the block was still there."""
    chosen = (prediction_block.c.training_id == training_id, prediction_block.c.number == number)
    return (await tx.execute(delete(prediction_block).where(*chosen))).rowcount == 1


async def visible_images(
    tx: AsyncConnection, project_id: ProjectId, object_ids: Ids
) -> Mapping[int, tuple[ImageId, str, str]]:
    """Number, extension and name of the image of the lowest rank of each object that has one."""
    query = (
        select(image.c.object_id, image.c.id, image.c.extension, image.c.file_name)
        .where(image.c.project_id == project_id, any_of(image.c.object_id, object_ids))
        .distinct(image.c.object_id)
        .order_by(image.c.object_id, image.c.rank)
    )
    return {row[0]: (ImageId(row[1]), row[2], row[3]) for row in await tx.execute(query)}


async def note_done(tx: AsyncConnection, training_id: TrainingId, n_done: int, n_written: int) -> None:
    """A block has been dealt with, and so many of its objects have got a prediction."""
    facts = training.c.facts
    added = func.jsonb_build_object(
        "n_done", facts["n_done"].as_integer() + n_done, "n_written", facts["n_written"].as_integer() + n_written
    )
    await tx.execute(update(training).where(training.c.id == training_id).values(facts=facts.concat(added)))


async def forget_unfinished(tx: AsyncConnection, job: Job | None = None) -> list[UUID]:
    """Remove trainings that nobody goes on writing: those of other jobs in the job's project, or of ended jobs.

    Returns:
        The batch requests that were made for them.
    """
    given = {"project": None if job is None else job.project_id, "job": None if job is None else job.id}
    return list((await tx.execute(_FORGET_UNFINISHED, given)).scalars())


async def forget_training(tx: AsyncConnection, training_id: TrainingId) -> list[UUID]:
    """Remove a training with what it has still to write; the batch requests that were made for it."""
    return list((await tx.execute(_FORGET_ONE, {"training": training_id})).scalars())


async def keep_guesses(
    tx: AsyncConnection, training_id: TrainingId, at: Any, object_ids: Ids, guesses: tuple[Ids, Numbers]
) -> None:
    """Keep the three best guesses beside the predictions that have just been written at that moment."""
    taxa, scores = guesses
    parameters: dict[str, Any] = {"training": training_id, "at": at, "ids": integers(object_ids)}
    for place in range(MOST_GUESSES):
        parameters[f"t{place + 1}"] = integers(np.ascontiguousarray(taxa[:, place]))
        parameters[f"s{place + 1}"] = numbers(np.ascontiguousarray(scores[:, place]))
    await tx.execute(_KEEP_GUESSES, parameters)


async def find_report(tx: AsyncConnection, job_id: JobId) -> Mapping[str, Any] | None:
    """What a job has learned, as people see it."""
    found = await find_training(tx, job_id)
    return None if found is None else found.facts
