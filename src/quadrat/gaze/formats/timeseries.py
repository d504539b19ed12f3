"""Writes a recording in the layout of Timeseries downloads: scene camera pixels, a folder for each recording.

Source: spec of the areas-of-interest API, section 4.1. Files about what is not kept here (eye states, inertial
measurements, saccades) are left out. The whole recording is its one section, which is called as the recording is.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.gaze.rules.tables import to_csv
from quadrat.gaze.rules.texts import file_stem
from quadrat.gaze.types import Recording

GAZE_HEADER = to_csv(
    [
        (
            "section id",
            "recording id",
            "timestamp [ns]",
            "gaze x [px]",
            "gaze y [px]",
            "worn",
            "fixation id",
            "blink id",
        )
    ]
)
_FIXATION_HEADER = to_csv(
    [
        (
            "section id",
            "recording id",
            "fixation id",
            "start timestamp [ns]",
            "end timestamp [ns]",
            "duration [ms]",
            "fixation x [px]",
            "fixation y [px]",
        )
    ]
)
_ID_DIGITS = 8


def folder_names(recordings: Sequence[Recording]) -> list[str]:
    """What the folders of recordings are called: name and start of the id, or the whole id where that is taken."""
    names: list[str] = []
    taken: set[str] = set()
    for recording in recordings:
        stem = file_stem(recording.name)
        name = f"{stem}-{_digits(recording)}"
        name = f"{stem}-{recording.uuid}" if name.casefold() in taken else name
        taken.add(name.casefold())
        names.append(name)
    return names


def scene_name(recording: Recording) -> str:
    """What the scene video is called: by the start of the recording's id, and the seconds that it shows."""
    return f"{_digits(recording)}_0.0-{recording.duration_ns / 1e9:.3f}.mp4"


def _digits(recording: Recording) -> str:
    return str(recording.uuid)[:_ID_DIGITS]


def info_json(recording: Recording, workspace_id: str) -> str:
    """info.json."""
    wearer = recording.wearer
    facts = {
        "recording_id": str(recording.uuid),
        "name": recording.name,
        "start_time": recording.start_ns,
        "duration": recording.duration_ns,
        "wearer_id": None if wearer is None else str(wearer.uuid),
        "wearer_name": None if wearer is None else wearer.name,
        "workspace_id": workspace_id,
        "gaze_offset": None if recording.gaze_offset_px is None else list(recording.gaze_offset_px),
    }
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def gaze_rows(recording: Recording, columns: Mapping[str, NDArray[Any]]) -> str:
    """Rows of gaze.csv, for a block of samples."""
    frame = pl.DataFrame({name: columns[name] for name in ("t", "x", "y", "detected", "fixation", "blink")})
    return _csv(
        recording,
        frame.select(
            "t",
            pl.col("x").fill_nan(None),
            pl.col("y").fill_nan(None),
            (pl.col("detected") != 0).cast(pl.Float64),
            pl.when(pl.col("fixation") >= 0).then(pl.col("fixation")),
            pl.when(pl.col("blink") >= 0).then(pl.col("blink")),
        ),
    )


def fixations_csv(recording: Recording, rows: NDArray[np.void]) -> str:
    """fixations.csv; durations are truncated to whole milliseconds, as upstream does.

    Args:
        recording: Whose.
        rows: Fixations with the fields ``fixation_id``, ``start_ns``, ``end_ns``, ``x`` and ``y``, in order of time.
    """
    names = ("fixation_id", "start_ns", "end_ns", "x", "y")
    frame = pl.DataFrame({name: rows[name].astype(rows[name].dtype.newbyteorder("=")) for name in names})
    return _FIXATION_HEADER + _csv(
        recording,
        frame.select(
            "fixation_id",
            "start_ns",
            "end_ns",
            ((pl.col("end_ns") - pl.col("start_ns")) // 1_000_000).alias("duration"),
            pl.col("x").fill_nan(None),
            pl.col("y").fill_nan(None),
        ),
    )


def _csv(recording: Recording, frame: pl.DataFrame) -> str:
    id_ = pl.lit(str(recording.uuid))
    return frame.select(id_.alias("section"), id_.alias("recording"), pl.all()).write_csv(include_header=False)
