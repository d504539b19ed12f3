"""Classifiers, how they are judged, and the picture of it, on real digits."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from quadrat.objects.learning.classifiers import best_guesses, make_classifier
from quadrat.objects.learning.picture import draw
from quadrat.objects.learning.report import cross_validate
from quadrat.objects.learning.sampling import folds, sample
from quadrat.objects.prediction_types import Classifier

VALUES, LABELS = (part[:400] for part in load_digits(return_X_y=True))


@pytest.mark.parametrize("kind", list(Classifier))
def test_classifier_knows_digits_that_it_has_not_seen(kind: Classifier):
    trained = make_classifier(kind, 2, trees=30).fit(VALUES[:300, ::2], LABELS[:300])
    taxa, scores = best_guesses(trained, VALUES[300:, ::2])
    assert np.mean(taxa[:, 0] == LABELS[300:]) > 0.8
    assert np.all((scores >= 0) & (scores <= 1))
    assert np.all(np.diff(scores, axis=1) <= 0)
    assert all(len(set(row)) == 3 for row in taxa.tolist())


def test_ensemble_learns_classes_of_very_few():
    labels = np.where(LABELS[:60] == 3, 3, 7)
    labels[:3] = 9
    trained = make_classifier(Classifier.ENSEMBLE, 2, trees=20).fit(VALUES[:60], labels)
    assert trained.predict_proba(VALUES[:60]).sum(axis=1) == pytest.approx(np.ones(60))
    assert set(trained.predict(VALUES[:60])) == {3, 7, 9}


@pytest.mark.parametrize("n_classes", [1, 2])
def test_ensemble_knows_what_is_left_of_few_classes(n_classes: int):
    labels = LABELS[:80] % n_classes
    trained = make_classifier(Classifier.ENSEMBLE, 1, trees=20).fit(VALUES[:80], labels)
    assert np.mean(trained.predict(VALUES[:80]) == labels) > 0.95


def test_two_classes_leave_the_third_guess_open():
    trained = make_classifier(Classifier.RANDOM_FOREST, 1, trees=5).fit(VALUES[:100], LABELS[:100] % 2)
    taxa, scores = best_guesses(trained, VALUES[:3])
    assert (taxa[:, 2].tolist(), scores[:, 2].tolist()) == ([-1] * 3, [0] * 3)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 60))
def test_parts_give_every_class_its_share(labels: list[int], n: int):
    given_ = np.array(labels, np.int64)
    chosen = sample(given_, n)
    assert set(given_[chosen]) == set(labels)
    assert len(set(chosen.tolist())) == len(chosen)
    assert len(chosen) <= max(n, 1) + 5
    fold = folds(given_, 5)
    for label in set(labels):
        sizes = np.bincount(fold[given_ == label], minlength=5)
        assert sizes.max() - sizes.min() <= 1


def test_report_is_what_counting_by_hand_gives():
    told: list[float] = []

    def train(values: np.ndarray, labels: np.ndarray):
        return make_classifier(Classifier.RANDOM_FOREST, 2, trees=10).fit(values, labels)

    found = cross_validate(VALUES, LABELS, train, told.append)
    fold, said = folds(LABELS, 5), np.empty(400, np.int64)
    for number in range(5):
        out = fold == number
        said[out] = train(VALUES[~out], LABELS[~out]).predict(VALUES[out])
    for i, each in enumerate(found["classes"]):
        mine = each["taxon_id"] == LABELS
        assert found["confusion"][i] == [int(np.sum(mine & (said == other))) for other in range(10)]
        assert each["recall"] == pytest.approx(np.mean(said[mine] == i))
        assert each["precision"] == pytest.approx(np.mean(LABELS[said == i] == i))
    assert found["accuracy"] == pytest.approx(np.mean(said == LABELS))
    assert told == sorted(told)
    assert told[-1] == 1
    sizes = [point["n_objects"] for point in found["learning_curve"]]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 320


def test_too_few_objects_are_not_judged():
    assert cross_validate(VALUES[:9], LABELS[:9], lambda *_: None, lambda _: None) == {}
    assert cross_validate(VALUES[:20], np.ones(20, np.int64), lambda *_: None, lambda _: None) == {}


def report(**changes: object) -> dict[str, object]:
    made: dict[str, object] = {
        "classifier": "random_forest",
        "n_learned": 6,
        "n_tested": 6,
        "folds": 5,
        "accuracy": 0.5,
        "classes": [
            {"name": "a<b & c", "n_learned": 3, "recall": 1.0, "precision": 0.6},
            {"name": "d", "n_learned": 3, "recall": 0.0, "precision": None},
        ],
        "confusion": [[3, 0], [2, 1]],
        "importances": [{"feature": "fre.area", "importance": 1.0}],
        "learning_curve": [{"n_objects": 2, "accuracy": 0.25}, {"n_objects": 6, "accuracy": 0.5}],
    }
    return made | changes


def test_picture_is_well_formed_and_shows_the_figures():
    texts = [each.text for each in ET.fromstring(draw(report())).iter("{http://www.w3.org/2000/svg}text")]
    assert "a<b & c" in texts
    assert {"3", "2", "1", "60%", "-", "fre.area", "100.0%"} <= set(texts)
    assert any("50.0% of 6 right" in (text or "") for text in texts)


def test_picture_of_what_was_not_tested_says_so():
    drawn = draw(report(accuracy=None, confusion=[], importances=[], learning_curve=[]))
    assert "too few to test" in "".join(ET.fromstring(drawn).itertext())
