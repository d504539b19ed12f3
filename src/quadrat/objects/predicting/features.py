"""Which objects are learned from, and their features, out of the database."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import ProjectId
from quadrat.objects.frames.specs import Column, Form, Ids, Numbers, of_field
from quadrat.objects.prediction_types import PredictionRequest
from quadrat.objects.rules.fields import find_field
from quadrat.objects.store import learning as store
from quadrat.objects.store.projects import free_columns

BLOCK = 10_000
_SEED = 0
_NUMBERS = (Form.FLOAT, Form.INTEGER)


@dataclass(frozen=True, slots=True)
class LearningSet:
    """What is learned from.

    Args:
        object_ids: Of each source, rising.
        labels: Taxa to learn, of all objects, source after source.
        values: Objects x features, NaN for what is missing.
    """

    object_ids: dict[ProjectId, Ids]
    labels: Ids
    values: Numbers


async def feature_columns(tx: AsyncConnection, project_id: ProjectId, features: Sequence[str]) -> list[Column]:
    """The columns that have the features in a project.

    Raises:
        QuadratError: invalid, naming all that the project lacks or that are no numbers.
    """
    free = await free_columns(tx, project_id)
    columns, missing, others = [], [], []
    for name in features:
        field = find_field(name, free)
        column = None if field is None else of_field(field)
        if field is None:
            missing.append(name)
        elif column is None or column.form not in _NUMBERS:
            others.append(name)
        else:
            columns.append(column)
    if missing:
        raise QuadratError(ErrorKind.INVALID, f"Project {project_id} has no feature {', '.join(missing)}.")
    if others:
        raise QuadratError(ErrorKind.INVALID, f"Nothing can be learned from {', '.join(others)}: these are no numbers.")
    return columns


async def load_learning_set(tx: AsyncConnection, request: PredictionRequest) -> LearningSet:
    """Validated objects of the sources in the categories, at most so many of each, with their features.

    Raises:
        QuadratError: invalid when there are none, or a source lacks a feature.
    """
    found: dict[ProjectId, tuple[Ids, Ids]] = {}
    columns = {}
    for project_id in dict.fromkeys(request.source_project_ids):
        columns[project_id] = await feature_columns(tx, project_id, request.features)
        found[project_id] = await store.load_validated(tx, project_id, request.categories)
    taxa = np.concatenate([taxa for _, taxa in found.values()])
    if not len(taxa):
        raise QuadratError(
            ErrorKind.INVALID, "There is nothing to learn from: no source has a validated object in these categories."
        )
    chosen = _limited(taxa, request.learning_limit)
    object_ids, values, start = {}, [], 0
    for project_id, (ids, _) in found.items():
        object_ids[project_id] = ids[chosen[start : start + len(ids)]]
        start += len(ids)
        values.append(await load_values(tx, project_id, object_ids[project_id], columns[project_id]))
    return LearningSet(object_ids, _mapped(taxa[chosen], request.mapping), np.concatenate(values))


async def load_values(
    tx: AsyncConnection, project_id: ProjectId, object_ids: Ids, columns: Sequence[Column]
) -> Numbers:
    """Features of any number of objects, in blocks."""
    parts = [
        await store.load_features(tx, project_id, object_ids[start : start + BLOCK], columns)
        for start in range(0, len(object_ids), BLOCK)
    ]
    return np.concatenate(parts) if parts else np.empty((0, len(columns)))


def _limited(taxa: Ids, limit: int | None) -> Ids:
    """Which objects are taken: at most so many of each taxon, by chance, the same ones every time."""
    chosen = np.ones(len(taxa), bool)
    if limit is None:
        return chosen
    chance = np.random.default_rng(_SEED)
    for taxon in np.unique(taxa):
        members = np.flatnonzero(taxa == taxon)
        chosen[chance.permutation(members)[limit:]] = False
    return chosen


def _mapped(taxa: Ids, mapping: Sequence[tuple[int, int]]) -> Ids:
    labels = taxa.copy()
    for before, after in mapping:
        labels[taxa == before] = after
    return labels
