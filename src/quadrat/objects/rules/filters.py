"""The conditions of an object list: from the texts that callers send to values that can be compared. Pure.

Source: spec of the object-set API, section 2.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, TypeVar

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.rules.columns import position_of

Value = TypeVar("Value")

FIELDS = (
    "taxo",
    "taxochild",
    "statusfilter",
    "MapN",
    "MapS",
    "MapE",
    "MapW",
    "depthmin",
    "depthmax",
    "samples",
    "instrum",
    "daytime",
    "month",
    "fromdate",
    "todate",
    "fromtime",
    "totime",
    "inverttime",
    "validfromdate",
    "validtodate",
    "freenum",
    "freenumst",
    "freenumend",
    "freetxt",
    "freetxtval",
    "filt_annot",
    "filt_last_annot",
)
_MAX_ID = 2**63 - 1
_TEXT_COLUMN = re.compile(r"([osap])(t[0-9]{2,3})")
_NUMBER_COLUMN = re.compile(r"o?(n[0-9]{1,3})")


class StatusFilter(StrEnum):
    """Conditions on the state of an object."""

    NOT_VALIDATED = "NV"
    PREDICTED_OR_VALIDATED = "PV"
    CLASSIFIED = "PVD"
    VALIDATED_BY_OTHERS = "NVM"
    VALIDATED_BY_ME = "VM"
    UNCLASSIFIED = "U"
    UNDECIDED = "UP"
    PREDICTED = "P"
    VALIDATED = "V"
    DUBIOUS = "D"
    NOTHING = ""


@dataclass(frozen=True, slots=True)
class Box:
    """Degrees; the edges are inside."""

    south: float
    north: float
    west: float
    east: float


@dataclass(frozen=True, slots=True)
class Times:
    """A part of the day, the bounds inside.

    Args:
        start: None for midnight.
        end: None for midnight.
        outside: Before the start or after the end instead.
    """

    start: dt.time | None
    end: dt.time | None
    outside: bool = False


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Bounds of a measured feature, both inside.

    Args:
        position: Of the feature, or ``score`` of the prediction; None for what is no column, which selects nothing.
        least: None for no bound.
        most: None for no bound.
    """

    position: int | Literal["score"] | None
    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A part of a free text, in any case.

    Args:
        level: ``o`` object, ``s`` sample, ``a`` acquisition, ``p`` process.
        position: Of the column; None for what is no column, which selects nothing.
        pattern: For LIKE, with ``%`` and ``_``.
    """

    level: Literal["o", "s", "a", "p"]
    position: int | None
    pattern: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """What an object has to be like; None is no condition."""

    taxa: frozenset[int] | None = None
    with_taxa_below: bool = False
    status: StatusFilter | None = None
    box: Box | None = None
    depth: tuple[float, float] | None = None
    samples: frozenset[int] | None = None
    instrument: str | None = None
    sun_positions: frozenset[str] | None = None
    months: frozenset[int] | None = None
    first_date: dt.date | None = None
    last_date: dt.date | None = None
    times: Times | None = None
    decided_from: datetime | None = None
    decided_until: datetime | None = None
    changed_since: datetime | None = None
    number: NumberRange | None = None
    text: TextMatch | None = None
    annotators: frozenset[int] | None = None
    last_annotators: frozenset[int] | None = None

    @property
    def one_whole_taxon(self) -> int | None:
        """The taxon, when the only condition is to be in exactly that one."""
        if self.taxa is None or len(self.taxa) != 1 or self != Conditions(taxa=self.taxa):
            return None
        return next(iter(self.taxa))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a project, with everything looked up that the conditions only name.

    Args:
        project_id: The project.
        conditions: What is asked of them.
        me: Who "I" am in the conditions; None for a stranger.
        taxa: The wanted taxa, those below included where they are wanted too; None for all.
        is_instrument: Whether the project's instrument is the wanted one.
        owners: For a text of a level above objects: the level, and the samples or acquisitions that have it.
    """

    project_id: ProjectId
    conditions: Conditions
    me: UserId | None
    taxa: frozenset[int] | None = None
    is_instrument: bool = True
    owners: frozenset[int] | None = None


def read_filters(given: Mapping[str, str | None]) -> Conditions:
    """Understand the filters of a request.

    Args:
        given: Texts by the names of the wire API; None and empty ones are no condition.

    Raises:
        QuadratError: invalid, for a text that is no number, date or list.
    """
    texts = {name: value.strip() for name, value in given.items() if value is not None and value.strip()}
    status = _status(texts.get("statusfilter"))
    since = _read(texts, "validfromdate", _moment)
    is_since = status is StatusFilter.CLASSIFIED
    annotators = _read(texts, "filt_annot", _ids)
    return Conditions(
        taxa=_read(texts, "taxo", _ids),
        with_taxa_below=texts.get("taxochild") == "Y",
        status=status,
        box=_box(texts),
        depth=_depth(texts),
        samples=_read(texts, "samples", _ids),
        instrument=texts.get("instrum"),
        sun_positions=_read(texts, "daytime", _words),
        months=_read(texts, "month", _ids),
        first_date=_read(texts, "fromdate", dt.date.fromisoformat),
        last_date=_read(texts, "todate", dt.date.fromisoformat),
        times=_times(texts),
        decided_from=None if is_since else since,
        changed_since=since if is_since else None,
        decided_until=_read(texts, "validtodate", _moment),
        number=_number(texts),
        text=_text(texts),
        annotators=annotators,
        last_annotators=None if annotators is not None else _read(texts, "filt_last_annot", _ids),
    )


