"""Tables of statistics as rows of text: the two files of enrichment downloads, and all the others. Pure.

Source: spec of the areas-of-interest API, section 2.4, and a real download for what is left blank and how values are
rounded (2.5).
"""

from collections.abc import Iterable, Iterator, Sequence

from quadrat.gaze.rules.label_image import on_plane
from quadrat.gaze.rules.statistics import Fixations, Hits, rounded_ms
from quadrat.gaze.types import Aoi, MappedRecording, PooledMetrics, RecordingMetrics, Statistics

Row = Sequence[object]
"""None is written as nothing."""

NOWHERE = "none"
"""Stands for fixations on no area."""

METRICS_HEADER = (
    "aoi id",
    "recording id",
    "recording name",
    "aoi name",
    "average fixation duration [ms]",
    "total fixations",
    "time to first fixation [ms]",
    "total fixation duration [ms]",
)
FIXATIONS_HEADER = ("aoi id", "aoi name", "section id", "recording id", "fixation id", "fixation duration [ms]")
PLACES_HEADER = (
    "recording id",
    "fixation id",
    "start timestamp [ns]",
    "fixation duration [ms]",
    "fixation x [normalized]",
    "fixation y [normalized]",
)


def to_csv(rows: Iterable[Row]) -> str:
    r"""RFC 4180 quoting, ``\n`` at the ends of lines."""
    return "".join(",".join(_cell(value) for value in row) + "\n" for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    if any(character in text for character in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def plain_names(names: Iterable[str]) -> list[str]:
    """The same names for readers that split lines at every comma and take quotes for letters, as GazePlotter does.

    Commas, semicolons, vertical bars, quotes and what does not print become spaces. A name that came before gets a
    number behind it, because such readers add up what has the same name.
    """
    made: list[str] = []
    taken: set[str] = set()
    for name in names:
        text = "".join(character if character.isprintable() and character not in ',;|"' else " " for character in name)
        text = base = " ".join(text.split()) or "unnamed"
        number = 1
        while text in taken:
            number += 1
            text = f"{base} ({number})"
        taken.add(text)
        made.append(text)
    return made


def segment_rows(
    stimulus: str, aois: Sequence[Aoi], found: Sequence[tuple[MappedRecording, Fixations, Hits]]
) -> Iterator[Row]:
    """Every fixation with the areas that it is on, in the columns that GazePlotter calls segmented.

    Times are ms from the start of the recording. All names are plain; names of areas stand between vertical bars.
    """
    yield ("From", "To", "Participant", "Stimulus", "AOI")
    [stimulus] = plain_names([stimulus])
    areas = plain_names(aoi.name for aoi in aois)
    participants = plain_names(mapping.recording.name for mapping, _, _ in found)
    for (mapping, fixations, hits), participant in zip(found, participants, strict=True):
        start_ns = mapping.recording.start_ns
        for place in range(len(fixations)):
            yield (
                _ms(int(fixations.start_ns[place]) - start_ns),
                _ms(int(fixations.end_ns[place]) - start_ns),
                participant,
                stimulus,
                "|".join(areas[index] for index in hits[place].nonzero()[0].tolist()),
            )


def _ms(duration_ns: int) -> str:
    return f"{duration_ns / 1e6:.3f}"


def metrics_rows(statistics: Statistics) -> Iterator[Row]:
    """aoi_metrics.csv: every area in every recording, area by area."""
    yield METRICS_HEADER
    for index, aoi in enumerate(statistics.aois):
        for found in statistics.recordings:
            metrics = found.metrics[index]
            recording = found.mapping.recording
            hit = metrics.fixations > 0
            yield (
                aoi.uuid,
                recording.uuid,
                recording.name,
                aoi.name,
                metrics.fixation_ms // metrics.fixations if hit else None,
                metrics.fixations,
                metrics.first_fixation_at_ms,
                metrics.fixation_ms if hit else None,
            )


def fixation_rows(aois: Sequence[Aoi], found: Sequence[tuple[MappedRecording, Fixations, Hits]]) -> Iterator[Row]:
    """aoi_fixations.csv: one row for each fixation on each area, area by area."""
    yield FIXATIONS_HEADER
    for index, aoi in enumerate(aois):
        for mapping, fixations, hits in found:
            sections = {section.number: section.id for section in mapping.sections}
            places = hits[:, index].nonzero()[0]
            lengths = rounded_ms(fixations.end_ns[places] - fixations.start_ns[places])
            for place, length in zip(places.tolist(), lengths.tolist(), strict=True):
                yield (
                    aoi.uuid,
                    aoi.name,
                    sections.get(int(fixations.section[place])),
                    mapping.recording.uuid,
                    int(fixations.ids[place]),
                    length,
                )


def place_rows(found: Sequence[tuple[MappedRecording, Fixations, tuple[float, float]]]) -> Iterator[Row]:
    """Every fixation on the plane, recording by recording in order of time.

    Args:
        found: A recording, its fixations, width and height of the plane in the unit of their positions.
    """
    yield PLACES_HEADER
    for mapping, fixations, (width, height) in found:
        places = (fixations.detected & on_plane(fixations.x, fixations.y, (width, height))).nonzero()[0]
        lengths = rounded_ms(fixations.end_ns[places] - fixations.start_ns[places])
        for place, length in zip(places.tolist(), lengths.tolist(), strict=True):
            yield (
                mapping.recording.uuid,
                int(fixations.ids[place]),
                int(fixations.start_ns[place]),
                length,
                round(float(fixations.x[place]) / width, 6),
                round(float(fixations.y[place]) / height, 6),
            )


_ALL_METRICS = (
    "total fixations",
    "total fixation duration [ms]",
    "average fixation duration [ms]",
    "time to first fixation [ms]",
    "time to first fixation from section start [ms]",
    "first fixation duration [ms]",
    "visits",
    "revisits",
    "average visit duration [ms]",
    "gaze samples",
    "total gaze duration [ms]",
    "time to first gaze [ms]",
)


def _all_metrics(metrics: RecordingMetrics) -> Row:
    return (
        metrics.fixations,
        metrics.fixation_ms,
        _rounded(metrics.average_ms),
        metrics.first_fixation_at_ms,
        metrics.first_in_section_ms,
        metrics.first_fixation_ms,
        metrics.visits,
        metrics.revisits,
        _rounded(metrics.average_visit_ms),
        metrics.samples,
        _rounded(metrics.gaze_ms),
        metrics.first_gaze_at_ms,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def all_metrics_rows(statistics: Statistics) -> Iterator[Row]:
    """Every number of every area in every recording."""
    yield ("aoi id", "aoi name", "recording id", "recording name", "wearer name", *_ALL_METRICS)
    for index, aoi in enumerate(statistics.aois):
        for found in statistics.recordings:
            yield (aoi.uuid, aoi.name, *_recording(found.mapping), *_all_metrics(found.metrics[index]))


def label_rows(statistics: Statistics) -> Iterator[Row]:
    """The same for labels: areas of one label count as one."""
    yield ("label id", "label name", "recording id", "recording name", "wearer name", *_ALL_METRICS[:9])
    for index, label in enumerate(statistics.labels):
        for found in statistics.recordings:
            yield (label.uuid, label.name, *_recording(found.mapping), *_all_metrics(found.labels[index])[:9])


def area_rows(statistics: Statistics) -> Iterator[Row]:
    """Every area over all recordings."""
    yield ("aoi id", "aoi name", "color", "area share", *_POOLED, "gaze samples", "total gaze duration [ms]")
    for aoi, pooled in zip(statistics.aois, statistics.pooled, strict=True):
        share = round(aoi.mask.area_share, 6)
        yield (aoi.uuid, aoi.name, aoi.color, share, *_pooled(pooled), pooled.samples, _rounded(pooled.gaze_ms))


def label_total_rows(statistics: Statistics) -> Iterator[Row]:
    """Every label over all recordings."""
    yield ("label id", "label name", *_POOLED)
    for label, pooled in zip(statistics.labels, statistics.pooled_labels, strict=True):
        yield (label.uuid, label.name, *_pooled(pooled))


_POOLED = (
    "recordings",
    "recordings with fixation",
    "reach [%]",
    "total fixations",
    "total fixation duration [ms]",
    "average fixation duration [ms]",
    "time to first fixation [ms]",
    "visits",
)


def _pooled(pooled: PooledMetrics) -> Row:
    return (
        pooled.recordings,
        pooled.recordings_with_fixation,
        _rounded(pooled.reach),
        pooled.fixations,
        pooled.fixation_ms,
        _rounded(pooled.average_ms),
        _rounded(pooled.first_fixation_at_ms),
        pooled.visits,
    )


def coverage_rows(statistics: Statistics) -> Iterator[Row]:
    """How much of each recording could be mapped."""
    yield (
        "recording id",
        "recording name",
        "wearer name",
        "expected samples",
        "mapped samples",
        "unmapped share",
        "fixations",
        "mapped fixations",
    )
    for found in statistics.recordings:
        coverage = found.coverage
        share = coverage.unmapped_share
        yield (
            *_recording(found.mapping),
            coverage.samples,
            coverage.mapped,
            None if share is None else round(share, 6),
            coverage.fixations,
            coverage.mapped_fixations,
        )


def visit_rows(statistics: Statistics) -> Iterator[Row]:
    """Scarf-plot data: every visit in order of time, in ms from the start of its recording."""
    yield ("recording id", "recording name", "wearer name", "aoi id", "aoi name", "start [ms]", "end [ms]", "fixations")
    for found in statistics.recordings:
        start_ns = found.mapping.recording.start_ns
        for visit in found.visits:
            aoi = statistics.aois[visit.area]
            yield (
                *_recording(found.mapping),
                aoi.uuid,
                aoi.name,
                round((visit.start_ns - start_ns) / 1e6, 3),
                round((visit.end_ns - start_ns) / 1e6, 3),
                visit.fixations,
            )


def transition_rows(statistics: Statistics) -> Iterator[Row]:
    """Transitions that happened, for each recording and pooled (without recording), with their share of the row."""
    yield ("recording id", "recording name", "from aoi", "to aoi", "from", "to", "transitions", "share")
    names = [(str(aoi.uuid), aoi.name) for aoi in statistics.aois] + [("", NOWHERE)]
    matrices: list[tuple[object, object, Sequence[Sequence[int]]]] = [
        (found.mapping.recording.uuid, found.mapping.recording.name, found.transitions)
        for found in statistics.recordings
    ]
    matrices.append((None, None, pooled_transitions(statistics)))
    for id_, name, matrix in matrices:
        for (from_id, from_name), row in zip(names, matrix, strict=False):
            total = sum(row)
            for (to_id, to_name), count in zip(names, row, strict=True):
                if count:
                    yield (id_, name, from_id, to_id, from_name, to_name, count, round(count / total, 6))


def pooled_transitions(statistics: Statistics) -> list[list[int]]:
    """The sum of the matrices of all recordings."""
    n_states = len(statistics.aois) + 1
    pooled = [[0] * n_states for _ in range(n_states)]
    for found in statistics.recordings:
        for row, counts in zip(pooled, found.transitions, strict=False):
            for place, count in enumerate(counts):
                row[place] += count
    return pooled


def _recording(mapping: MappedRecording) -> Row:
    recording = mapping.recording
    return (recording.uuid, recording.name, None if recording.wearer is None else recording.wearer.name)
