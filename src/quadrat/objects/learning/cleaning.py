"""Which features can be learned from, and what stands for a missing value. Pure.

Source: spec of the object-set API, section 1.11.
"""

from dataclasses import dataclass

import numpy as np

from quadrat.objects.frames.specs import Numbers, Positions

MOST_MISSING = 0.25


@dataclass(frozen=True, slots=True)
class Cleaning:
    """How rows of features are made complete.

    Args:
        kept: Positions of the features that are used.
        medians: Of each of them in the learning set, instead of what is missing.
        missing: Positions of features that too many objects lack.
        constant: Positions of features that are the same everywhere.
    """

    kept: Positions
    medians: Numbers
    missing: Positions
    constant: Positions

    def apply(self, values: Numbers) -> Numbers:
        """Rows of all features as complete rows of those that are used; NaN and infinities are missing."""
        used = values[:, self.kept]
        return np.where(np.isfinite(used), used, self.medians)


def learn_cleaning(values: Numbers) -> Cleaning:
    """Look at the learning set: objects in rows, features in columns, NaN and infinities for what is missing."""
    n, n_features = values.shape
    medians = np.zeros(n_features)
    too_few, constant = np.zeros(n_features, bool), np.zeros(n_features, bool)
    for position in range(n_features):
        # One column at a time: the set may be large.
        present = values[:, position]
        present = present[np.isfinite(present)]
        if n - len(present) > MOST_MISSING * n or not len(present):
            too_few[position] = True
        elif present.min() == present.max():
            constant[position] = True
        else:
            medians[position] = np.median(present)
    kept = np.flatnonzero(~too_few & ~constant)
    return Cleaning(kept, medians[kept], np.flatnonzero(too_few), np.flatnonzero(constant))
