"""The job that predicts: learn, guess, keep the guesses, write them block by block.

What was learned and all guesses are kept in one transaction, and each block leaves in the one that writes it. So a job
whose worker was lost goes on where it was, and writes nothing twice.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import ProjectId
from quadrat.jobs.registry import JobContext
from quadrat.objects.frames.specs import Column, Ids, Numbers
from quadrat.objects.learning.process import Learner, open_learner
from quadrat.objects.predicting.deep import Network, open_network
from quadrat.objects.predicting.features import BLOCK, LearningSet, feature_columns, load_learning_set, load_values
from quadrat.objects.predicting.served import predict_served
from quadrat.objects.predicting.targets import Guessed, owner_of, select_targets, write_guesses
from quadrat.objects.prediction_types import PredictionRequest, Training
from quadrat.objects.store import classification
from quadrat.objects.store import learning as store
from quadrat.objects.store.clock import tick
from quadrat.serving.actions.withdrawal import withdraw_requests

_LOOKED, _LOADED, _LEARNED, _GUESSED = 5.0, 5.0, 60.0, 75.0


async def predict(context: JobContext[Any], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Predict the objects of a project that no person has decided on. Safe to repeat, see above."""
    request = msgspec.convert(params, PredictionRequest)
    async with context.db.begin() as tx:
        await withdraw_requests(tx, await store.forget_unfinished(tx, context.job))
        training = await store.find_training(tx, context.job.id)
    if request.model is not None:
        return await predict_served(context, request, training)
    if training is None:
        training = await _learn_and_guess(context, request)
    return {"rowcount": await _write(context, training, request.project_id)}


async def _learn_and_guess(context: JobContext[Any], request: PredictionRequest) -> Training:
    await context.progress(0, "Reading what is to be learned")
    async with context.db.snapshot() as tx:
        caller = await owner_of(tx, context, request)
        targets = await select_targets(tx, caller, request)
        columns = await feature_columns(tx, request.project_id, request.features)
        learning_set = await load_learning_set(tx, request)
    await context.log(f"{len(learning_set.labels)} objects to learn from, {len(targets)} to predict")
    values, names, network, width = learning_set.values, list(request.features), None, 0
    if request.use_network:
        network = await open_network(context, caller, request.project_id)
        deep = await _look_at_images(network, request.project_id, learning_set, targets)
        values = np.concatenate([values, deep], axis=1)
        width = deep.shape[1]
        names += [f"deep {position + 1}" for position in range(width)]
    guessing = _Guessing(context, request.project_id, columns, network, width)

    async def progress(done: float, message: str) -> None:
        await context.progress(_LOADED + (_LEARNED - _LOADED) * done, message)

    with TemporaryDirectory(prefix="quadrat-predict-") as folder:
        async with open_learner(Path(folder)) as learner:
            found = await learner.learn(values, learning_set.labels, request.classifier, progress)
            del learning_set, values
            blocks = [block async for block in guessing.blocks(learner, targets)]
    async with context.db.begin() as tx:
        return await store.insert_training(tx, context.job, await _named(tx, names, found), blocks)


async def _look_at_images(network: Network, project_id: ProjectId, learning_set: LearningSet, targets: Ids) -> Numbers:
    """Have all vectors made; those of the learning set."""
    for source_id, object_ids in learning_set.object_ids.items():
        await network.complete(source_id, object_ids, (0, _LOOKED))
    await network.complete(project_id, targets, (0, _LOOKED))
    parts = [await network.load(object_ids) for object_ids in learning_set.object_ids.values()]
    width = max(part.shape[1] for part in parts)
    if not width:
        raise QuadratError(ErrorKind.INVALID, "No object to learn from has an image that the network could look at.")
    return np.concatenate([part if part.shape[1] else np.full((len(part), width), np.nan) for part in parts])


@dataclass(frozen=True, slots=True)
class _Guessing:
    """Objects of a project in blocks, with what is guessed of them."""

    context: JobContext[Any]
    project_id: ProjectId
    columns: Sequence[Column]
    network: Network | None
    width: int

    async def blocks(self, learner: Learner, targets: Ids) -> AsyncIterator[Guessed]:
        for start in range(0, len(targets), BLOCK):
            ids = targets[start : start + BLOCK]
            yield ids, *await learner.guess(await self._values(ids))
            n = start + len(ids)
            percent = _LEARNED + (_GUESSED - _LEARNED) * n / len(targets)
            await self.context.progress(percent, f"Predicted {n} objects")

    async def _values(self, ids: Ids) -> Numbers:
        async with self.context.db.begin() as tx:
            values = await load_values(tx, self.project_id, ids, self.columns)
        return (
            values
            if self.network is None
            else np.concatenate([values, await self.network.load(ids, self.width)], axis=1)
        )


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
            n = await write_guesses(tx, change, training.id, block)
        n_done, n_written = n_done + len(block[0]), n_written + n
        share = n_done / training.n_targets
        await context.progress(_GUESSED + (100 - _GUESSED) * share, f"Wrote {n_written} predictions")
    await context.log(f"{n_written} predictions written")
    return n_written


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
