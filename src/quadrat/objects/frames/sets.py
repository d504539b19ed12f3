"""Numbers of objects without repetition. No I/O.

`numpy.unique` hashes first, which takes several times as long for what comes here.
"""

import numpy as np

from quadrat.objects.frames.specs import Ids, Positions


def distinct(values: Ids) -> Ids:
    """Each number once, rising."""
    rising = np.sort(values)
    if len(rising) < 2:
        return rising
    first = np.empty(len(rising), bool)
    first[0] = True
    np.not_equal(rising[1:], rising[:-1], out=first[1:])
    return rising if first.all() else rising[first]


def last_of_each(values: Ids) -> Positions:
    """Positions of the last occurrence of each number, by number."""
    order = np.argsort(values, kind="stable")
    rising = values[order]
    last = np.ones(len(order), bool)
    np.not_equal(rising[1:], rising[:-1], out=last[:-1])
    return order if last.all() else order[last]
