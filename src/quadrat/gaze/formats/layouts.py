"""The columns of the gaze files that labs have, by the names in their headers.

Source: spec of the areas-of-interest API, section 4.1: enrichment downloads, Timeseries Data, Neon Player and
pl-rec-export. The order of columns is free, other columns are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from quadrat.gaze.types import Unit


class Value(StrEnum):
    """What a column holds."""

    TIME = "time"
    ID = "id"
    NUMBER = "number"
    FLAG = "flag"
    LEVEL = "level"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: As the header has it.
        value: What it holds.
        required: A file without it is refused.
    """

    name: str
    value: Value
    required: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of file.

    Args:
        mark: A column that tells it from the others.
        unit: Of the positions; None for the scene camera, which is no plane that areas lie on.
        columns: By what they mean here.
    """

    mark: str
    unit: Unit | None
    columns: Mapping[str, Column]


_SECTION = Column("section id", Value.TEXT)
_RECORDING = Column("recording id", Value.TEXT)
_TIME = Column("timestamp [ns]", Value.TIME, required=True)
_FIXATION = Column("fixation id", Value.ID)
_BLINK = Column("blink id", Value.ID)


def _gaze(mark: str, x: str, y: str, unit: Unit | None) -> Layout:
    columns = {
        "section": _SECTION,
        "recording": _RECORDING,
        "t": _TIME,
        "x": Column(x, Value.NUMBER, required=True),
        "y": Column(y, Value.NUMBER, required=True),
        "fixation": _FIXATION,
        "blink": _BLINK,
    }
    if unit is not None:
        columns["detected"] = Column(mark, Value.FLAG, required=True)
    else:
        columns["worn"] = Column("worn", Value.LEVEL)
    return Layout(mark, unit, columns)


GAZE_LAYOUTS = (
    _gaze(
        "gaze detected in reference image",
        "gaze position in reference image x [px]",
        "gaze position in reference image y [px]",
        Unit.PX,
    ),
    _gaze(
        "gaze detected on surface",
        "gaze position on surface x [normalized]",
        "gaze position on surface y [normalized]",
        Unit.NORM,
    ),
    _gaze("gaze x [px]", "gaze x [px]", "gaze y [px]", None),
)


def _fixations(mark: str, unit: Unit | None, suffix: str) -> Layout:
    columns = {
        "section": _SECTION,
        "recording": _RECORDING,
        "fixation": Column("fixation id", Value.ID, required=True),
        "start": Column("start timestamp [ns]", Value.TIME, required=True),
        "end": Column("end timestamp [ns]", Value.TIME, required=True),
        "x": Column(f"fixation x [{suffix}]", Value.NUMBER, required=mark != "fixation status"),
        "y": Column(f"fixation y [{suffix}]", Value.NUMBER, required=mark != "fixation status"),
    }
    if mark.startswith("fixation detected"):
        columns["detected"] = Column(mark, Value.FLAG, required=True)
    elif mark == "fixation status":
        columns["status"] = Column(mark, Value.TEXT, required=True)
    return Layout(mark, unit, columns)


FIXATION_LAYOUTS = (
    _fixations("fixation detected in reference image", Unit.PX, "px"),
    _fixations("fixation detected on surface", Unit.NORM, "normalized"),
    _fixations("fixation status", Unit.NORM, "normalized"),
    _fixations("fixation x [px]", None, "px"),
)

SECTIONS = Layout(
    "section id",
    None,
    {
        "section": Column("section id", Value.TEXT, required=True),
        "recording": Column("recording id", Value.TEXT, required=True),
        "name": Column("recording name", Value.TEXT),
        "wearer_id": Column("wearer id", Value.TEXT),
        "wearer": Column("wearer name", Value.TEXT),
        "start": Column("section start time [ns]", Value.TIME, required=True),
        "end": Column("section end time [ns]", Value.TIME, required=True),
        "start_event": Column("start event name", Value.TEXT),
        "end_event": Column("end event name", Value.TEXT),
    },
)

EVENTS = Layout(
    "name",
    None,
    {
        "recording": _RECORDING,
        "t": _TIME,
        "name": Column("name", Value.TEXT, required=True),
        "type": Column("type", Value.TEXT),
    },
)
