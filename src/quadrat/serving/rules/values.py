"""Does request data fit the input of a model, and its result the output. Pure.

Source: spec of the serving API, section 3.7.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.types import DataKind, FieldType, Signature

_SHOWN_NAMES = 5
_MAX_TIMESTAMP = 64


def decode_json(text: bytes) -> Any:
    """The value of JSON text; NaN, infinities and numbers beyond a double are no JSON.

    Raises:
        QuadratError: invalid.
    """
    try:
        return _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise QuadratError(ErrorKind.INVALID, f"The request data is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise QuadratError(ErrorKind.INVALID, "The request data is nested too deeply.") from error


def split_items(text: bytes) -> list[bytes]:
    """The items of a batch as they came: those of a list, else the one value.

    Raises:
        QuadratError: invalid.
    """
    if not text.lstrip().startswith(b"["):
        return [text]
    try:
        return [bytes(item) for item in _splitter.decode(text)]
    except msgspec.MsgspecError as error:
        raise QuadratError(ErrorKind.INVALID, f"The request data is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise QuadratError(ErrorKind.INVALID, "The request data is nested too deeply.") from error


_decoder = msgspec.json.Decoder()
_splitter = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def problem_with(signature: Signature, value: Any) -> str | None:
    """What keeps a decoded value from fitting, as a sentence; None when it fits.

    Missing, null and unknown fields are problems.
    """
    if signature.kind is DataKind.PLAIN:
        return None if isinstance(value, str) else "Plain data must be a text."
    if not isinstance(value, dict):
        return "Structured data must be an object with the fields of the model."
    names = {field.name for field in signature.fields}
    unknown = [name for name in value if name not in names]
    if unknown:
        return f"There is no field {_listed(unknown)}."
    return _problem_with_fields(signature, value)


def fit_result(signature: Signature, text: bytes) -> tuple[bytes | None, str | None]:
    """A result as it is handed on, or what is wrong with it.

    Args:
        signature: The output of the model.
        text: What the model returned, as JSON text.

    Returns:
        The JSON text without fields that the model does not declare, and None; or None and a sentence.
    """
    if fits_at_once(signature, text):
        return text, None
    try:
        value = _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None, "The result of the model cannot be written as JSON."
    if signature.kind is DataKind.PLAIN:
        return (text, None) if isinstance(value, str) else (None, "The result of the model must be a text.")
    if not isinstance(value, dict):
        return None, "The result of the model must be an object with the output fields."
    problem = _problem_with_fields(signature, value)
    if problem is not None:
        return None, f"The result of the model does not fit its output: {problem}"
    if len(value) == len(signature.fields):
        return text, None
    return _encode({field.name: value[field.name] for field in signature.fields}), None


def check_input(signature: Signature, text: bytes) -> None:
    """Refuse request data that does not fit the input of a model.

    Args:
        signature: The input of the model.
        text: The request data as JSON text.

    Raises:
        QuadratError: invalid.
    """
    if fits_at_once(signature, text):
        return
    problem = problem_with(signature, decode_json(text))
    if problem is not None:
        raise QuadratError(ErrorKind.INVALID, problem)


def fits_at_once(signature: Signature, text: bytes) -> bool:
    """Whether the text certainly fits. When this says no, the slow way decides and finds the words.

    Most data fits, and large lists cost fifty times less to check while they are decoded than after it.
    """
    decoder = signature.decoder
    if decoder is None:
        decoder = _decoder_of(signature)
        # A cache on a value that is frozen in all that counts.
        object.__setattr__(signature, "decoder", decoder)
    try:
        decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _decoder_of(signature: Signature) -> msgspec.json.Decoder[Any]:
    if signature.kind is DataKind.PLAIN:
        return msgspec.json.Decoder(str)
    if any(item.type not in _DECODED for item in signature.fields):
        return msgspec.json.Decoder(_Never)
    # Names of fields may be no names in Python.
    names = [f"field_{number}" for number in range(len(signature.fields))]
    made = msgspec.defstruct(
        "Fields",
        [(name, _DECODED[item.type]) for name, item in zip(names, signature.fields, strict=True)],
        rename=dict(zip(names, (item.name for item in signature.fields), strict=True)),
        forbid_unknown_fields=True,
        gc=False,
    )
    return msgspec.json.Decoder(made)


class _Never(msgspec.Struct, forbid_unknown_fields=True):
    """Fits nothing that a caller would send."""

    never_sent_by_anybody: int


def blobs_in(signature: Signature, text: bytes) -> list[UUID]:
    """The blobs that checked request data names."""
    value = _decoder.decode(text)
    return [UUID(value[name]) for name in signature.file_fields]


def _problem_with_fields(signature: Signature, value: Mapping[str, Any]) -> str | None:
    missing = [field.name for field in signature.fields if field.name not in value]
    if missing:
        return f"The field {_listed(missing)} is missing."
    for field in signature.fields:
        if not _FITS[field.type](value[field.name]):
            return f"The field {field.name} must be {_WORDS[field.type]}."
    return None


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:64] for name in names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown}, ..."


def _is_int(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _is_double(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_timestamp(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > _MAX_TIMESTAMP:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_uuid(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def _array_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


_FITS: Mapping[FieldType, Callable[[Any], bool]] = {
    FieldType.INT: _is_int,
    FieldType.STRING: _is_string,
    FieldType.DOUBLE: _is_double,
    FieldType.BOOL: lambda value: isinstance(value, bool),
    FieldType.TIMESTAMP: _is_timestamp,
    FieldType.ARRAY_INT: _array_of(_is_int),
    FieldType.ARRAY_DOUBLE: _array_of(_is_double),
    FieldType.ARRAY_STRING: _array_of(_is_string),
    FieldType.BLOB: _is_uuid,
}
#: What msgspec checks while it decodes. What it lets through fits; times are checked by their own rule only.
_DECODED: Mapping[FieldType, Any] = {
    FieldType.INT: int,
    FieldType.STRING: str,
    FieldType.DOUBLE: float,
    FieldType.BOOL: bool,
    FieldType.ARRAY_INT: list[int],
    FieldType.ARRAY_DOUBLE: list[float],
    FieldType.ARRAY_STRING: list[str],
    FieldType.BLOB: UUID,
}
_WORDS: Mapping[FieldType, str] = {
    FieldType.INT: "a whole number",
    FieldType.STRING: "a text",
    FieldType.DOUBLE: "a number",
    FieldType.BOOL: "true or false",
    FieldType.TIMESTAMP: "a time in ISO 8601",
    FieldType.ARRAY_INT: "a list of whole numbers",
    FieldType.ARRAY_DOUBLE: "a list of numbers",
    FieldType.ARRAY_STRING: "a list of texts",
    FieldType.BLOB: "the id of a blob",
}
