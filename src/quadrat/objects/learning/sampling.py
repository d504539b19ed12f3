"""Parts of a learning set in which every class has its share. Pure."""

import numpy as np

from quadrat.objects.frames.specs import Ids, Positions

_SEED = 0


def folds(labels: Ids, n_folds: int) -> Positions:
    """The fold of each object: every class is spread over the folds as evenly as can be."""
    chance = np.random.default_rng(_SEED)
    fold = np.empty(len(labels), np.intp)
    after = 0
    for label in np.unique(labels):
        members = chance.permutation(np.flatnonzero(labels == label))
        fold[members] = (np.arange(len(members)) + after) % n_folds
        after += len(members)
    return fold


def sample(labels: Ids, n: int) -> Positions:
    """Positions of about n objects, of every class its share and at least one, in rising order."""
    if len(labels) <= n:
        return np.arange(len(labels))
    chance = np.random.default_rng(_SEED)
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        share = max(1, round(n * len(members) / len(labels)))
        chosen.append(chance.permutation(members)[:share])
    return np.sort(np.concatenate(chosen))
