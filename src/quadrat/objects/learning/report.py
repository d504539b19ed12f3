"""How good a classifier is, before anybody has looked at its predictions. Only the process that learns imports it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from quadrat.objects.frames.specs import Ids, Numbers, Positions
from quadrat.objects.learning.sampling import folds, sample

FOLDS = 5
# Larger sets are judged by a part of them, so that the report costs less than the learning itself.
TESTED = 6_000
_CURVE = (0.1, 0.25, 0.5)

Train = Callable[[Numbers, Ids], Any]


def cross_validate(values: Numbers, labels: Ids, train: Train, progress: Callable[[float], None]) -> dict[str, Any]:
    """Figures of classifiers that were each tested on objects which they had not learned.

    Args:
        values: Complete rows of features.
        labels: Taxon of each row.
        train: Makes a trained classifier of rows and labels.
        progress: Is told how much is done, 0 to 1.

    Returns:
        The parts of the report that need a test; empty when there are too few objects or classes for one.
    """
    classes = np.unique(labels)
    if len(classes) < 2 or len(labels) < 2 * FOLDS:
        return {}
    fold = folds(labels, FOLDS)
    said = np.empty(len(labels), labels.dtype)
    steps = FOLDS + len(_CURVE)
    for number in range(FOLDS):
        learned = fold != number
        said[~learned] = train(values[learned], labels[learned]).predict(values[~learned])
        progress((number + 1) / steps)
    figures = _figures(labels, said, classes)
    figures["learning_curve"] = _learning_curve(values, labels, fold, train, said)
    progress(1.0)
    return figures


def _figures(labels: Ids, said: Ids, classes: Ids) -> dict[str, Any]:
    confusion = confusion_matrix(labels, said, labels=classes)
    right = np.diag(confusion)
    n_true, n_said = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = right / n_true
    precision = np.divide(right, n_said, out=np.zeros(len(classes)), where=n_said > 0)
    return {
        "folds": FOLDS,
        "n_tested": len(labels),
        "accuracy": float(right.sum() / len(labels)),
        "balanced_accuracy": float(recall.mean()),
        "classes": [
            {
                "taxon_id": int(classes[i]),
                "n_tested": int(n_true[i]),
                "recall": float(recall[i]),
                "precision": float(precision[i]) if n_said[i] else None,
            }
            for i in range(len(classes))
        ],
        "confusion": confusion.tolist(),
    }


def _learning_curve(
    values: Numbers, labels: Ids, fold: Positions, train: Train, said: Ids
) -> list[dict[str, float | int]]:
    """Accuracy on the first fold after learning parts of the others."""
    tested = fold == 0
    others = np.flatnonzero(~tested)
    points: list[dict[str, float | int]] = []
    for part in _CURVE:
        chosen = others[sample(labels[others], max(2, round(part * len(others))))]
        if len(np.unique(labels[chosen])) < 2:
            continue
        right = train(values[chosen], labels[chosen]).predict(values[tested]) == labels[tested]
        points.append({"n_objects": len(chosen), "accuracy": float(right.mean())})
    whole = said[tested] == labels[tested]
    points.append({"n_objects": len(others), "accuracy": float(whole.mean())})
    return points
