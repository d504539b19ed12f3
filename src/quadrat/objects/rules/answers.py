"""What served models are asked, and what their answers mean. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.types import DataKind, FieldType, Signature

_LABELS = ("label", "labels", "taxon", "taxa", "category", "categories", "class", "classes", "prediction")
_SCORES = ("score", "scores", "probability", "probabilities", "confidence", "confidences")
_NUMBERS = (FieldType.DOUBLE, FieldType.INT)


@dataclass(frozen=True, slots=True)
class InputPlan:
    """What goes into each field of a request.

    Args:
        is_plain: The request is one text: the image in base64.
        blobs: Fields that get the image as a file.
        images: Fields that get the image in base64.
        vectors: Fields that get all features, in the order in which they were named.
        numbers: Fields that get one feature, with its position.
    """

    is_plain: bool = False
    blobs: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    numbers: tuple[tuple[str, int], ...] = ()

    @property
    def needs_image(self) -> bool:
        """Whether an object without an image cannot be asked about."""
        return self.is_plain or bool(self.blobs or self.images)

    @property
    def needs_features(self) -> bool:
        """Whether an object that lacks a feature cannot be asked about."""
        return bool(self.vectors or self.numbers)


def plan_input(signature: Signature, features: Sequence[str]) -> InputPlan:
    """How the fields of a model are filled from an object.

    A file or a text gets the image (a text in base64), a list of numbers all features, and a number the feature that is
    called like the field.

    Args:
        signature: The model's input.
        features: Names as callers write them, ``fre.area``.

    Raises:
        QuadratError: invalid, for a field that nothing of an object fits into.
    """
    if signature.kind is DataKind.PLAIN:
        return InputPlan(is_plain=True)
    places = {name.partition(".")[2]: position for position, name in enumerate(features)}
    blobs, images, vectors, numbers = [], [], [], []
    for field in signature.fields:
        if field.type is FieldType.BLOB:
            blobs.append(field.name)
        elif field.type is FieldType.STRING:
            images.append(field.name)
        elif field.type is FieldType.ARRAY_DOUBLE and features:
            vectors.append(field.name)
        elif field.type in _NUMBERS and field.name in places:
            numbers.append((field.name, places[field.name]))
        else:
            raise QuadratError(
                ErrorKind.INVALID,
                f"Nothing of an object fits into the field {field.name} ({field.type}) of the model. A file or a text "
                "gets the image, a list of numbers the features of the request, a number the feature of its name.",
                field="model",
            )
    return InputPlan(False, tuple(blobs), tuple(images), tuple(vectors), tuple(numbers))


def read_labels(answer: Any) -> list[tuple[str, float]]:
    """Labels in an answer with their scores, the best first; a score of 1 where the answer has none.

    A label is a text or a whole number, alone or in a field such as ``label``; the only text or whole number, where no
    field is called so. Lists of labels need a list of scores.

    Raises:
        ValueError: There is no label, or a score outside 0..1.
    """
    label, score = answer, None
    if isinstance(answer, Mapping):
        name = next((name for name in _LABELS if name in answer), None)
        score = next((answer[name] for name in _SCORES if name in answer), None)
        if name is None:
            rest = [value for key, value in answer.items() if key not in _SCORES and _is_label(value)]
            if len(rest) != 1:
                message = "no field of the answer is called label"
                raise ValueError(message)
            label = rest[0]
        else:
            label = answer[name]
    pairs = _pairs(label, score)
    if not pairs or not all(_is_label(each) and _is_score(value) for each, value in pairs):
        message = "the answer has no label with a score from 0 to 1"
        raise ValueError(message)
    return sorted(((str(each), float(value)) for each, value in pairs), key=lambda pair: -pair[1])


def read_vector(answer: Any) -> list[float]:
    """The vector in an answer: a list of numbers, alone or as the only one of the answer's fields.

    Raises:
        ValueError: There is none, or more than one.
    """
    lists = [answer] if isinstance(answer, list) else []
    if isinstance(answer, Mapping):
        lists = [value for value in answer.values() if isinstance(value, list)]
    if len(lists) != 1 or not lists[0] or not all(_is_number(value) for value in lists[0]):
        message = "the answer has no list of numbers, or more than one"
        raise ValueError(message)
    return [float(value) for value in lists[0]]


def _pairs(label: Any, score: Any) -> list[tuple[Any, Any]]:
    if not isinstance(label, list):
        return [(label, 1.0 if score is None else score)]
    if not isinstance(score, list) or len(score) != len(label):
        return []
    return list(zip(label, score, strict=True))


def _is_label(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_score(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1
