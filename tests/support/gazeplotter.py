"""Reads exports by the rules of GazePlotter 1.9.0, which were tried with the program itself.

Its users open the zip of an enrichment, or a table in the columns that it calls segmented. Facts it reads by:

- Zip: the first entry whose lower-case name contains ``sections.csv``, ``aoi_fixations.csv``, ``fixations.csv``. Lines
  end with a line feed; columns are what lies between commas, quotes are letters; the first line is the header. Columns
  by place: sections 1 recording id, 2 its name; aoi_fixations 1 area, 3 recording, 4 fixation; fixations 1 recording,
  2 fixation, 3 start, 4 end. A recording's name is its participant; what has the same name is added up. A date and time
  at the end of names are dropped where they stay different. The first fixation of a participant is time 0. The stimulus
  is the name of the zip.
- Table: the columns From, To, Participant, Stimulus, AOI, found by name; areas between vertical bars; times stay as
  they are.
- Fixations of a participant are put in order of time; times are 32 bit floats. A visit is a run of fixations on an
  area.
"""

import io
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

_STAMP = re.compile(r"_\d{4}-\d{2}-\d{2}_\d{2}:\d{2}:\d{2}$")


@dataclass(slots=True)
class Looked:
    """What it shows of a participant and an area, in ms."""

    fixations: int = 0
    dwell: float = 0.0
    visits: int = 0
    first_at: float | None = None
    first_lasts: float | None = None


@dataclass(slots=True)
class Shown:
    """What it has read."""

    stimuli: set[str] = field(default_factory=set)
    segments: dict[str, list[tuple[float, float, set[str]]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, participant: str, start: float, end: float, areas: set[str]) -> None:
        """One fixation."""
        self.segments[participant].append((float(np.float32(start)), float(np.float32(end)), areas))

    def looked(self, participant: str, area: str) -> Looked:
        """Its numbers for a participant and an area."""
        found = Looked()
        before = False
        for start, end, areas in sorted(self.segments[participant], key=lambda segment: segment[:2]):
            hit = area in areas
            if hit:
                found.fixations += 1
                found.dwell += end - start
                found.visits += not before
                if found.first_at is None:
                    found.first_at, found.first_lasts = start, end - start
            before = hit
        return found


def read_zip(name: str, data: bytes) -> Shown:
    """The zip of an enrichment."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    sections, hits, fixations = (
        _lines(archive.read(next(entry for entry in archive.namelist() if part in entry.lower())))
        for part in ("sections.csv", "aoi_fixations.csv", "fixations.csv")
    )
    areas: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in hits:
        areas[row[3], row[4]].add(row[1])
    names = {row[1]: row[2] for row in sections}
    short = {recording: _STAMP.sub("", given) for recording, given in names.items()}
    names = short if len(set(short.values())) == len(short) else names
    shown = Shown({re.sub(r"\.zip$", "", name, flags=re.IGNORECASE)})
    began: dict[str, float] = {}
    for row in fixations:
        participant = names.get(row[1], row[1])
        start, end = float(row[3]), float(row[4])
        base = began.setdefault(participant, start)
        shown.add(participant, (start - base) / 1e6, (end - base) / 1e6, areas.get((row[1], row[2]), set()))
    return shown


def read_segments(data: bytes) -> Shown:
    """A table of segments."""
    header = data.decode().split("\n")[0].split(",")
    start, end, participant, stimulus, areas = (
        header.index(name) for name in ("From", "To", "Participant", "Stimulus", "AOI")
    )
    shown = Shown()
    for row in _lines(data):
        shown.stimuli.add(row[stimulus])
        shown.add(row[participant], float(row[start]), float(row[end]), set(row[areas].split("|")) - {""})
    return shown


def _lines(data: bytes) -> list[list[str]]:
    return [line.removesuffix("\r").split(",") for line in data.decode().split("\n") if line.strip("\r")][1:]
