"""What served models are asked, and what their answers mean."""

from typing import Any

import pytest

from quadrat.errors import QuadratError
from quadrat.objects.rules.answers import InputPlan, plan_input, read_labels, read_vector
from quadrat.serving.types import DataKind, Field, FieldType, Signature


def signature(**fields: FieldType) -> Signature:
    return Signature(DataKind.STRUCTURED, tuple(Field(name, kind) for name, kind in fields.items()))


def test_fields_get_what_fits_into_them():
    wanted = signature(
        picture=FieldType.BLOB,
        text=FieldType.STRING,
        all=FieldType.ARRAY_DOUBLE,
        mean=FieldType.DOUBLE,
        area=FieldType.INT,
    )
    plan = plan_input(wanted, ["fre.area", "fre.mean"])
    assert plan == InputPlan(False, ("picture",), ("text",), ("all",), (("mean", 1), ("area", 0)))
    assert (plan.needs_image, plan.needs_features) == (True, True)
    assert plan_input(Signature(DataKind.PLAIN), []) == InputPlan(is_plain=True)


@pytest.mark.parametrize("kind", [FieldType.DOUBLE, FieldType.ARRAY_DOUBLE, FieldType.BOOL, FieldType.ARRAY_STRING])
def test_field_that_nothing_fits_into_is_named(kind: FieldType):
    with pytest.raises(QuadratError, match="field odd"):
        plan_input(signature(odd=kind), [])


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        ("egg", [("egg", 1.0)]),
        (3, [("3", 1.0)]),
        ({"label": "egg", "score": 0.5}, [("egg", 0.5)]),
        ({"what": "egg", "confidence": 1}, [("egg", 1.0)]),
        ({"label": 7, "margin": 3.5}, [("7", 1.0)]),
        ({"labels": ["a", "b", "c"], "scores": [0.2, 0.7, 0.1]}, [("b", 0.7), ("a", 0.2), ("c", 0.1)]),
        ({"taxon": "egg", "other": "x"}, [("egg", 1.0)]),
    ],
)
def test_label_is_found(answer: Any, labels: list[tuple[str, float]]):
    assert read_labels(answer) == labels


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        "",
        1.5,
        {},
        [],
        {"a": "x", "b": "y"},
        {"label": "egg", "score": 1.1},
        {"label": "egg", "score": "high"},
        {"labels": ["a", "b"], "scores": [1.0]},
        {"labels": [], "scores": []},
        {"labels": ["a"]},
    ],
)
def test_answer_without_a_label_is_none(answer: Any):
    with pytest.raises(ValueError, match="the answer"):
        read_labels(answer)


def test_vector_is_the_only_list_of_numbers():
    assert read_vector([1, 2.5]) == [1.0, 2.5]
    assert read_vector({"name": "x", "vector": [1]}) == [1.0]
    for answer in (None, 3, [], ["a"], [True], [float("nan")], {"a": [1], "b": [2]}, {"a": 1}):
        with pytest.raises(ValueError, match="list of numbers"):
            read_vector(answer)
