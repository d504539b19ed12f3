"""Predictions by a served model or pipeline: each block is asked about, waited for and written in its turn.

Requests are made in the transaction that notes their ids in the block, and the block leaves in the one that writes what
came of them. So a job that goes on after a lost one waits for the same requests and writes each answer once.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import ProjectId
from quadrat.jobs.registry import JobCancelledError, JobContext
from quadrat.objects.asking import BLOCK, Answer, Asker, open_served
from quadrat.objects.frames.specs import Column, Ids, Numbers
from quadrat.objects.predicting.features import feature_columns, load_values
from quadrat.objects.predicting.targets import owner_of, select_targets, write_guesses
from quadrat.objects.prediction_types import MOST_GUESSES, PredictionRequest, Training, TrainingId
from quadrat.objects.rules.answers import InputPlan, plan_input, read_labels
from quadrat.objects.store import classification
from quadrat.objects.store import imports as taxon_store
from quadrat.objects.store import learning as store
from quadrat.objects.store.clock import tick
from quadrat.objects.store.learning import OpenBlock
from quadrat.serving.actions.withdrawal import withdraw_requests
from quadrat.serving.files import Files

# Enough that the model need not wait while answers are written.
_AHEAD = 4
_SHOWN = 10


async def predict_served(
    context: JobContext[Any], request: PredictionRequest, training: Training | None
) -> Mapping[str, Any]:
    """Have a served model say what objects are, and write that down."""
    asker, questions, training = await _open(context, request, training)
    try:
        return await _ask_all(context, request, training, (asker, questions))
    except (JobCancelledError, asyncio.CancelledError):
        # Shielded, because whoever cancels has no patience for this.
        await asyncio.shield(_give_up(context, training.id))
        raise


async def _ask_all(
    context: JobContext[Any], request: PredictionRequest, training: Training, by: tuple[Asker, "_Questions"]
) -> Mapping[str, Any]:
    asker, questions = by
    labels = _Labels(request.labels)
    n_written = training.n_written
    while True:
        async with context.db.begin() as tx:
            waiting = await store.list_blocks(tx, training.id, _AHEAD)
        if not waiting:
            break
        asked = [await questions.ask(context.db, asker, training.id, block) for block in waiting]
        n_written += await _write(context.db, (asker, labels), (training.id, request.project_id), asked[0])
        share = min(1.0, (asked[0].number + 1) * BLOCK / training.n_targets)
        await context.progress(100 * share, f"Wrote {n_written} predictions")
    await context.log(f"{n_written} predictions written", *labels.problems())
    if labels.unread and not n_written:
        raise QuadratError(ErrorKind.INVALID, "; ".join(labels.problems()))
    return {"rowcount": n_written}


async def _give_up(context: JobContext[Any], training_id: TrainingId) -> None:
    """Take the requests back when somebody has cancelled the job; when only its worker ends, another one goes on."""
    try:
        await context.check_cancelled()
    except JobCancelledError:
        async with context.db.begin() as tx:
            await withdraw_requests(tx, await store.forget_training(tx, training_id))


async def _open(
    context: JobContext[Any], request: PredictionRequest, training: Training | None
) -> tuple[Asker, "_Questions", Training]:
    """Who is asked, how, and what is left to ask about."""
    assert request.model is not None  # noqa: S101 - whoever calls has looked
    async with context.db.begin() as tx:
        caller = await owner_of(tx, context, request)
        served = await open_served(tx, caller, request.model)
        plan = plan_input(served.input, request.features)
        columns = await feature_columns(tx, request.project_id, request.features)
        if training is None:
            targets = await select_targets(tx, caller, request)
            blocks = [(targets[start : start + BLOCK], None, None) for start in range(0, len(targets), BLOCK)]
            training = await store.insert_training(tx, context.job, {}, blocks)
    files = Files(context.db, context.resources.blobs, context.resources.runner)
    asker = Asker(context.db, context.resources.blobs, files, caller, served)
    return asker, _Questions(request.project_id, plan, columns), training


@dataclass(frozen=True, slots=True)
class _Questions:
    """How objects of a project become requests."""

    project_id: ProjectId
    plan: InputPlan
    columns: Sequence[Column]

    async def ask(self, db: Database, asker: Asker, training_id: TrainingId, block: OpenBlock) -> OpenBlock:
        """The block with the requests that are made for it, or were."""
        if block.request_ids is not None:
            return block
        async with db.begin() as tx:
            values = await load_values(tx, self.project_id, block.object_ids, self.columns)
        ids, items = await asker.make_items(self.plan, self.project_id, block.object_ids, values)
        async with db.begin() as tx:
            request_ids = await asker.ask(tx, items)
            await store.note_requests(tx, training_id, block.number, ids, request_ids)
        return OpenBlock(block.number, ids, request_ids)


async def _write(
    db: Database, by: tuple[Asker, "_Labels"], place: tuple[TrainingId, ProjectId], block: OpenBlock
) -> int:
    """Wait for the answers about a block and write them; how many objects have got a prediction."""
    asker, labels = by
    training_id, project_id = place
    answers = await asker.answers(block.request_ids or ())
    async with db.begin() as tx:
        change = classification.Change(project_id, await tick(tx, project_id), now())
        if not await store.remove_block(tx, training_id, block.number):
            return 0  # a later run of this job has written it
        n = await write_guesses(tx, change, training_id, await labels.read(tx, block.object_ids, answers))
        # In the same moment: nobody else would, if this process were lost in between.
        await asker.forget(tx, block.request_ids or ())
        return n


class _Labels:
    """What labels mean: what the request says, else a name or display name of a taxon, else its number."""

    def __init__(self, given: Sequence[tuple[str, int]]) -> None:
        self._taxa: dict[str, int | None] = {label.lower(): taxon for label, taxon in given}
        self.unread: Counter[str] = Counter()

    async def read(self, tx: AsyncConnection, object_ids: Ids, answers: Sequence[Answer]) -> tuple[Ids, Ids, Numbers]:
        """Objects with taxa and scores, as `write_guesses` wants them; what has no meaning is left out and counted."""
        found: list[list[tuple[str, float]]] = []
        for answer in answers:
            try:
                found.append([] if answer.problem is not None else read_labels(answer.value))
                if answer.problem is not None:
                    self.unread[f"the model failed: {answer.problem[:200]}"] += 1
            except ValueError as error:
                found.append([])
                self.unread[str(error)] += 1
        await self._look_up(tx, {label.lower() for each in found for label, _ in each})
        taxa = np.full((len(answers), MOST_GUESSES), -1, np.int64)
        scores = np.zeros((len(answers), MOST_GUESSES))
        for row, each in enumerate(found):
            known = [(taxon, score) for label, score in each if (taxon := self._taxa[label.lower()]) is not None]
            if each and not known:
                self.unread[f"no taxon is called {each[0][0][:80]!r}"] += 1
            for place, (taxon, score) in enumerate(known[:MOST_GUESSES]):
                taxa[row, place], scores[row, place] = taxon, score
        kept = taxa[:, 0] >= 0
        return object_ids[kept], taxa[kept], scores[kept]

    async def _look_up(self, tx: AsyncConnection, labels: set[str]) -> None:
        new = labels - set(self._taxa)
        if not new:
            return
        named = await taxon_store.find_taxa(tx, new)
        numbers = [int(label) for label in new if label.isdecimal()]
        known = await taxon_store.existing_taxa(tx, numbers)
        for label in new:
            by_number = int(label) if label.isdecimal() and int(label) in known else None
            self._taxa[label] = named.get(label, by_number)

    def problems(self) -> list[str]:
        """Why objects were left out, the most frequent reasons first."""
        return [f"{n} objects were left out: {reason}" for reason, n in self.unread.most_common(_SHOWN)]
