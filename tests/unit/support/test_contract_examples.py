import pytest

from support.contract.examples import UUID, Schemas

NAMED = {
    "Field": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}},
}
SCHEMAS = Schemas(NAMED)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"$ref": "#/components/schemas/Field"}, {"name": "aaa"}),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Field"}, "minItems": 1}, [{"name": "aaa"}]),
        ({"allOf": [{"$ref": "#/components/schemas/Base"}, {"$ref": "#/components/schemas/Field"}]},
         {"id": UUID, "name": "aaa"}),
        ({"anyOf": [{"type": "integer", "minimum": 256, "maximum": 300}, {"type": "null"}]}, 256),
        ({"type": "integer", "maximum": -1}, -1),
        ({"type": "number", "exclusiveMaximum": 1}, 0.0),
        ({"type": "string", "pattern": "^[a-f0-9]{24}$"}, "f" * 24),
        ({"type": "string", "minLength": 8, "maxLength": 9}, "aaaaaaaa"),
        ({"type": "string", "maxLength": 1}, "a"),
        ({"type": "string", "examples": ["python3.8"]}, "python3.8"),
        ({"enum": ["x", "y"]}, "x"),
        ({}, {}),
    ],
)  # fmt: skip
def test_example_fits_its_schema(schema, value):
    assert SCHEMAS.example(schema) == value
    assert SCHEMAS.accepts(schema, value)


def test_example_of_an_unknown_pattern_asks_for_one():
    with pytest.raises(ValueError, match="examples"):
        SCHEMAS.example({"type": "string", "pattern": "^rare-[0-9]{7}$"})


@pytest.mark.parametrize(
    ("schema", "value", "accepted"),
    [
        ({}, 12, True),
        ({"type": "object"}, {}, True),
        ({"type": "object"}, 12, False),
        ({"type": "object"}, None, False),
        ({"$ref": "#/components/schemas/Field"}, {}, False),
        ({"type": "object", "additionalProperties": False}, {"a": 1}, False),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": 1}, False),
        ({"type": "array", "items": {"type": "integer"}}, [[]], False),
        ({"type": "array", "items": {"type": "integer"}}, [True], False),
        ({"type": "array"}, [[]], True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, True),
        ({"type": ["string", "null"]}, None, True),
        ({"enum": ["x"]}, "y", False),
    ],
)
def test_accepts_looks_at_the_shape(schema, value, accepted):
    assert SCHEMAS.accepts(schema, value) is accepted
