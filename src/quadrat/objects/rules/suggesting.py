"""Which objects to look at next. Pure.

What a classifier is unsure of teaches it most, but ten objects that are alike teach what one does: so each choice is
the one that is most unsure and farthest from those already chosen.
"""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
# Objects that are just alike still come after all others, the unsure ones first.
_ALIKE = 1e-9


def uncertainty(best: Numbers, second: Numbers) -> Numbers:
    """1 minus the margin between the two best guesses: 0 sure, 1 torn between two.

    Args:
        best: Scores, 0 to 1.
        second: Scores, 0 where there is no second guess.
    """
    return 1 - (best - second)


def choose(unsure: Numbers, features: Numbers, n: int) -> Positions:
    """Positions of n objects in the order in which to look at them: uncertainty times distance to the nearest chosen.

    Args:
        unsure: Of each object, 0 to 1.
        features: Objects x features, NaN for what is missing; each feature counts by its own spread. Or none.
        n: How many.
    """
    n = min(n, len(unsure))
    if not features.shape[1]:
        return np.argsort(-unsure, kind="stable")[:n]
    scaled = _scaled(features)
    nearest = np.full(len(unsure), np.inf)
    chosen: list[int] = []
    taken = np.zeros(len(unsure), bool)
    for number in range(n):
        gain = unsure if number == 0 else (unsure + _ALIKE) * (nearest + _ALIKE)
        best = int(np.argmax(np.where(taken, -1.0, gain)))
        chosen.append(best)
        taken[best] = True
        np.minimum(nearest, np.linalg.norm(scaled - scaled[best], axis=1), out=nearest)
    return np.array(chosen, np.intp)


def _scaled(features: Numbers) -> Numbers:
    """Each feature with mean 0 and deviation 1; what is missing or constant is 0."""
    known = np.isfinite(features)
    counts = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, features - np.where(known, features, 0).sum(axis=0) / counts, 0)
    deviation = np.sqrt((centred**2).sum(axis=0) / counts)
    scaled: Numbers = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)
    return scaled
