"""Corrections of objects: from the texts that callers send to values of columns. Pure.

Source: spec of the object-set API, section 1.6.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from quadrat.errors import ErrorKind, QuadratError
from quadrat.objects.rules.columns import random_value
from quadrat.objects.types import FreeColumns, SunPosition

NOW = "current_timestamp"
_MAX_NAME = 255
_COMPACT_TIME = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Corrections:
    """New values, the same for all objects concerned.

    Args:
        facts: By column of the table of facts.
        numbers: Measured features by position.
        texts: Free texts by position.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[int, float | None] = field(default_factory=dict)
    texts: Mapping[int, str] = field(default_factory=dict)

    @property
    def moves(self) -> bool:
        """Whether place or time become others, and the sun's position does not come with them."""
        return bool({"date", "time", "latitude", "longitude"} & set(self.facts)) and "sun_position" not in self.facts


def read_corrections(given: Sequence[tuple[str, str]], free: FreeColumns, at: datetime) -> Corrections:
    """Understand corrections; columns that may not be corrected, or that do not exist, are left out.

    Args:
        given: Names of columns with texts; the last one of a column counts.
        free: The project's free columns.
        at: What "now" means.

    Raises:
        QuadratError: invalid, for a text that is no value of its column.
    """
    facts: dict[str, Any] = {}
    numbers: dict[int, float | None] = {}
    texts: dict[int, str] = {}
    for name, value in given:
        if name in _FACTS:
            column, convert = _FACTS[name]
            facts[column] = _read(name, value, convert, at)
        elif name in free.object_numbers:
            numbers[free.object_numbers.index(name)] = _read(name, value, _feature, at)
        elif name in free.object_texts:
            texts[free.object_texts.index(name)] = _read(name, value, _text, at)
    if "orig_id" in facts:
        facts["random_value"] = random_value(facts["orig_id"])
    return Corrections(facts, numbers, texts)


Convert = Callable[[str, datetime], Any]


def _read(name: str, text: str, convert: Convert, at: datetime) -> Any:
    try:
        return convert(text, at)
    except ValueError as error:
        message = f"{text[:100]!r} is not a value of {name}."
        raise QuadratError(ErrorKind.INVALID, message, field="updates") from error


def _date(text: str, at: datetime) -> dt.date:
    if text == NOW:
        return at.astimezone(UTC).date()
    return dt.date.fromisoformat(text)


def _time(text: str, at: datetime) -> dt.time:
    if text == NOW:
        return at.astimezone(UTC).time().replace(microsecond=0)
    compact = _COMPACT_TIME.fullmatch(text)
    value = dt.time.fromisoformat(text if compact is None else ":".join(compact.groups()))
    if value.tzinfo is not None:
        raise ValueError
    return value


def _number(text: str, _at: datetime) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _feature(text: str, _at: datetime) -> float | None:
    value = float(text)
    return None if math.isnan(value) else value


def _latitude(text: str, at: datetime) -> float:
    return _within(_number(text, at), 90)


def _longitude(text: str, at: datetime) -> float:
    return _within(_number(text, at), 180)


def _within(value: float, most: float) -> float:
    if abs(value) > most:
        raise ValueError
    return value


def _name(text: str, at: datetime) -> str:
    value = _text(text, at)
    if not value.strip() or len(value) > _MAX_NAME:
        raise ValueError
    return value


def _link(text: str, at: datetime) -> str:
    value = _text(text, at)
    if len(value) > _MAX_NAME:
        raise ValueError
    return value


def _text(text: str, at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") if text == NOW else text


def _sun(text: str, _at: datetime) -> str:
    return SunPosition(text).value


_FACTS: Mapping[str, tuple[str, Convert]] = {
    "objdate": ("date", _date),
    "objtime": ("time", _time),
    "latitude": ("latitude", _latitude),
    "longitude": ("longitude", _longitude),
    "depth_min": ("depth_min", _number),
    "depth_max": ("depth_max", _number),
    "sunpos": ("sun_position", _sun),
    "orig_id": ("orig_id", _name),
    "object_link": ("link", _link),
    "complement_info": ("complement", _text),
}
