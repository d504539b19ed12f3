"""What all images of a simple import share. Pure."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quadrat.objects.rules import values as readers

_STATUS = {"V": "V", "P": "P", "D": "D", "validated": "V", "predicted": "P", "dubious": "D"}
_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "imgdate": ("date", readers.to_date),
    "imgtime": ("time", readers.to_time),
    "latitude": ("latitude", readers.to_latitude),
    "longitude": ("longitude", readers.to_longitude),
    "depthmin": ("depth_min", readers.to_number),
    "depthmax": ("depth_max", readers.to_number),
}
_NAMES = frozenset({"taxolb", "userlb", "status", "datelb", *_READERS})


@dataclass(frozen=True, slots=True)
class SameValues:
    """What is the same for all images.

    Args:
        columns: Of the object.
        taxon: In lower case.
        person: In lower case.
        qualification: V, P or D.
        at: When it was classified.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    taxon: str | None = None
    person: str | None = None
    qualification: str | None = None
    at: dt.datetime | None = None


def read_values(given: Mapping[str, str]) -> tuple[SameValues, list[str]]:
    """The values, and what is wrong with them."""
    problems = [
        f"'{name}' is not a known value; known are {', '.join(sorted(_NAMES))}" for name in given if name not in _NAMES
    ]
    columns = {}
    for name, (column, read) in _READERS.items():
        text = given.get(name, "").strip()
        if text:
            try:
                columns[column] = read(text)
            except ValueError:
                problems.append(f"'{text}' is not a valid value for {name}")
    taxon = given.get("taxolb", "").strip().lower() or None
    status = given.get("status", "").strip()
    qualification = _STATUS.get(status)
    if status and qualification is None:
        problems.append(f"'{status}' is not a valid value for status")
    elif (taxon is None) != (qualification is None):
        problems.append("status and taxolb have to come together")
    at = _read_moment(given.get("datelb", "").strip(), problems)
    person = given.get("userlb", "").strip().lower() or None
    return SameValues(columns, taxon, person, qualification, at), problems


def _read_moment(text: str, problems: list[str]) -> dt.datetime | None:
    if not text:
        return None
    day, _, at = text.replace("T", " ").partition(" ")
    try:
        return dt.datetime.combine(readers.to_date(day), readers.to_time(at) if at else dt.time(), dt.UTC)
    except ValueError:
        problems.append(f"'{text}' is not a valid value for datelb")
        return None
