"""Statistics by label image against a naive reading of their definitions, area by area and sample by sample."""

import math
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.gaze.rules import statistics
from quadrat.gaze.rules.label_image import LabelImage, SampleCounter, draw
from quadrat.gaze.rules.statistics import Fixations, SampleCounts
from quadrat.gaze.types import RecordingMetrics, Section

PLANE = (40.0, 30.0)
MS = 1_000_000


@dataclass(frozen=True)
class Fixation:
    start_ns: int
    end_ns: int
    x: float
    y: float
    detected: bool
    section: int


@dataclass(frozen=True)
class Case:
    masks: list[np.ndarray]
    fixations: list[Fixation]
    samples: list[tuple[float, float, bool]]


@st.composite
def mask(draw_value) -> np.ndarray:
    """Rectangles with holes and separate parts; now and then nothing, or at half the size."""
    height, width = draw_value(st.sampled_from([(30, 40), (15, 20), (6, 8)]))
    inside = np.zeros((height, width), bool)
    for _ in range(draw_value(st.integers(0, 3))):
        top, bottom = sorted(draw_value(st.tuples(st.integers(0, height), st.integers(0, height))))
        left, right = sorted(draw_value(st.tuples(st.integers(0, width), st.integers(0, width))))
        inside[top:bottom, left:right] = draw_value(st.booleans())
    return inside


coordinate = st.one_of(
    st.floats(-5, 45, allow_nan=False).map(lambda value: round(value, 2)),
    st.integers(0, 40).map(float),
    st.just(math.nan),
)


@st.composite
def case(draw_value) -> Case:
    at = draw_value(st.integers(0, 5 * MS))
    fixations = []
    for _ in range(draw_value(st.integers(0, 12))):
        at += draw_value(st.integers(0, 3 * MS))
        length = draw_value(st.integers(0, 4 * MS))
        fixations.append(
            Fixation(
                at,
                at + length,
                draw_value(coordinate),
                draw_value(coordinate),
                draw_value(st.booleans()),
                draw_value(st.integers(0, 1)),
            )
        )
    samples = draw_value(st.lists(st.tuples(coordinate, coordinate, st.booleans()), max_size=60))
    return Case(draw_value(st.lists(mask(), max_size=6)), fixations, samples)


def inside_naively(inside: np.ndarray, x: float, y: float) -> bool:
    if not (0 <= x < PLANE[0] and 0 <= y < PLANE[1]):
        return False
    height, width = inside.shape
    column = min(math.floor(x * width / PLANE[0]), width - 1)
    row = min(math.floor(y * height / PLANE[1]), height - 1)
    return bool(inside[row, column])


def naive(found: Case, inside: np.ndarray, sections: list[Section], period_ns: int) -> RecordingMetrics:
    hits = [one.detected and inside_naively(inside, one.x, one.y) for one in found.fixations]
    on = [one for one, hit in zip(found.fixations, hits, strict=True) if hit]
    lengths = [math.floor((one.end_ns - one.start_ns) / MS + 0.5) for one in on]
    runs: list[list[Fixation]] = []
    before = False
    for one, hit in zip(found.fixations, hits, strict=True):
        if hit and not before:
            runs.append([])
        if hit:
            runs[-1].append(one)
        before = hit
    gaze = [place for place, (x, y, there) in enumerate(found.samples) if there and inside_naively(inside, x, y)]
    return RecordingMetrics(
        fixations=len(on),
        fixation_ms=sum(lengths),
        first_fixation_at_ms=math.floor(on[0].start_ns / MS + 0.5) if on else None,
        first_in_section_ms=math.floor((on[0].start_ns - sections[on[0].section].start_ns) / MS + 0.5) if on else None,
        first_fixation_ms=lengths[0] if on else None,
        visits=len(runs),
        visit_ns=sum(run[-1].end_ns - run[0].start_ns for run in runs),
        samples=len(gaze),
        gaze_ms=len(gaze) * period_ns / MS,
        first_gaze_at_ms=gaze[0] * 5 if gaze else None,
    )


def images_of(masks: list[np.ndarray]) -> list[LabelImage]:
    shapes = dict.fromkeys(one.shape for one in masks)
    return [
        draw([(index, one) for index, one in enumerate(masks) if one.shape == shape], len(masks)) for shape in shapes
    ]


def to_arrays(fixations: list[Fixation]) -> Fixations:
    return Fixations(
        ids=np.arange(len(fixations), dtype=np.int32),
        start_ns=np.array([one.start_ns for one in fixations], np.int64),
        end_ns=np.array([one.end_ns for one in fixations], np.int64),
        x=np.array([one.x for one in fixations], float),
        y=np.array([one.y for one in fixations], float),
        detected=np.array([one.detected for one in fixations], bool),
        section=np.array([one.section for one in fixations], np.int32),
        unplaced=np.zeros(len(fixations), bool),
    )


