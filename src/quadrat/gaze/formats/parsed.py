"""What was read from gaze files, before anything of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quadrat.gaze.formats.columns import ColumnWriter
from quadrat.gaze.types import Section, Unit

FIXATION = np.dtype(
    [
        ("fixation_id", "<i4"),
        ("section", "<i4"),
        ("start_ns", "<i8"),
        ("end_ns", "<i8"),
        ("x", "<f8"),
        ("y", "<f8"),
        ("detected", "<i2"),
    ]
)
"""One fixation: positions NaN where missing; detected 1 on the plane, 0 not, -1 not mapped yet."""


@dataclass(frozen=True, slots=True)
class SectionFacts:
    """A row of sections.csv."""

    id: str
    recording: UUID
    name: str | None
    wearer_id: str | None
    wearer: str | None
    start_ns: int
    end_ns: int
    start_event: str | None
    end_event: str | None


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """What info.json says of a recording."""

    start_ns: int | None = None
    duration_ns: int | None = None
    wearer_id: str | None = None
    wearer: str | None = None
    name: str | None = None
    gaze_offset_px: tuple[float, float] | None = None


@dataclass(slots=True)
class RawRecording:
    """What the files hold of one recording.

    Args:
        uuid: The id.
        samples: Writers by section id.
        fixations: Arrays of `FIXATION` by section id; None stands for files without that column.
    """

    uuid: UUID
    samples: dict[str | None, ColumnWriter] = field(default_factory=dict)
    fixations: dict[str | None, list[NDArray[np.void]]] = field(default_factory=dict)
    sections: dict[str, SectionFacts] = field(default_factory=dict)
    events: list[tuple[str, int]] = field(default_factory=list)
    info: RecordingInfo = field(default_factory=RecordingInfo)
    folder_name: str | None = None
    scene: Path | None = None


@dataclass(frozen=True, slots=True)
class ParsedRecording:
    """One recording, ready to be stored.

    Args:
        columns: Folder with the sample columns; None without gaze.
        own: The positions are scene camera pixels, the recording's own, and not on the plane.
        start_ns: Start of the recording, and where it comes from; None when nothing says it.
        duration_ns: None when nothing says it.
        unit: Of the positions.
        gaze_offset_px: See `quadrat.gaze.types.Recording`.
        scene: The scene video; only where `own` is true.
    """

    uuid: UUID
    name: str | None
    wearer: tuple[str | None, str | None]
    start_ns: int | None
    start_source: str
    duration_ns: int | None
    events: tuple[tuple[str, int], ...]
    own: bool
    unit: Unit
    columns: Path | None
    n_samples: int
    n_mapped: int
    period_ns: int
    sections: tuple[Section, ...]
    fixations: NDArray[np.void]
    gaze_offset_px: tuple[float, float] | None
    scene: Path | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GivenFacts:
    """What the request says beside the files; None where it says nothing."""

    name: str | None = None
    start_ns: int | None = None
    duration_ns: int | None = None
    recording_id: UUID | None = None
    wearer: str | None = None


@dataclass(frozen=True, slots=True)
class FileSet:
    """Files that belong together: paths by what they are, and how their sender calls them.

    Args:
        paths: By one of ``gaze``, ``fixations``, ``sections``, ``events``, ``info``, ``scene``.
        names: The same, as the sender calls them.
        folder_name: Of a folder in an archive, such as ``<recording name>-<start of the recording id>``.
    """

    paths: Mapping[str, Path]
    names: Mapping[str, str]
    folder_name: str | None = None
