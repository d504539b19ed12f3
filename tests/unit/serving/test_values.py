import json

import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.rules.values import check_input, decode_json, fit_result, problem_with, split_items
from quadrat.serving.types import DataKind, Field, FieldType, Signature

PLAIN = Signature(DataKind.PLAIN)


def structured(**fields: FieldType) -> Signature:
    return Signature(DataKind.STRUCTURED, tuple(Field(name, type_) for name, type_ in fields.items()))


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (FieldType.INT, "5"),
        (FieldType.INT, "5.0"),
        (FieldType.INT, "-1e3"),
        (FieldType.INT, "123456789012345678901234567890"),
        (FieldType.DOUBLE, "5"),
        (FieldType.DOUBLE, "2.5e-300"),
        (FieldType.STRING, '""'),
        (FieldType.STRING, '"\\u0000"'),
        (FieldType.BOOL, "true"),
        (FieldType.TIMESTAMP, '"2020-05-12T16:23:15.456812Z"'),
        (FieldType.TIMESTAMP, '"2020-05-12 16:23:15+02:00"'),
        (FieldType.ARRAY_INT, "[]"),
        (FieldType.ARRAY_INT, "[1, 2.0]"),
        (FieldType.ARRAY_DOUBLE, "[1, 2.5]"),
        (FieldType.ARRAY_STRING, '["a", ""]'),
        (FieldType.BLOB, '"f52ff875-4980-4d71-9798-a469ef8cece2"'),
    ],
)
def test_value_of_the_declared_type_fits(type_: FieldType, text: str):
    assert problem_with(structured(x=type_), {"x": json.loads(text)}) is None


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (FieldType.INT, "5.5"),
        (FieldType.INT, "true"),
        (FieldType.INT, '"5"'),
        (FieldType.INT, "null"),
        (FieldType.DOUBLE, "false"),
        (FieldType.DOUBLE, '"5"'),
        (FieldType.STRING, "5"),
        (FieldType.STRING, "null"),
        (FieldType.BOOL, "1"),
        (FieldType.BOOL, '"true"'),
        (FieldType.TIMESTAMP, '"yesterday"'),
        (FieldType.TIMESTAMP, "1589300595"),
        (FieldType.ARRAY_INT, "[1, 2.5]"),
        (FieldType.ARRAY_INT, "[true]"),
        (FieldType.ARRAY_INT, "5"),
        (FieldType.ARRAY_DOUBLE, "[null]"),
        (FieldType.ARRAY_STRING, '["a", 1]'),
        (FieldType.ARRAY_STRING, '"ab"'),
        (FieldType.BLOB, '"no-uuid"'),
        (FieldType.BLOB, "5"),
    ],
)
def test_value_of_another_type_is_a_problem_that_names_the_field(type_: FieldType, text: str):
    problem = problem_with(structured(x=type_), {"x": json.loads(text)})
    assert problem is not None
    assert problem.startswith("The field x must be ")


def test_missing_and_unknown_fields_are_problems():
    signature = structured(a=FieldType.INT, b=FieldType.INT)
    assert problem_with(signature, {"a": 1}) == "The field b is missing."
    assert problem_with(signature, {"a": 1, "b": 2, "c": 3}) == "There is no field c."
    assert problem_with(signature, [1, 2]) == "Structured data must be an object with the fields of the model."


def test_many_unknown_fields_are_named_in_part():
    problem = problem_with(structured(a=FieldType.INT), {f"f{number}" * 100: 1 for number in range(100)})
    assert problem is not None
    assert len(problem) < 400


@pytest.mark.parametrize("value", ["", "text", "\0"])
def test_plain_data_is_any_text(value: str):
    assert problem_with(PLAIN, value) is None


@pytest.mark.parametrize("value", [None, 5, {}, ["text"], True])
def test_plain_data_that_is_no_text_is_a_problem(value: object):
    assert problem_with(PLAIN, value) is not None


@pytest.mark.parametrize(
    "text", [b"", b"{", b"NaN", b'{"x": Infinity}', b"1e999", b"\xff", b'"\\ud800"', b"[" * 5000, b'{"a":' * 5000]
)
def test_text_that_is_no_json_is_refused(text: bytes):
    for read in (decode_json, lambda text: check_input(PLAIN, text)):
        with pytest.raises(QuadratError) as refused:
            read(text)
        assert refused.value.kind is ErrorKind.INVALID


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (b'[{"a": 1.50}, {"a":2}]', [b'{"a": 1.50}', b'{"a":2}']),
        (b'  ["a" , "b"] ', [b'"a"', b'"b"']),
        (b'{"a": 1}', [b'{"a": 1}']),
        (b'"text"', [b'"text"']),
        (b"[]", []),
        (b"[[1], [2]]", [b"[1]", b"[2]"]),
    ],
)
def test_batch_is_split_into_its_items_as_they_came(text: bytes, items: list[bytes]):
    assert [item.strip() for item in split_items(text)] == items


@pytest.mark.parametrize("text", [b"[1, 2", b'["a" "b"]', b"[NaN]", b"[" * 5000])
def test_batch_that_is_no_json_is_refused(text: bytes):
    with pytest.raises(QuadratError) as refused:
        split_items(text)
    assert refused.value.kind is ErrorKind.INVALID


def test_fitting_result_is_handed_on_byte_for_byte():
    text = b'{ "b": 1.50, "a": "x" }'
    assert fit_result(structured(a=FieldType.STRING, b=FieldType.DOUBLE), text) == (text, None)
    assert fit_result(PLAIN, b'"x"') == (b'"x"', None)


def test_result_loses_fields_that_are_not_declared():
    fitted, problem = fit_result(structured(b=FieldType.INT, a=FieldType.INT), b'{"a": 1, "more": [1], "b": 2}')
    assert problem is None
    assert json.loads(fitted or b"") == {"a": 1, "b": 2}


@pytest.mark.parametrize("text", [b"{}", b'{"a": null}', b'{"a": 1.5}', b"[]", b"null", b'"a"', b"not json"])
def test_result_that_does_not_fit_is_a_problem(text: bytes):
    fitted, problem = fit_result(structured(a=FieldType.INT), text)
    assert fitted is None
    assert problem


@pytest.mark.parametrize("text", [b"{}", b"null", b"5", b"["])
def test_plain_result_that_is_no_text_is_a_problem(text: bytes):
    assert fit_result(PLAIN, text)[0] is None
