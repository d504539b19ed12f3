"""From what files say of a recording to what is stored of it: its start, its sections, its columns in order."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.formats.columns import ColumnWriter, join
from quadrat.gaze.formats.layouts import Layout
from quadrat.gaze.formats.parsed import FIXATION, GivenFacts, ParsedRecording, RawRecording
from quadrat.gaze.formats.reader import ImportReader
from quadrat.gaze.rules.statistics import median_period_ns
from quadrat.gaze.types import Section, Unit

BEGIN, END = "recording.begin", "recording.end"
_LATE_SOURCES = {
    "section": "the start of its earliest section",
    "sample": "its first gaze sample",
    "fixation": "its first fixation",
}


def assemble(reader: ImportReader, given: GivenFacts, scratch: Path) -> list[ParsedRecording]:
    """All recordings that were read, each with its columns in a folder below `scratch`.

    Raises:
        QuadratError: invalid.
    """
    gaze, fixations = reader.gaze_layout, reader.fixation_layout
    if gaze is not None and fixations is not None and gaze.unit != fixations.unit:
        raise QuadratError(
            ErrorKind.INVALID,
            f"The gaze file has {gaze.mark!r}, the fixations file {fixations.mark!r}: they do not belong together.",
            field="fixations",
        )
    if not reader.recordings:
        raise QuadratError(ErrorKind.INVALID, "The files hold no recording: they have no rows.", field="gaze")
    alone = len(reader.recordings) == 1
    layout = gaze or fixations
    return [
        _Assembler(raw, given if alone else GivenFacts(wearer=given.wearer), layout, scratch).make()
        for raw in reader.recordings.values()
    ]


class _Assembler:
    def __init__(self, raw: RawRecording, given: GivenFacts, layout: Layout | None, scratch: Path) -> None:
        self._raw = raw
        self._given = given
        self._layout = layout
        self._folder = scratch / f"columns-{raw.uuid.hex}"
        self._warnings: list[str] = []

    def make(self) -> ParsedRecording:
        for writer in self._raw.samples.values():
            writer.sort()
        period_ns = self._period_ns()
        sections, writers = self._sections(period_ns)
        fixations = self._fixations(sections)
        n_samples = sum(writer.n_samples for writer in writers)
        n_mapped = sum(writer.n_mapped for writer in writers)
        if n_samples:
            join(writers, self._folder)
        start_ns, source = self._start(sections, fixations)
        own = self._layout is not None and self._layout.unit is None
        return ParsedRecording(
            uuid=self._raw.uuid,
            name=self._name(),
            wearer=self._wearer(),
            start_ns=start_ns,
            start_source=source,
            duration_ns=self._duration(start_ns, sections),
            events=tuple(self._raw.events),
            own=own,
            unit=Unit.NORM if self._layout is None or self._layout.unit is None else self._layout.unit,
            columns=self._folder if n_samples else None,
            n_samples=n_samples,
            n_mapped=n_mapped,
            period_ns=period_ns,
            sections=sections,
            fixations=fixations,
            gaze_offset_px=self._raw.info.gaze_offset_px,
            scene=self._raw.scene if own and n_samples else None,
            warnings=tuple(self._warnings),
        )

    def _period_ns(self) -> int:
        longest = max(self._raw.samples.values(), key=lambda writer: writer.n_samples, default=None)
        return 0 if longest is None else median_period_ns(longest.read("t"))

    def _sections(self, period_ns: int) -> tuple[tuple[Section, ...], list[ColumnWriter]]:
        raw = self._raw
        self._name_lone_section()
        ids = [id_ for id_ in dict.fromkeys([*raw.sections, *raw.samples, *raw.fixations]) if id_ is not None]
        spans = sorted((self._span(id_, period_ns), id_) for id_ in ids)
        made, writers, first = [], [], 0
        for number, ((start_ns, end_ns), id_) in enumerate(spans):
            writer = raw.samples.get(id_)
            count = 0 if writer is None else writer.n_samples
            facts = raw.sections.get(id_)
            made.append(
                Section(
                    number=number,
                    id=id_,
                    start_ns=start_ns,
                    end_ns=end_ns,
                    start_event=(facts.start_event if facts else None) or BEGIN,
                    end_event=(facts.end_event if facts else None) or END,
                    first_sample=first,
                    n_samples=count,
                )
            )
            first += count
            if writer is not None and count:
                writers.append(writer)
        return tuple(made), writers

    def _name_lone_section(self) -> None:
        """Give samples without a section id one: the only section that is known, or a new one."""
        raw = self._raw
        if None in raw.samples:
            id_ = next(iter(raw.sections)) if len(raw.sections) == 1 else str(new_uuid())
            raw.samples[id_] = raw.samples.pop(None)
        if not raw.samples and not raw.sections and None in raw.fixations:
            raw.fixations[str(new_uuid())] = raw.fixations.pop(None)

    def _span(self, id_: str, period_ns: int) -> tuple[int, int]:
        facts = self._raw.sections.get(id_)
        if facts is not None:
            return facts.start_ns, facts.end_ns
        writer = self._raw.samples.get(id_)
        if writer is not None and writer.n_samples:
            return writer.first_ns, writer.last_ns + period_ns
        rows = np.concatenate(self._raw.fixations.get(id_) or [np.zeros(0, FIXATION)])
        return (int(rows["start_ns"].min()), int(rows["end_ns"].max())) if len(rows) else (0, 0)

    def _fixations(self, sections: tuple[Section, ...]) -> NDArray[np.void]:
        numbers = {section.id: section.number for section in sections}
        starts = np.array([section.start_ns for section in sections], np.int64)
        parts = []
        for id_, rows in self._raw.fixations.items():
            part = np.concatenate(rows)
            if id_ is None:
                place = np.searchsorted(starts, part["start_ns"], side="right") - 1
                part["section"] = np.maximum(place, 0)
            else:
                part["section"] = numbers[id_]
            parts.append(part)
        found = np.concatenate(parts) if parts else np.zeros(0, FIXATION)
        return found[np.argsort(found["start_ns"], kind="stable")]

    def _start(self, sections: tuple[Section, ...], fixations: NDArray[np.void]) -> tuple[int | None, str]:
        begin = next((at for name, at in self._raw.events if name == BEGIN), None)
        earliest = min(self._raw.sections.values(), key=lambda facts: facts.start_ns, default=None)
        first_section = None if earliest is None else earliest.start_ns
        # A section from the very beginning says when that was.
        from_begin = earliest is not None and earliest.start_event == BEGIN
        first_sample = min((writer.first_ns for writer in self._raw.samples.values() if writer.n_samples), default=None)
        first_fixation = int(fixations["start_ns"][0]) if len(fixations) else None
        for start_ns, source in (
            (self._given.start_ns, "given"),
            (begin, "events"),
            (self._raw.info.start_ns, "info"),
            (first_section, "begin" if from_begin else "section"),
            (first_sample, "sample"),
            (first_fixation, "fixation"),
        ):
            if start_ns is not None:
                return start_ns, source
        return (sections[0].start_ns, "section") if sections else (None, "")

    def _duration(self, start_ns: int | None, sections: tuple[Section, ...]) -> int | None:
        if self._given.duration_ns is not None:
            return self._given.duration_ns
        end = next((at for name, at in self._raw.events if name == END), None)
        if end is not None and start_ns is not None:
            return max(0, end - start_ns)
        if self._raw.info.duration_ns is not None:
            return self._raw.info.duration_ns
        if start_ns is None or not sections:
            return None
        return max(0, max(section.end_ns for section in sections) - start_ns)

    def _name(self) -> str | None:
        named = next((facts.name for facts in self._raw.sections.values() if facts.name), None)
        folder = self._raw.folder_name
        if folder is not None:
            # Downloads call a folder "<name>-<first digits of the recording's id>".
            stem, _, tail = folder.rpartition("-")
            folder = stem if stem and tail and str(self._raw.uuid).startswith(tail.lower()) else folder
        return self._given.name or named or self._raw.info.name or folder

    def _wearer(self) -> tuple[str | None, str | None]:
        if self._given.wearer is not None:
            return None, self._given.wearer
        for facts in self._raw.sections.values():
            if facts.wearer or facts.wearer_id:
                return facts.wearer_id, facts.wearer
        return self._raw.info.wearer_id, self._raw.info.wearer


def start_warning(source: str) -> str | None:
    """What the importer should know where the start of a recording had to be guessed."""
    if source not in _LATE_SOURCES:
        return None
    return (
        f"The start of the recording is taken from {_LATE_SOURCES[source]}; times to the first fixation count from "
        "there. Give start_time_ns, events or info to say it."
    )
