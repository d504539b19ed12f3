"""The process that learns and guesses, so that no server waits for it and its memory ends with it.

``python -m quadrat.objects.learning.child`` reads one `Order` from standard input and answers with `Progress` until it
has `Learned`; then it answers each `Rows` with `Guesses`, until the input ends.
"""

import os
import resource
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.learning import classifiers, report
from quadrat.objects.learning.cleaning import Cleaning, learn_cleaning
from quadrat.objects.learning.frames import (
    HEADER,
    LABELS,
    LEARNING,
    Guesses,
    Learned,
    Order,
    Problem,
    Progress,
    Rows,
    decode_asked,
    encode,
    frame,
)
from quadrat.objects.learning.sampling import sample

_NICENESS = 5
_LOOK_S = 1.0
# How the time goes, roughly, between the learning itself and the trials for the report.
_LEARNED = 0.6


def main() -> None:
    """Learn once, then guess until there is nothing more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever waits for an answer of the server goes first.
    os.nice(_NICENESS)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    # Scikit-learn's remarks are about what was asked for on purpose.
    warnings.simplefilter("ignore")
    order = _next()
    if not isinstance(order, Order):
        return
    values, labels = np.load(Path(order.folder, LEARNING)), np.load(Path(order.folder, LABELS))
    cleaning = learn_cleaning(values)
    if not len(cleaning.kept):
        _say(Problem("No feature is left to learn from: all are the same everywhere, or are missing too often."))
        return
    trained = _learn(order, cleaning, cleaning.apply(values), labels)
    n_features = values.shape[1]
    del values, labels
    while isinstance(asked := _next(), Rows):
        rows = np.frombuffer(asked.values).reshape(-1, n_features)
        taxa, scores = classifiers.best_guesses(trained, cleaning.apply(rows))
        _say(Guesses(taxa.tobytes(), scores.tobytes()))


def _learn(order: Order, cleaning: Cleaning, values: Numbers, labels: Ids) -> Any:
    _say(Progress(0.0, f"Learning from {len(labels)} objects"))
    trained = classifiers.make_classifier(order.classifier, order.jobs).fit(values, labels)
    tried = sample(labels, report.TESTED)
    make = partial(classifiers.make_classifier, order.classifier, order.jobs, trees=classifiers.TRIAL_TREES)

    def said(done: float) -> None:
        _say(Progress(_LEARNED + (1 - _LEARNED) * done, "Testing what was learned"))

    said(0.0)
    figures = report.cross_validate(values[tried], labels[tried], lambda rows, taxa: make().fit(rows, taxa), said)
    taxa, counts = np.unique(labels, return_counts=True)
    _say(
        Learned(
            {
                "classifier": order.classifier,
                "n_learned": len(labels),
                "n_learned_by_taxon": dict(zip(map(str, taxa.tolist()), counts.tolist(), strict=True)),
                "kept": cleaning.kept.tolist(),
                "missing": cleaning.missing.tolist(),
                "constant": cleaning.constant.tolist(),
                # Of all that was learned, not of a trial: one for each feature that is used, together 1.
                "importances": trained.feature_importances_.tolist(),
                **figures,
            }
        )
    )
    return trained


def _end_with(parent: int) -> None:
    """Learning takes minutes; nobody wants it when the worker that asked was killed."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


def _next() -> Order | Rows | None:
    header = sys.stdin.buffer.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    return decode_asked(sys.stdin.buffer.read(HEADER.unpack(header)[0]))


def _say(answer: Progress | Problem | Learned | Guesses) -> None:
    sys.stdout.buffer.write(frame(encode(answer)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
