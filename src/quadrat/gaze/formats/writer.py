"""Writes an enrichment as the zip that its users know, in an order that other tools rely on.

Source: spec of the areas-of-interest API, sections 2.4, 3.1 and 4.1. One reader takes the first entry whose name
contains ``fixations.csv``, so that file comes before aoi_fixations.csv. events.csv at the end is ours: it says when
recordings begin, so that an import elsewhere gives equal statistics.
"""

import zipfile
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.gaze.rules.statistics import Fixations
from quadrat.gaze.rules.tables import to_csv
from quadrat.gaze.types import Enrichment, EnrichmentKind, Event, MappedRecording, Recording, Unit

_WORDS = {
    EnrichmentKind.REFERENCE_IMAGE: ("reference image", "px", Unit.PX),
    EnrichmentKind.SURFACE: ("surface", "normalized", Unit.NORM),
    EnrichmentKind.STATIC_IMAGE: ("reference image", "normalized", Unit.NORM),
}
_ENTRY_TIME = (1980, 1, 1, 0, 0, 0)


def entry(name: str) -> zipfile.ZipInfo:
    """An entry that is the same whenever it is written."""
    info = zipfile.ZipInfo(name, _ENTRY_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def sections_csv(mappings: Sequence[MappedRecording]) -> str:
    """sections.csv."""
    rows: list[Sequence[object]] = [
        (
            "section id",
            "recording id",
            "recording name",
            "wearer id",
            "wearer name",
            "section start time [ns]",
            "section end time [ns]",
            "start event name",
            "end event name",
        )
    ]
    for mapping in mappings:
        recording = mapping.recording
        wearer = recording.wearer
        rows += [
            (
                section.id,
                recording.uuid,
                recording.name,
                None if wearer is None else wearer.uuid,
                None if wearer is None else wearer.name,
                section.start_ns,
                section.end_ns,
                section.start_event,
                section.end_event,
            )
            for section in mapping.sections
        ]
    return to_csv(rows)


def events_csv(events: Sequence[tuple[Recording, Sequence[Event]]]) -> str:
    """events.csv."""
    rows: list[Sequence[object]] = [("recording id", "timestamp [ns]", "name", "type")]
    for recording, found in events:
        rows += [(recording.uuid, recording.start_ns + event.offset_ns, event.name, event.origin) for event in found]
    return to_csv(rows)


class GazeWriter:
    """Writes gaze.csv, block after block.

    Args:
        target: Where.
        enrichment: Names its columns.
        size: Width and height of the plane in pixels, for positions in the other unit.
    """

    def __init__(self, target: IO[bytes], enrichment: Enrichment, size: tuple[float, float]) -> None:
        self._target = target
        plane, suffix, unit = _WORDS[enrichment.kind]
        self._unit, self._size = unit, size
        on = "in" if plane == "reference image" else "on"
        header = (
            "section id",
            "recording id",
            "timestamp [ns]",
            f"gaze detected {on} {plane}",
            f"gaze position {on} {plane} x [{suffix}]",
            f"gaze position {on} {plane} y [{suffix}]",
            "fixation id",
            "blink id",
        )
        target.write(to_csv([header]).encode())

    def write(self, mapping: MappedRecording, section_id: str, columns: Mapping[str, NDArray[Any]]) -> None:
        """Add samples of one section."""
        x, y = to_unit((columns["x"], columns["y"]), mapping.unit, self._unit, self._size)
        frame = pl.DataFrame(
            {
                "t": columns["t"],
                "detected": columns["detected"].astype(bool),
                "x": x,
                "y": y,
                "fixation": columns["fixation"],
                "blink": columns["blink"],
            }
        )
        frame = frame.select(
            pl.lit(section_id).alias("section"),
            pl.lit(str(mapping.recording.uuid)).alias("recording"),
            "t",
            "detected",
            pl.col("x").fill_nan(None),
            pl.col("y").fill_nan(None),
            pl.when(pl.col("fixation") >= 0).then(pl.col("fixation")),
            pl.when(pl.col("blink") >= 0).then(pl.col("blink")),
        )
        self._target.write(frame.write_csv(include_header=False).encode())


def to_unit(
    position: tuple[NDArray[np.float64], NDArray[np.float64]], have: Unit, want: Unit, size: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions in the unit that a file has; untouched when they have it already."""
    x, y = position
    if have is want:
        return x, y
    return (x * size[0], y * size[1]) if want is Unit.PX else (x / size[0], y / size[1])


def fixations_csv(
    enrichment: Enrichment, found: Sequence[tuple[MappedRecording, Fixations]], size: tuple[float, float]
) -> str:
    """fixations.csv; durations are truncated to whole milliseconds, as upstream does."""
    plane, suffix, unit = _WORDS[enrichment.kind]
    manual = enrichment.kind is EnrichmentKind.STATIC_IMAGE
    on = "in" if plane == "reference image" else "on"
    rows: list[Sequence[object]] = [
        (
            "section id",
            "recording id",
            "fixation id",
            "start timestamp [ns]",
            "end timestamp [ns]",
            "duration [ms]",
            "fixation status" if manual else f"fixation detected {on} {plane}",
            f"fixation x [{suffix}]",
            f"fixation y [{suffix}]",
        )
    ]
    for mapping, fixations in found:
        sections = {section.number: section.id for section in mapping.sections}
        x, y = to_unit((fixations.x, fixations.y), mapping.unit, unit, size)
        for place in range(len(fixations)):
            start_ns, end_ns = int(fixations.start_ns[place]), int(fixations.end_ns[place])
            rows.append(
                (
                    sections.get(int(fixations.section[place])),
                    mapping.recording.uuid,
                    int(fixations.ids[place]),
                    start_ns,
                    end_ns,
                    (end_ns - start_ns) // 1_000_000,
                    _state(fixations, place, manual=manual),
                    _position(x[place]),
                    _position(y[place]),
                )
            )
    return to_csv(rows)


def _state(fixations: Fixations, place: int, *, manual: bool) -> str:
    detected = bool(fixations.detected[place])
    if not manual:
        return "true" if detected else "false"
    if fixations.unplaced[place]:
        return "Not mapped"
    return "True" if detected else "False"


def _position(value: float) -> object:
    return None if np.isnan(value) else float(value)


def info_txt(enrichment: Enrichment, docs_url: str, version: str) -> str:
    """enrichment_info.txt: kind, where its format is described, version."""
    kind = {
        EnrichmentKind.REFERENCE_IMAGE: "Reference Image Mapper",
        EnrichmentKind.SURFACE: "Marker Mapper",
        EnrichmentKind.STATIC_IMAGE: "Manual Mapper",
    }[enrichment.kind]
    return f"Enrichment: {kind}\nDocumentation: {docs_url}\nVersion: {version}\n"
