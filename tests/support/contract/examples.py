"""Values for what an OpenAPI document asks for, and whether it would take a value."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]
UUID = "00000000-0000-4000-8000-000000000000"
_BY_FORMAT = {
    "uuid": UUID,
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00",
    "email": "nobody@contract.example",
    "uri": "https://contract.example/",
    "binary": "abc",
}
#: What fits the patterns of the four APIs; a schema whose pattern takes none of them needs `examples` of its own.
_TEXTS = (
    "aaa",
    "f" * 24,
    UUID,
    "1",
    "1.0",
    "a.png",
    "a_a",
    "#aabbcc",
    "0x1",
    "0" * 32,
    "0" * 40,
    "0" * 64,
    "* * * * *",
    "2026-01",
    _BY_FORMAT["date"],
    _BY_FORMAT["date-time"],
    "2026-01-01 00:00:00",
    _BY_FORMAT["email"],
    _BY_FORMAT["uri"],
    "text/plain",
    "a/a",
)
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


class Schemas:
    """The schemas of one document.

    Args:
        named: What ``#/components/schemas/...`` refers to.
    """

    def __init__(self, named: Mapping[str, Schema]) -> None:
        self._named = named

    def example(self, schema: Schema) -> Any:
        """The smallest value that a schema allows, as far as it says."""
        schema = self._resolved(schema)
        for word, take in (("examples", lambda found: found[0]), ("const", lambda found: found)):
            if word in schema:
                return take(schema[word])
        if "enum" in schema:
            return schema["enum"][0]
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self.example(schema[word][0])
        return self._plain_example(schema)

    def _plain_example(self, schema: Schema) -> Any:
        kind = schema.get("type", "object")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            known = schema.get("properties", {})
            return {name: self.example(known.get(name, {})) for name in schema.get("required", [])}
        if kind == "array":
            return [self.example(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
        if kind == "string":
            return _text(schema)
        if kind in {"integer", "number"}:
            return _number(schema)
        return {"boolean": True}.get(kind)

    def accepts(self, schema: Schema, value: Any) -> bool:
        """Whether a JSON value has the shape of the schema; bounds and patterns are not looked at."""
        schema = self._resolved(schema)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return any(self.accepts(option, value) for option in schema[word])
        if "const" in schema or "enum" in schema:
            return value in schema.get("enum", [schema.get("const")])
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(_TYPES[kind](value) for kind in kinds):
            return False
        if isinstance(value, list):
            return all(self.accepts(schema.get("items", {}), item) for item in value)
        if isinstance(value, dict):
            return self._takes_members(schema, value)
        return True

    def _takes_members(self, schema: Schema, value: Mapping[str, Any]) -> bool:
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        return set(schema.get("required", [])) <= set(value) and all(
            self.accepts(known.get(name, {} if others is True else others or {"enum": []}), member)
            for name, member in value.items()
        )

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self._named[schema["$ref"].rpartition("/")[2]]
        merged: dict[str, Any] = {}
        for part in map(self._resolved, schema.get("allOf", [])):
            merged = {
                **merged,
                **part,
                "properties": {**merged.get("properties", {}), **part.get("properties", {})},
                "required": [*merged.get("required", []), *part.get("required", [])],
            }
        return {**merged, **{word: value for word, value in schema.items() if word != "allOf"}} if merged else schema


def _text(schema: Schema) -> str:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength")
    if "pattern" in schema:
        fitting = [text for text in _TEXTS if re.search(schema["pattern"], text) and shortest <= len(text)]
        if not fitting:
            message = f"no text for the pattern {schema['pattern']}: give the field `examples` in its schema"
            raise ValueError(message)
        return fitting[0]
    text = _BY_FORMAT.get(schema.get("format", ""), "a" * max(3, shortest))
    return text[:longest]


def _number(schema: Schema) -> float:
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    highest = schema.get("maximum", schema.get("exclusiveMaximum", lowest + 1) - ("exclusiveMaximum" in schema))
    number = min(max(1, lowest), highest)
    return number if schema.get("type") == "integer" else float(number)
