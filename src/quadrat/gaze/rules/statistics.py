"""Statistics of areas, by the definitions of docs/gaze.md. Pure.

Source: spec of the areas-of-interest API, section 2: hits by the mean position of a fixation, sums of rounded
durations, time to the first fixation from the start of the recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quadrat.gaze.rules.label_image import Ints, LabelImage, on_plane
from quadrat.gaze.types import Coverage, PooledMetrics, RecordingMetrics, Section, Visit

Hits = NDArray[np.bool_]
"""Which fixation is on which area: [fixation, area]."""

_NS_PER_MS = 1_000_000
_GAPS = 1 << 20


@dataclass(frozen=True, slots=True)
class Fixations:
    """The fixations of one recording, ordered by start.

    Args:
        ids: As the recording numbers them.
        start_ns: Unix time.
        end_ns: Unix time.
        x: Mean position, NaN where missing.
        y: As x.
        detected: Whether it is on the plane.
        section: Number of the section that it lies in.
        unplaced: Whether nobody has mapped it yet, where a person does.
    """

    ids: NDArray[np.int32]
    start_ns: Ints
    end_ns: Ints
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    detected: NDArray[np.bool_]
    section: NDArray[np.int32]
    unplaced: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """Gaze samples by area.

    Args:
        samples: Inside each area.
        first_ns: Unix time of the first of them; -1 without any.
    """

    samples: Ints
    first_ns: Ints


def rounded_ms(duration_ns: Ints) -> Ints:
    """Whole milliseconds, to nearest."""
    return (duration_ns + _NS_PER_MS // 2) // _NS_PER_MS


def find_hits(fixations: Fixations, images: Sequence[LabelImage], n_areas: int, plane: tuple[float, float]) -> Hits:
    """Which fixations are on which areas: by their mean position, so that holes and separate parts just work."""
    hits = np.zeros((len(fixations), n_areas), bool)
    for image in images:
        labels = image.at(fixations.x, fixations.y, plane)
        labels[~fixations.detected] = 0
        hits |= image.members(labels)
    return hits


def unite(hits: Hits, groups: Sequence[Sequence[int]]) -> Hits:
    """Hits on groups of areas; a fixation on several areas of a group counts once."""
    united = np.zeros((len(hits), len(groups)), bool)
    for number, members in enumerate(groups):
        if members:
            united[:, number] = hits[:, list(members)].any(axis=1)
    return united


def measure(
    fixations: Fixations, hits: Hits, sections: Sequence[Section], start_ns: int, gaze: tuple[SampleCounts, int] | None
) -> tuple[RecordingMetrics, ...]:
    """Metrics of each area in one recording.

    Args:
        fixations: Of the recording, ordered by start.
        hits: From `find_hits`.
        sections: Of the enrichment, for times within a section.
        start_ns: Start of the recording.
        gaze: Sample counts and the sample period in ns; None where there is no gaze.
    """
    lengths_ms = rounded_ms(fixations.end_ns - fixations.start_ns)
    counts = np.count_nonzero(hits, axis=0)
    totals_ms = lengths_ms @ hits if len(fixations) else np.zeros(hits.shape[1], np.int64)
    firsts = hits.argmax(axis=0) if len(fixations) else np.zeros(hits.shape[1], np.int64)
    visits, visit_ns = _count_visits(fixations, hits)
    section_starts = {section.number: section.start_ns for section in sections}
    made = []
    for area in range(hits.shape[1]):
        samples, gaze_ms, first_gaze = _gaze_of(area, start_ns, gaze)
        values = RecordingMetrics(samples=samples, gaze_ms=gaze_ms, first_gaze_at_ms=first_gaze)
        if counts[area]:
            first = int(firsts[area])
            at_ns = int(fixations.start_ns[first])
            section_ns = section_starts.get(int(fixations.section[first]), start_ns)
            values = RecordingMetrics(
                fixations=int(counts[area]),
                fixation_ms=int(totals_ms[area]),
                first_fixation_at_ms=_ms(at_ns - start_ns),
                first_in_section_ms=_ms(at_ns - section_ns),
                first_fixation_ms=int(lengths_ms[first]),
                visits=int(visits[area]),
                visit_ns=int(visit_ns[area]),
                samples=samples,
                gaze_ms=gaze_ms,
                first_gaze_at_ms=first_gaze,
            )
        made.append(values)
    return tuple(made)


def _gaze_of(area: int, start_ns: int, gaze: tuple[SampleCounts, int] | None) -> tuple[int, float, int | None]:
    if gaze is None:
        return 0, 0.0, None
    counts, period_ns = gaze
    samples = int(counts.samples[area])
    first = _ms(int(counts.first_ns[area]) - start_ns) if samples else None
    return samples, samples * period_ns / _NS_PER_MS, first


def _ms(duration_ns: int) -> int:
    return (duration_ns + _NS_PER_MS // 2) // _NS_PER_MS


def _edges(hits: Hits) -> tuple[Hits, Hits]:
    """Where runs of consecutive hits begin, and where they end."""
    begins, ends = hits.copy(), hits.copy()
    begins[1:] &= ~hits[:-1]
    ends[:-1] &= ~hits[1:]
    return begins, ends


def _count_visits(fixations: Fixations, hits: Hits) -> tuple[Ints, Ints]:
    """Runs of consecutive hits, and the sum over runs of (end of the last - start of the first) in ns."""
    if not len(fixations):
        empty = np.zeros(hits.shape[1], np.int64)
        return empty, empty
    begins, ends = _edges(hits)
    # Offsets instead of Unix times: thousands of these would not fit into 64 bits.
    zero = int(fixations.start_ns[0])
    span = (fixations.end_ns - zero) @ ends - (fixations.start_ns - zero) @ begins
    return np.count_nonzero(begins, axis=0), span


def list_visits(fixations: Fixations, hits: Hits) -> tuple[Visit, ...]:
    """All visits of all areas in order of time: what a scarf plot draws."""
    if not len(fixations):
        return ()
    begins, ends = _edges(hits)
    # Both orders agree: column by column, the n-th begin belongs to the n-th end.
    areas, first = np.nonzero(begins.T)
    _, last = np.nonzero(ends.T)
    order = np.lexsort((areas, first))
    return tuple(
        Visit(
            area=int(areas[i]),
            start_ns=int(fixations.start_ns[first[i]]),
            end_ns=int(fixations.end_ns[last[i]]),
            fixations=int(last[i] - first[i] + 1),
        )
        for i in order
    )


def count_transitions(hits: Hits) -> tuple[tuple[int, ...], ...]:
    """How often one fixation on an area is followed by one on another, consecutive fixations only.

    The last row and column stand for fixations on none of the areas. A fixation on several areas counts for each of
    them; the diagonal counts fixations that stay.
    """
    nowhere = ~hits.any(axis=1, keepdims=True)
    # Doubles hold these counts exactly, and their product is fast.
    states = np.hstack([hits, nowhere]).astype(np.float64)
    counts = states[:-1].T @ states[1:]
    return tuple(tuple(int(count) for count in row) for row in counts)


def cover(
    fixations: Fixations, sections: Sequence[Section], samples: tuple[int, int, int], plane: tuple[float, float]
) -> Coverage:
    """How much of a recording could be mapped.

    Args:
        fixations: Of the recording.
        sections: Of the enrichment.
        samples: Rows of the gaze file, mapped ones among them, and the sample period in ns.
        plane: Width and height of the plane in the unit of the positions.
    """
    rows, mapped, period_ns = samples
    # A section ends with its last sample: n samples span n - 1 periods.
    lengths = [section.end_ns - section.start_ns for section in sections if section.n_samples]
    expected = sum(round(length / period_ns) for length in lengths) if period_ns else 0
    detected = fixations.detected & on_plane(fixations.x, fixations.y, plane)
    return Coverage(
        samples=max(rows, expected), mapped=mapped, fixations=len(fixations), mapped_fixations=int(detected.sum())
    )


def pool(wearers: Sequence[UUID], metrics: Sequence[RecordingMetrics]) -> PooledMetrics:
    """One area over recordings.

    Args:
        wearers: Who wore each recording; a recording without a wearer counts as its own.
        metrics: Of the area in each recording, in the same order.
    """
    hit = [found for found in metrics if found.fixations]
    reached = {wearer for wearer, found in zip(wearers, metrics, strict=True) if found.fixations}
    firsts = [found.first_fixation_at_ms for found in hit if found.first_fixation_at_ms is not None]
    return PooledMetrics(
        recordings=len(metrics),
        recordings_with_fixation=len(hit),
        reach=100 * len(reached) / len(set(wearers)) if wearers else 0.0,
        fixations=sum(found.fixations for found in metrics),
        fixation_ms=sum(found.fixation_ms for found in metrics),
        first_fixation_at_ms=sum(firsts) / len(firsts) if firsts else None,
        visits=sum(found.visits for found in metrics),
        samples=sum(found.samples for found in metrics),
        gaze_ms=sum(found.gaze_ms for found in metrics),
    )


def median_period_ns(times_ns: Ints) -> int:
    """Median time between samples, 0 for fewer than two."""
    n_gaps = len(times_ns) - 1
    if n_gaps < 1:
        return 0
    # In half the bytes and in place: a day of gaze has 17 million samples.
    longest = np.iinfo(np.int32).max
    gaps = np.empty(n_gaps, np.int32)
    for start in range(0, n_gaps, _GAPS):
        part = np.diff(times_ns[start : start + _GAPS + 1])
        gaps[start : start + len(part)] = np.minimum(part, longest)
    median = int(np.median(gaps, overwrite_input=True))
    return median if median < longest else int(np.median(np.diff(times_ns)))
