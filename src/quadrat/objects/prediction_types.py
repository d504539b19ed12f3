"""A prediction as it is asked for, and what is known of one that is under way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from quadrat.identity.types import ProjectId

TrainingId = NewType("TrainingId", int)
MOST_GUESSES = 3


class Classifier(StrEnum):
    """Ways to learn; bench/objects-ml/predict.py compares them."""

    RANDOM_FOREST = "random_forest"
    EXTRA_TREES = "extra_trees"
    ENSEMBLE = "ensemble"


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """What is to be predicted, and learned from what.

    Args:
        project_id: Whose objects are predicted.
        filters: Which of them, as texts by the names of the wire API; the state is always "not decided by a person".
        source_project_ids: Whose validated objects are learned from.
        learning_limit: Most objects of each category; None for all.
        features: Names of measured features as callers write them.
        categories: Taxa that are learned.
        mapping: Pairs of taxa: objects of the first are learned as the second.
        use_network: Whether what the project's network makes of the images counts as features too.
        classifier: How to learn.
        model: ``project/model/version`` of a served model or pipeline that predicts instead of learning here.
        labels: What the served model's answers mean: pairs of label and taxon, before what names say.
    """

    project_id: ProjectId
    filters: Mapping[str, str | None]
    source_project_ids: Sequence[ProjectId] = ()
    learning_limit: int | None = None
    features: Sequence[str] = ()
    categories: Sequence[int] = ()
    mapping: Sequence[tuple[int, int]] = ()
    use_network: bool = False
    classifier: Classifier = Classifier.RANDOM_FOREST
    model: str | None = None
    labels: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class Training:
    """One learning whose guesses are being written, or were.

    Args:
        id: Its number.
        facts: The report, for people.
        n_targets: How many objects it is about.
        n_done: How many of them have been dealt with.
        n_written: How many of those got a prediction.
    """

    id: TrainingId
    n_targets: int
    n_done: int = 0
    n_written: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
