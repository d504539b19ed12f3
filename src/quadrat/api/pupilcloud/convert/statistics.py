"""Statistics in the words of the areas-of-interest API. Plain dictionaries: there may be many."""

from typing import Any

from quadrat.gaze.rules.tables import NOWHERE, pooled_transitions
from quadrat.gaze.types import (
    Coverage,
    MappedRecording,
    PooledMetrics,
    RecordingMetrics,
    RecordingStatistics,
    Statistics,
)


def statistics(found: Statistics) -> dict[str, Any]:
    """All numbers of an enrichment."""
    return {
        "enrichment_id": str(found.enrichment.uuid),
        "recording_ids": [str(one.mapping.recording.uuid) for one in found.recordings],
        "aois": [
            {
                "aoi_id": str(aoi.uuid),
                "aoi_name": aoi.name,
                "color": aoi.color,
                "area_share": round(aoi.mask.area_share, 6),
                **_pooled(pooled),
            }
            for aoi, pooled in zip(found.aois, found.pooled, strict=True)
        ],
        "metrics": [
            {"aoi_id": str(aoi.uuid), "aoi_name": aoi.name, **_recording(one.mapping), **_metrics(one.metrics[index])}
            for index, aoi in enumerate(found.aois)
            for one in found.recordings
        ],
        "labels": [
            {"label_id": str(label.uuid), "label_name": label.name, **_pooled(pooled)}
            for label, pooled in zip(found.labels, found.pooled_labels, strict=True)
        ],
        "label_metrics": [
            {
                "label_id": str(label.uuid),
                "label_name": label.name,
                **_recording(one.mapping),
                **_fixation_metrics(one.labels[index]),
            }
            for index, label in enumerate(found.labels)
            for one in found.recordings
        ],
        "coverage": [{**_recording(one.mapping), **_coverage(one.coverage)} for one in found.recordings],
    }


def _recording(mapping: MappedRecording) -> dict[str, Any]:
    recording = mapping.recording
    return {
        "recording_id": str(recording.uuid),
        "recording_name": recording.name,
        "wearer_name": None if recording.wearer is None else recording.wearer.name,
    }


def _pooled(pooled: PooledMetrics) -> dict[str, Any]:
    return {
        "recordings": pooled.recordings,
        "recordings_with_fixation": pooled.recordings_with_fixation,
        "reach": round(pooled.reach, 2),
        "total_fixations": pooled.fixations,
        "total_fixation_duration_ms": pooled.fixation_ms,
        "average_fixation_duration_ms": _rounded(pooled.average_ms),
        "time_to_first_fixation_ms": _rounded(pooled.first_fixation_at_ms),
        "visits": pooled.visits,
        "gaze_samples": pooled.samples,
        "total_gaze_duration_ms": _rounded(pooled.gaze_ms),
    }


def _fixation_metrics(metrics: RecordingMetrics) -> dict[str, Any]:
    return {
        "total_fixations": metrics.fixations,
        "total_fixation_duration_ms": metrics.fixation_ms,
        "average_fixation_duration_ms": _rounded(metrics.average_ms),
        "time_to_first_fixation_ms": metrics.first_fixation_at_ms,
        "time_to_first_fixation_from_section_ms": metrics.first_in_section_ms,
        "first_fixation_duration_ms": metrics.first_fixation_ms,
        "visits": metrics.visits,
        "revisits": metrics.revisits,
        "average_visit_duration_ms": _rounded(metrics.average_visit_ms),
    }


def _metrics(metrics: RecordingMetrics) -> dict[str, Any]:
    return {
        **_fixation_metrics(metrics),
        "gaze_samples": metrics.samples,
        "total_gaze_duration_ms": _rounded(metrics.gaze_ms),
        "time_to_first_gaze_ms": metrics.first_gaze_at_ms,
    }


def _coverage(coverage: Coverage) -> dict[str, Any]:
    share = coverage.unmapped_share
    return {
        "expected_samples": coverage.samples,
        "mapped_samples": coverage.mapped,
        "unmapped_share": None if share is None else round(share, 6),
        "fixations": coverage.fixations,
        "mapped_fixations": coverage.mapped_fixations,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def sequences(found: Statistics) -> dict[str, Any]:
    """Visits in order of time (what a scarf plot draws) and transitions, for each recording and pooled."""
    states = [{"aoi_id": str(aoi.uuid), "aoi_name": aoi.name, "color": aoi.color} for aoi in found.aois]
    return {
        "enrichment_id": str(found.enrichment.uuid),
        "states": [*states, {"aoi_id": None, "aoi_name": NOWHERE, "color": None}],
        "recordings": [_sequence(found, one) for one in found.recordings],
        "transitions": pooled_transitions(found),
    }


def _sequence(found: Statistics, one: RecordingStatistics) -> dict[str, Any]:
    zero = one.mapping.recording.start_ns
    return {
        **_recording(one.mapping),
        "visits": [
            {
                "aoi_id": str(found.aois[visit.area].uuid),
                "start_ms": round((visit.start_ns - zero) / 1e6, 3),
                "end_ms": round((visit.end_ns - zero) / 1e6, 3),
                "fixations": visit.fixations,
            }
            for visit in one.visits
        ],
        "transitions": [list(row) for row in one.transitions],
    }
