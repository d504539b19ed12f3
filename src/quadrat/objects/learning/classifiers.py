"""The ways to learn. Only the process that learns imports this: it loads scikit-learn."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import SVC

from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.learning.sampling import sample
from quadrat.objects.prediction_types import MOST_GUESSES, Classifier

TREES = 300
# Enough to see how good a forest is.
TRIAL_TREES = 100
_SEED = 0
# What a kernel machine costs grows with the square of them.
_KERNEL_ROWS = 10_000
# How much a class that wins one more of the pairwise decisions is preferred.
_SHARPNESS = 0.5
_QUANTILES = 200


def make_classifier(kind: Classifier, jobs: int, *, trees: int = TREES) -> Any:
    """An untrained classifier of scikit-learn; the same data gives the same answers.

    Args:
        kind: Which one. The forest is that of the original: 300 trees, at least 5 objects in a leaf, balanced classes.
        jobs: Threads.
        trees: Of the forests.
    """
    match kind:
        case Classifier.RANDOM_FOREST:
            return RandomForestClassifier(
                trees, min_samples_leaf=5, class_weight="balanced", n_jobs=jobs, random_state=_SEED
            )
        case Classifier.EXTRA_TREES:
            return ExtraTreesClassifier(trees, max_features=0.5, n_jobs=jobs, random_state=_SEED)
        case Classifier.ENSEMBLE:
            return Ensemble(jobs, trees)


class Ensemble(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Extra trees and a kernel machine: they err on different objects, and their mean is better than either.

    Args:
        jobs: Threads.
        trees: Of the forest.
    """

    def __init__(self, jobs: int, trees: int) -> None:
        self.jobs = jobs
        self.trees = trees

    def fit(self, values: Numbers, labels: Ids) -> "Ensemble":
        """Learn; the kernel machine from a part of what is large."""
        self.forest_ = make_classifier(Classifier.EXTRA_TREES, self.jobs, trees=self.trees).fit(values, labels)
        self.classes_ = self.forest_.classes_
        self.feature_importances_ = self.forest_.feature_importances_
        self.kernel_ = None
        if len(self.classes_) > 1:
            chosen = sample(labels, _KERNEL_ROWS)
            self.kernel_ = _kernel(len(chosen)).fit(values[chosen], labels[chosen])
        return self

    def predict_proba(self, values: Numbers) -> Numbers:
        """Of each row the probability of each class."""
        found: Numbers = self.forest_.predict_proba(values)
        if self.kernel_ is None:
            return found
        votes: Numbers = self.kernel_.decision_function(values)
        if votes.ndim == 1:
            votes = np.stack([-votes, votes], axis=1)
        weights = np.exp(_SHARPNESS * (votes - votes.max(axis=1, keepdims=True)))
        mean: Numbers = (found + weights / weights.sum(axis=1, keepdims=True)) / 2
        return mean

    def predict(self, values: Numbers) -> Ids:
        """The most probable class of each row."""
        best: Ids = self.classes_[self.predict_proba(values).argmax(axis=1)]
        return best


def _kernel(n: int) -> Any:
    scaled = QuantileTransformer(n_quantiles=min(n, _QUANTILES), output_distribution="normal", random_state=_SEED)
    return make_pipeline(scaled, SVC(C=30, gamma=0.01, class_weight="balanced"))


def best_guesses(classifier: Any, values: Numbers) -> tuple[Ids, Numbers]:
    """The most probable classes of each row with their probabilities, the best first.

    Returns:
        Taxa and scores of shape (rows, 3); -1 and 0 where there are fewer classes.
    """
    found = classifier.predict_proba(values)
    n = min(MOST_GUESSES, found.shape[1])
    order = np.argsort(-found, axis=1, kind="stable")[:, :n]
    taxa = np.full((len(values), MOST_GUESSES), -1, np.int64)
    scores = np.zeros((len(values), MOST_GUESSES))
    taxa[:, :n] = np.asarray(classifier.classes_, np.int64)[order]
    scores[:, :n] = np.clip(np.take_along_axis(found, order, axis=1), 0, 1)
    return taxa, scores