def count(found: Case, images: list[LabelImage], cut: int) -> SampleCounts:
    """Sample counts of all images, the samples given in two blocks."""
    samples = np.zeros(len(found.masks), np.int64)
    firsts = np.full(len(found.masks), -1, np.int64)
    for image in images:
        counter = SampleCounter(image, PLANE)
        for part in (found.samples[:cut], found.samples[cut:]):
            counter.add(
                np.array([x for x, _, _ in part], float),
                np.array([y for _, y, _ in part], float),
                np.array([there for _, _, there in part], np.uint8),
            )
        counted, first = counter.per_area()
        samples += counted
        firsts = np.where(first >= 0, first * 5 * MS, firsts)
    return SampleCounts(samples, firsts)


@settings(max_examples=150)
@given(case(), st.integers(0, 60))
def test_metrics_equal_a_naive_reading_of_their_definitions(found: Case, cut: int):
    sections = [Section(0, "a", 0, 10**9, "b", "e", 0, 0), Section(1, "c", 700_000, 10**9, "b", "e", 0, 0)]
    images = images_of(found.masks)
    fixations = to_arrays(found.fixations)
    hits = statistics.find_hits(fixations, images, len(found.masks), PLANE)
    gaze = (count(found, images, cut), 5 * MS)
    measured = statistics.measure(fixations, hits, sections, 0, gaze)
    assert list(measured) == [naive(found, inside, sections, 5 * MS) for inside in found.masks]


@settings(max_examples=60)
@given(case())
def test_transitions_and_visits_equal_a_naive_count(found: Case):
    fixations = to_arrays(found.fixations)
    hits = statistics.find_hits(fixations, images_of(found.masks), len(found.masks), PLANE)
    nowhere = len(found.masks)
    states = [
        {area for area, inside in enumerate(found.masks) if one.detected and inside_naively(inside, one.x, one.y)}
        or {nowhere}
        for one in found.fixations
    ]
    expected = [[0] * (nowhere + 1) for _ in range(nowhere + 1)]
    for before, after in pairwise(states):
        for start in before:
            for end in after:
                expected[start][end] += 1
    assert [list(row) for row in statistics.count_transitions(hits)] == expected
    visits = statistics.list_visits(fixations, hits)
    assert [visit.start_ns for visit in visits] == sorted(visit.start_ns for visit in visits)
    measured = statistics.measure(fixations, hits, [], 0, None)
    for area, metrics in enumerate(measured):
        own = [visit for visit in visits if visit.area == area]
        assert len(own) == metrics.visits
        assert sum(visit.end_ns - visit.start_ns for visit in own) == metrics.visit_ns
        assert sum(visit.fixations for visit in own) == metrics.fixations


@settings(max_examples=60)
@given(st.lists(mask(), min_size=1, max_size=8))
def test_label_image_names_the_areas_of_each_pixel(masks: list[np.ndarray]):
    for image in images_of(masks):
        members = image.members(np.asarray(image.pixels, np.int64)).reshape(image.size.height, image.size.width, -1)
        for area, inside in enumerate(masks):
            if inside.shape == (image.size.height, image.size.width):
                assert (members[..., area] == inside).all()
            else:
                assert not members[..., area].any()


def test_a_position_that_rounds_up_to_the_edge_stays_inside():
    image = draw([(0, np.ones((3, 3), bool))], 1)
    edge = np.array([math.nextafter(0.7, 0)])
    assert image.at(edge, edge, (0.7, 0.7)).tolist() == [1]


def test_reach_counts_wearers_and_a_recording_without_one_as_its_own():
    ada, bob = UUID(int=1), UUID(int=2)
    hit, miss = RecordingMetrics(fixations=2, fixation_ms=500, first_fixation_at_ms=100), RecordingMetrics()
    pooled = statistics.pool([ada, ada, bob], [hit, miss, miss])
    assert (pooled.recordings, pooled.recordings_with_fixation, pooled.reach) == (3, 1, 50.0)
    assert (pooled.average_ms, pooled.first_fixation_at_ms) == (250, 100)
    assert statistics.pool([], []).reach == 0


def test_labels_count_a_fixation_on_two_of_their_areas_once():
    hits = np.array([[True, True, False], [False, True, False], [False, False, True]])
    assert statistics.unite(hits, [[0, 1], [], [2]]).tolist() == [
        [True, False, False],
        [True, False, False],
        [False, False, True],
    ]


def test_coverage_expects_the_samples_that_newer_files_leave_out():
    sections = [Section(0, "a", 0, 1000 * MS, "b", "e", 0, 150)]
    cover = statistics.cover(to_arrays([]), sections, (150, 140, 5 * MS), PLANE)
    assert (cover.samples, cover.mapped) == (200, 140)
    assert cover.unmapped_share == pytest.approx(0.3)
    assert statistics.cover(to_arrays([]), [], (0, 0, 0), PLANE).unmapped_share is None
