import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.rules.models import check_description, check_name, check_signature
from quadrat.serving.types import DataKind, Field, FieldType

GOOD = Field("input-field_1", FieldType.INT)


@pytest.mark.parametrize("name", ["a", "model-1", "x" * 64])
def test_name_that_is_a_slug_is_taken(name: str):
    assert check_name(name, field="name") == name


@pytest.mark.parametrize("name", ["", "1a", "-a", "A", "a b", "a_b", "x" * 65, "a\n", "ä", "a/b", "a\0"])
def test_name_that_is_no_slug_is_refused(name: str):
    with pytest.raises(QuadratError) as refused:
        check_name(name, field="version")
    assert (refused.value.kind, refused.value.field) == (ErrorKind.INVALID, "version")


def test_description_may_have_200_characters():
    assert check_description("ä" * 200) == "ä" * 200
    for bad in ("ä" * 201, "a\0"):
        with pytest.raises(QuadratError):
            check_description(bad)


def test_structured_signature_keeps_the_order_of_its_fields():
    fields = [Field("b", FieldType.BLOB), Field("a", FieldType.TIMESTAMP)]
    assert check_signature(DataKind.STRUCTURED, fields, direction="input").fields == tuple(fields)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (DataKind.STRUCTURED, []),
        (DataKind.PLAIN, [GOOD]),
        (DataKind.STRUCTURED, [GOOD, GOOD]),
        (DataKind.STRUCTURED, [Field("1a", FieldType.INT)]),
        (DataKind.STRUCTURED, [Field("", FieldType.INT)]),
        (DataKind.STRUCTURED, [Field("a" * 65, FieldType.INT)]),
        (DataKind.STRUCTURED, [Field("a b", FieldType.INT)]),
        (DataKind.STRUCTURED, [Field("a\n", FieldType.INT)]),
    ],
)
def test_signature_that_cannot_be_is_refused(kind: DataKind, fields: list[Field]):
    with pytest.raises(QuadratError) as refused:
        check_signature(kind, fields, direction="output")
    assert (refused.value.kind, refused.value.field) == (ErrorKind.INVALID, "output_fields")
