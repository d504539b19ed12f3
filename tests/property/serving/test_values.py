"""Value checks against a naive reading of the rules, on any JSON that there is."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import event, given
from hypothesis import strategies as st

from quadrat.errors import QuadratError
from quadrat.serving.rules.values import check_input, decode_json, fit_result, problem_with, split_items
from quadrat.serving.types import DataKind, Field, FieldType, Signature

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,5}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | st.uuids().map(str) | st.datetimes().map(str)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
SIGNATURES = st.dictionaries(NAMES, st.sampled_from(FieldType), min_size=1, max_size=4).map(
    lambda fields: Signature(DataKind.STRUCTURED, tuple(Field(name, type_) for name, type_ in fields.items()))
)
GOOD = {
    FieldType.INT: st.integers() | st.integers(-(10**6), 10**6).map(float),
    FieldType.STRING: TEXTS,
    FieldType.DOUBLE: NUMBERS,
    FieldType.BOOL: st.booleans(),
    FieldType.TIMESTAMP: st.datetimes().map(datetime.isoformat),
    FieldType.ARRAY_INT: st.lists(st.integers(), max_size=3),
    FieldType.ARRAY_DOUBLE: st.lists(NUMBERS, max_size=3),
    FieldType.ARRAY_STRING: st.lists(TEXTS, max_size=3),
    FieldType.BLOB: st.uuids().map(str),
}


def naive_fits(type_: FieldType, value: Any) -> bool:
    if type_.startswith("array_"):
        item = FieldType(type_.removeprefix("array_"))
        return type(value) is list and all(naive_fits(item, one) for one in value)
    if type_ is FieldType.INT:
        return type(value) in (int, float) and int(value) == value
    if type_ is FieldType.DOUBLE:
        return type(value) in (int, float)
    if type_ is FieldType.BOOL:
        return type(value) is bool
    if type(value) is not str:
        return False
    readers = {FieldType.STRING: str, FieldType.TIMESTAMP: datetime.fromisoformat, FieldType.BLOB: UUID}
    try:
        readers[type_](value)
    except ValueError:
        return False
    return True


@given(st.data(), SIGNATURES)
def test_data_made_to_fit_fits_and_survives_as_a_result(data: st.DataObject, signature: Signature):
    value = {field.name: data.draw(GOOD[field.type]) for field in signature.fields}
    text = json.dumps(value).encode()
    assert problem_with(signature, decode_json(text)) is None
    assert fit_result(signature, text) == (text, None)


@given(SIGNATURES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_object_is_judged_as_the_naive_reading_does(signature: Signature, value: dict[str, Any]):
    fits = set(value) == {field.name for field in signature.fields} and all(
        naive_fits(field.type, value[field.name]) for field in signature.fields
    )
    assert (problem_with(signature, value) is None) == fits


@given(st.data(), SIGNATURES)
def test_one_value_of_any_kind_is_judged_as_the_naive_reading_does(data: st.DataObject, signature: Signature):
    value = {field.name: data.draw(GOOD[field.type]) for field in signature.fields}
    changed = data.draw(st.sampled_from(signature.fields))
    value[changed.name] = data.draw(VALUES)
    assert (problem_with(signature, value) is None) == naive_fits(changed.type, value[changed.name])


@given(SIGNATURES, st.dictionaries(NAMES, VALUES, max_size=6))
def test_result_holds_exactly_the_declared_fields_or_is_refused(signature: Signature, value: dict[str, Any]):
    fitted, problem = fit_result(signature, json.dumps(value).encode())
    assert (fitted is None) != (problem is None)
    if fitted is not None:
        names = {field.name for field in signature.fields}
        assert json.loads(fitted) == {name: value[name] for name in names}


@given(VALUES)
def test_plain_data_is_exactly_text(value: Any):
    assert (problem_with(Signature(DataKind.PLAIN), value) is None) == isinstance(value, str)


@given(st.lists(VALUES, max_size=5))
def test_items_of_a_batch_are_the_items_of_the_list(values: list[Any]):
    text = json.dumps(values).encode()
    items = split_items(text)
    assert [json.loads(item) for item in items] == values
    assert b", ".join(items) == text[1:-1]


@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_refused(text: bytes):
    try:
        value = decode_json(text)
    except QuadratError as error:
        event(error.kind)
    else:
        assert msgspec.json.decode(msgspec.json.encode(value)) == value


@given(st.data(), SIGNATURES)
def test_quick_check_of_text_agrees_with_the_check_of_its_value(data: st.DataObject, signature: Signature):
    value: dict[str, Any] = {field.name: data.draw(GOOD[field.type] | VALUES) for field in signature.fields}
    if data.draw(st.booleans()):
        value.update(data.draw(st.dictionaries(NAMES, VALUES, max_size=1)))
    text = json.dumps(value).encode()
    assert accepts(signature, text) == (problem_with(signature, decode_json(text)) is None)


@given(VALUES)
def test_quick_check_of_plain_data_accepts_exactly_text(value: Any):
    assert accepts(Signature(DataKind.PLAIN), json.dumps(value).encode()) == isinstance(value, str)


def accepts(signature: Signature, text: bytes) -> bool:
    try:
        check_input(signature, text)
    except QuadratError:
        return False
    return True
