"""The job that predicts: learn, guess, keep the guesses, write them block by block.

What was learned and all guesses are kept in one transaction, and each block leaves in the one that writes it. So a job
whose worker was lost goes on where it was, and writes nothing twice.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import caller_in_name_of
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs.registry import JobContext
from quadrat.objects.actions.access import open_set, open_sets
from quadrat.objects.actions.queries import read_selection
from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.learning.process import Learner, open_learner
from quadrat.objects.predicting.features import BLOCK, feature_columns, load_learning_set, load_values
from quadrat.objects.prediction_types import PredictionRequest, Training
from quadrat.objects.rules.filters import StatusFilter
from quadrat.objects.store import classification
from quadrat.objects.store import learning as store
from quadrat.objects.store.clock import tick
from quadrat.objects.types import Permission

Block = tuple[Ids, Ids, Numbers]
_LOADED, _LEARNED, _GUESSED = 5.0, 60.0, 75.0


async def predict(context: JobContext[Any], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Predict the objects of a project that no person has decided on. Safe to repeat, see above."""
    request = msgspec.convert(params, PredictionRequest)
    async with context.db.begin() as tx:
        await store.forget_unfinished(tx, context.job)
        training = await store.find_training(tx, context.job.id)
    if training is None:
        training = await _learn_and_guess(context, request)
    return {"rowcount": await _write(context, training, request.project_id)}


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


async def _learn_and_guess(context: JobContext[Any], request: PredictionRequest) -> Training:
    await context.progress(0, "Reading what is to be learned")
    async with context.db.snapshot() as tx:
        targets = await select_targets(tx, await owner_of(tx, context, request), request)
        columns = await feature_columns(tx, request.project_id, request.features)
        learning_set = await load_learning_set(tx, request)
    await context.log(f"{len(learning_set.labels)} objects to learn from, {len(targets)} to predict")

    async def progress(done: float, message: str) -> None:
        await context.progress(_LOADED + (_LEARNED - _LOADED) * done, message)

    with TemporaryDirectory(prefix="quadrat-predict-") as folder:
        async with open_learner(Path(folder)) as learner:
            found = await learner.learn(learning_set.values, learning_set.labels, request.classifier, progress)
            del learning_set
            blocks = []
            for start in range(0, len(targets), BLOCK):
                ids = targets[start : start + BLOCK]
                blocks.append(await _guess(context, learner, request.project_id, ids, columns))
                done = (start + len(ids)) / len(targets)
                await context.progress(_LEARNED + (_GUESSED - _LEARNED) * done, f"Predicted {start + len(ids)} objects")
    async with context.db.begin() as tx:
        report = await _named(tx, request.features, found)
        return await store.insert_training(tx, context.job, report, blocks)


async def _guess(
    context: JobContext[Any], learner: Learner, project_id: ProjectId, ids: Ids, columns: Sequence[Any]
) -> Block:
    async with context.db.begin() as tx:
        values = await load_values(tx, project_id, ids, columns)
    return ids, *await learner.guess(values)


async def _write(context: JobContext[Any], training: Training, project_id: ProjectId) -> int:
    """Write the blocks that are left; how many objects have got a prediction, earlier runs included."""
    n_done, n_written = training.n_done, training.n_written
    while True:
        async with context.db.begin() as tx:
            # The clock first: whoever comes second, a lost run that was only slow, finds the block gone.
            change = classification.Change(project_id, await tick(tx, project_id), now())
            block = await store.take_block(tx, training.id)
            if block is None:
                break
            n = await write_guesses(tx, change, training, block)
        n_done, n_written = n_done + len(block[0]), n_written + n
        share = n_done / training.n_targets
        await context.progress(_GUESSED + (100 - _GUESSED) * share, f"Wrote {n_written} predictions")
    await context.log(f"{n_written} predictions written")
    return n_written


async def write_guesses(tx: AsyncConnection, change: classification.Change, training: Training, block: Block) -> int:
    """Write predictions where no person has decided in the meantime; how many."""
    ids, taxa, scores = block
    best = ids, np.ascontiguousarray(taxa[:, 0]), np.ascontiguousarray(scores[:, 0])
    n = await classification.predict(tx, change, best, keep_log=True, on_decided=False)
    await store.keep_guesses(tx, training.id, change.at, ids, (taxa, scores))
    await store.note_done(tx, training.id, len(ids), n)
    return n


async def _named(tx: AsyncConnection, features: Sequence[str], found: Mapping[str, Any]) -> dict[str, Any]:
    """The report with names in place of positions and numbers."""
    n_learned = {int(taxon_id): n for taxon_id, n in found["n_learned_by_taxon"].items()}
    names = await store.taxon_labels(tx, list(n_learned))
    tested = {each["taxon_id"]: each for each in found.get("classes", ())}
    used = [features[position] for position in found["kept"]]
    importances = sorted(zip(found.get("importances", ()), used, strict=False), key=lambda pair: -pair[0])
    reasons = {"missing": "missing in more than a quarter of the objects", "constant": "the same for all objects"}
    return {
        "classifier": found["classifier"],
        "n_learned": found["n_learned"],
        "n_tested": found.get("n_tested", 0),
        "folds": found.get("folds", 0),
        "accuracy": found.get("accuracy"),
        "balanced_accuracy": found.get("balanced_accuracy"),
        "features": used,
        "left_out": [
            {"feature": features[position], "reason": reason}
            for name, reason in reasons.items()
            for position in found[name]
        ],
        "classes": [
            {
                "taxon_id": taxon_id,
                "name": names.get(taxon_id, str(taxon_id)),
                "n_learned": n,
                "n_tested": tested.get(taxon_id, {}).get("n_tested", 0),
                "recall": tested.get(taxon_id, {}).get("recall"),
                "precision": tested.get(taxon_id, {}).get("precision"),
            }
            for taxon_id, n in n_learned.items()
        ],
        "confusion": found.get("confusion", []),
        "importances": [{"feature": name, "importance": value} for value, name in importances],
        "learning_curve": found.get("learning_curve", []),
    }