def only_last_annotator(given: Mapping[str, str | None]) -> int | None:
    """The user of `filt_last_annot`, when it names exactly one: reverts leave out this user's lines."""
    users = _read({name: value for name, value in given.items() if value}, "filt_last_annot", _ids)
    return next(iter(users)) if users is not None and len(users) == 1 else None


def _refusal(field: str, message: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field=field)


def _read(texts: Mapping[str, str], field: str, convert: Callable[[str], Value]) -> Value | None:
    text = texts.get(field)
    if text is None:
        return None
    try:
        return convert(text.strip())
    except ValueError as error:
        raise _refusal(field, f"{text[:100]!r} cannot be understood as {_WANTED[field]}.") from error


def _ids(text: str) -> frozenset[int]:
    ids = frozenset(int(part) for part in text.split(","))
    if any(abs(id_) > _MAX_ID for id_ in ids):
        raise ValueError
    return ids


def _words(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(","))


def _float(text: str) -> float:
    value = float(text)
    if math.isnan(value):
        raise ValueError
    return value


def _moment(text: str) -> datetime:
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError


def _time(text: str) -> dt.time:
    value = dt.time.fromisoformat(text)
    if value.tzinfo is not None:
        raise ValueError
    return value


def _status(text: str | None) -> StatusFilter | None:
    if text is None:
        return None
    try:
        return StatusFilter(text)
    except ValueError:
        return StatusFilter.NOTHING


def _box(texts: Mapping[str, str]) -> Box | None:
    south, north = _read(texts, "MapS", _float), _read(texts, "MapN", _float)
    west, east = _read(texts, "MapW", _float), _read(texts, "MapE", _float)
    if south is None or north is None or west is None or east is None:
        return None
    return Box(south, north, west, east)


def _depth(texts: Mapping[str, str]) -> tuple[float, float] | None:
    least, most = _read(texts, "depthmin", _float), _read(texts, "depthmax", _float)
    return None if least is None or most is None else (least, most)


def _times(texts: Mapping[str, str]) -> Times | None:
    start, end = _read(texts, "fromtime", _time), _read(texts, "totime", _time)
    if texts.get("inverttime") == "1":
        return None if start is None or end is None else Times(start, end, outside=True)
    return None if start is None and end is None else Times(start, end)


def _number(texts: Mapping[str, str]) -> NumberRange | None:
    column = texts.get("freenum")
    least, most = _read(texts, "freenumst", _float), _read(texts, "freenumend", _float)
    if column is None or (least is None and most is None):
        return None
    if column == "oscore":
        return NumberRange("score", least, most)
    match = _NUMBER_COLUMN.fullmatch(column)
    named = None if match is None else position_of(match[1])
    return NumberRange(None if named is None else named[1], least, most)


def _text(texts: Mapping[str, str]) -> TextMatch | None:
    column, wanted = texts.get("freetxt"), texts.get("freetxtval")
    if column is None or wanted is None:
        return None
    start = "" if wanted.startswith("^") else "%"
    end = "" if wanted.endswith("$") else "%"
    pattern = f"{start}{wanted.removeprefix('^').removesuffix('$')}{end}"
    match = _TEXT_COLUMN.fullmatch(column)
    if match is None:
        return TextMatch("o", None, pattern)
    named = position_of(match[2])
    level: Literal["o", "s", "a", "p"]
    match match[1]:
        case "s":
            level = "s"
        case "a":
            level = "a"
        case "p":
            level = "p"
        case _:
            level = "o"
    return TextMatch(level, None if named is None else named[1], pattern)


_LIST_OF_IDS = "a list of numbers with commas"
_NUMBER = "a number"
_WANTED = {
    **dict.fromkeys(("taxo", "samples", "month", "filt_annot", "filt_last_annot"), _LIST_OF_IDS),
    **dict.fromkeys(("MapN", "MapS", "MapE", "MapW", "depthmin", "depthmax", "freenumst", "freenumend"), _NUMBER),
    **dict.fromkeys(("fromdate", "todate"), "a date (YYYY-MM-DD)"),
    **dict.fromkeys(("fromtime", "totime"), "a time (HH:MM:SS)"),
    **dict.fromkeys(("validfromdate", "validtodate"), "a date and time (YYYY-MM-DD HH:MM)"),
    "daytime": "a list of letters with commas",
}
