"""Reads the files of an import into recordings. Long: runs in a thread of a worker process."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.formats.columns import DTYPES, ColumnWriter
from quadrat.gaze.formats.csvs import CsvFile
from quadrat.gaze.formats.layouts import EVENTS, FIXATION_LAYOUTS, GAZE_LAYOUTS, SECTIONS, Layout
from quadrat.gaze.formats.parsed import FIXATION, FileSet, GivenFacts, RawRecording, RecordingInfo, SectionFacts

Progress = Callable[[int], None]
"""Told the number of rows read so far; raises to stop."""

_STATUS = {"true": 1, "false": 0, "not mapped": -1}
_MAX_INFO = 1024**2


class ImportReader:
    """Reads one set of files.

    Args:
        files: The files.
        given: What the request says beside them.
        scratch: Folder for columns.
        progress: See `Progress`.
    """

    def __init__(self, files: FileSet, given: GivenFacts, scratch: Path, progress: Progress) -> None:
        self._files = files
        self._given = given
        self._scratch = scratch
        self._progress = progress
        self._rows = 0
        self._lone = given.recording_id
        self._events: list[tuple[UUID | None, str, int]] = []
        self.recordings: dict[UUID, RawRecording] = {}
        self.gaze_layout: Layout | None = None
        self.fixation_layout: Layout | None = None

    def read(self) -> None:
        """Read everything.

        Raises:
            QuadratError: invalid, naming file and line.
        """
        self._read_info()
        self._read_sections()
        self._read_events()
        self._read_gaze()
        self._read_fixations()
        self._attach_events()
        for recording in self.recordings.values():
            recording.folder_name = self._files.folder_name
            recording.scene = self._files.paths.get("scene") if len(self.recordings) == 1 else None

    # Which recording.

    def _recording(self, text: str | None, place: str) -> RawRecording:
        uuid = self._lone_id() if text is None else _uuid(text, place)
        found = self.recordings.get(uuid)
        if found is None:
            found = self.recordings[uuid] = RawRecording(uuid)
        return found

    def _lone_id(self) -> UUID:
        """The recording of files that name none."""
        if self._lone is None:
            # Neon Player's files of a surface name no recording, but its events do.
            known = list(self.recordings) or list({uuid for uuid, _, _ in self._events if uuid is not None})
            self._lone = known[0] if len(known) == 1 else new_uuid()
        return self._lone

    # The files.

    def _open(self, kind: str, layouts: Sequence[Layout]) -> Iterator[CsvFile]:
        path = self._files.paths.get(kind)
        if path is not None:
            with path.open("rb") as source:
                yield CsvFile(self._files.names[kind], source, layouts)

    def _read_info(self) -> None:
        path = self._files.paths.get("info")
        if path is None:
            return
        name = self._files.names["info"]
        try:
            facts = json.loads(path.read_bytes()[:_MAX_INFO])
        except ValueError as error:
            line = getattr(error, "lineno", 1)
            raise QuadratError(ErrorKind.INVALID, f"{name}, line {line}: this is not JSON.", field=name) from None
        if not isinstance(facts, dict):
            raise QuadratError(ErrorKind.INVALID, f"{name}, line 1: this is not a JSON object.", field=name)
        info = RecordingInfo(
            start_ns=_whole(facts.get("start_time")),
            duration_ns=_whole(facts.get("duration")),
            wearer_id=_text(facts.get("wearer_id")),
            wearer=_text(facts.get("wearer_name")),
            name=_text(facts.get("name")),
            gaze_offset_px=_position(facts.get("gaze_offset")),
        )
        recording_id = _text(facts.get("recording_id"))
        self._recording(recording_id, f"{name}, line 1: recording_id").info = info

    def _read_sections(self) -> None:
        for file in self._open("sections", (SECTIONS,)):
            for line, row in file.rows():
                place = f"{self._files.names['sections']}, line {line}: recording id"
                recording = self._recording(_text(row["recording"]), place)
                facts = SectionFacts(
                    id=str(row["section"]),
                    recording=recording.uuid,
                    name=_text(row["name"]),
                    wearer_id=_text(row["wearer_id"]),
                    wearer=_text(row["wearer"]),
                    start_ns=int(str(row["start"])),
                    end_ns=int(str(row["end"])),
                    start_event=_text(row["start_event"]),
                    end_event=_text(row["end_event"]),
                )
                if facts.end_ns < facts.start_ns:
                    raise QuadratError(
                        ErrorKind.INVALID,
                        f"{self._files.names['sections']}, line {line}: the section ends before it starts.",
                        field="sections",
                    )
                recording.sections[facts.id] = facts

    def _read_events(self) -> None:
        for file in self._open("events", (EVENTS,)):
            for line, row in file.rows():
                place = f"{self._files.names['events']}, line {line}: recording id"
                text = _text(row["recording"])
                uuid = None if text is None else _uuid(text, place)
                self._events.append((uuid, str(row["name"]), int(str(row["t"]))))

    def _attach_events(self) -> None:
        for uuid, name, at_ns in self._events:
            recording = self.recordings.get(self._lone_id() if uuid is None else uuid)
            if recording is not None:
                recording.events.append((name, at_ns))

    def _read_gaze(self) -> None:
        for file in self._open("gaze", GAZE_LAYOUTS):
            self.gaze_layout = file.layout
            for line, frame in file.blocks():
                self._count(len(frame))
                for (recording_text, section), part in _split(frame):
                    place = f"{self._files.names['gaze']}, from line {line}: recording id"
                    recording = self._recording(recording_text, place)
                    writer = recording.samples.get(section)
                    if writer is None:
                        writer = ColumnWriter(self._scratch / f"{new_uuid().hex}")
                        recording.samples[section] = writer
                    writer.append(_sample_columns(part))

    def _read_fixations(self) -> None:
        for file in self._open("fixations", FIXATION_LAYOUTS):
            self.fixation_layout = file.layout
            name = self._files.names["fixations"]
            known = set(self.recordings) if "gaze" in self._files.paths else None
            for line, frame in file.blocks():
                self._count(len(frame))
                for (recording_text, section), part in _split(frame):
                    place = f"{name}, from line {line}: recording id"
                    recording = self._recording(recording_text, place)
                    if known is not None and recording.uuid not in known:
                        raise QuadratError(
                            ErrorKind.INVALID,
                            f"{name}, line {line + _first_of(frame, recording_text)}: recording {recording.uuid} has "
                            "fixations, but no gaze.",
                            field=name,
                        )
                    rows = self._fixation_rows(part, frame, (name, line))
                    recording.fixations.setdefault(section, []).append(rows)

    def _fixation_rows(self, part: pl.DataFrame, frame: pl.DataFrame, place: tuple[str, int]) -> NDArray[np.void]:
        backwards = frame["end"] < frame["start"]
        if backwards.any():
            line = place[1] + (backwards.arg_max() or 0)
            raise QuadratError(
                ErrorKind.INVALID, f"{place[0]}, line {line}: the fixation ends before it starts.", field=place[0]
            )
        rows = np.zeros(len(part), FIXATION)
        rows["fixation_id"] = part["fixation"].to_numpy()
        rows["start_ns"] = part["start"].to_numpy()
        rows["end_ns"] = part["end"].to_numpy()
        for axis in ("x", "y"):
            rows[axis] = _numbers(part, axis)
        rows["detected"] = _detected(part, frame, place)
        return rows

    def _count(self, rows: int) -> None:
        self._rows += rows
        self._progress(self._rows)


def _split(frame: pl.DataFrame) -> Iterator[tuple[tuple[str | None, str | None], pl.DataFrame]]:
    """The rows by recording and section; nearly always one of each."""
    keys = [name for name in ("recording", "section") if name in frame.columns]
    if not keys:
        yield (None, None), frame
        return
    if all(frame[name].n_unique() == 1 for name in keys):
        parts = {tuple(frame[name][0] for name in keys): frame}
    else:
        parts = frame.partition_by(keys, maintain_order=True, as_dict=True)
    for values, part in parts.items():
        found = dict(zip(keys, values, strict=True))
        yield (found.get("recording"), found.get("section")), part


def _first_of(frame: pl.DataFrame, recording: str | None) -> int:
    return (frame["recording"] == recording).arg_max() or 0


def _numbers(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    return np.asarray(frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy())


def _ids(frame: pl.DataFrame, name: str) -> NDArray[np.int32]:
    if name not in frame.columns:
        return np.full(len(frame), -1, np.int32)
    return np.asarray(frame[name].fill_null(-1).to_numpy())


def _sample_columns(frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
    x, y = _numbers(frame, "x"), _numbers(frame, "y")
    there = ~(np.isnan(x) | np.isnan(y))
    if "detected" in frame.columns:
        there &= np.asarray(frame["detected"].fill_null(value=False).to_numpy())
    if "worn" in frame.columns:
        there &= np.asarray(frame["worn"].fill_null(1.0).to_numpy()) > 0
    columns = {
        "t": frame["t"].to_numpy(),
        "x": x,
        "y": y,
        "fixation": _ids(frame, "fixation"),
        "blink": _ids(frame, "blink"),
        "detected": there,
    }
    return {name: np.asarray(columns[name]).astype(dtype, copy=False) for name, dtype in DTYPES.items()}


def _detected(part: pl.DataFrame, frame: pl.DataFrame, place: tuple[str, int]) -> NDArray[np.int16]:
    if "status" in part.columns:
        lower = frame["status"].str.to_lowercase()
        unknown = ~lower.is_in(list(_STATUS))
        if unknown.fill_null(value=True).any():
            at = unknown.fill_null(value=True).arg_max() or 0
            raise QuadratError(
                ErrorKind.INVALID,
                f"{place[0]}, line {place[1] + at}: fixation status is {frame['status'][at]!r}, not True, False or "
                "Not mapped.",
                field=place[0],
            )
        return np.asarray([_STATUS[value] for value in part["status"].str.to_lowercase()], np.int16)
    if "detected" in part.columns:
        return np.asarray(part["detected"].fill_null(value=False).to_numpy()).astype(np.int16)
    return np.ones(len(part), np.int16)


def _uuid(text: str, place: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise QuadratError(ErrorKind.INVALID, f"{place} {text[:60]!r} is no UUID.", field="recording id") from None


def _text(value: object) -> str | None:
    return None if value is None or not str(value).strip() else str(value).strip()


def _position(value: object) -> tuple[float, float] | None:
    """Two numbers, in a list or as x and y."""
    if isinstance(value, dict):
        value = [value.get("x"), value.get("y")]
    if not isinstance(value, list) or len(value) != 2 or not all(type(one) in {int, float} for one in value):
        return None
    return float(value[0]), float(value[1])


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
