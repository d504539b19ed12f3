"""Recordings, wearers and events in the words of the areas-of-interest API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil

from quadrat.api.pupilcloud.schemas import recordings as wire
from quadrat.gaze.actions.gaze import OwnFixation
from quadrat.gaze.actions.recordings import ProjectRecording
from quadrat.gaze.actions.videos import SCENE
from quadrat.gaze.types import Event, Recording, Wearer
from quadrat.identity.types import Organization

_NS = 1_000_000_000
_MAX_BUCKETS = 100_000
FAMILY = "neon"


def scene_file(found: Recording, organization: Organization, size_bytes: int) -> wire.RecordingFile:
    """The scene video of a recording."""
    return wire.RecordingFile(
        id=SCENE,
        name=SCENE,
        mimetype="video/mp4",
        size_bytes=size_bytes,
        uploaded_bytes=size_bytes,
        workspace_id=str(organization.uuid),
        created_at=found.created_at.isoformat(),
    )


def recording(found: Recording, organization: Organization, *, listed: bool) -> wire.Recording:
    """A recording; the family is told only where its client takes it."""
    offset = found.gaze_offset_px
    return wire.Recording(
        id=str(found.uuid),
        name=found.name,
        workspace_id=str(organization.uuid),
        wearer_id=None if found.wearer is None else str(found.wearer.uuid),
        duration_ns=found.duration_ns,
        recorded_at=datetime.fromtimestamp(found.start_ns / 1e9, UTC).isoformat(),
        family=None if listed else FAMILY,
        is_processed=True,
        is_uploaded=True,
        is_viewable=True,
        has_scanpath=found.blob is not None,
        label_ids=[],
        created_at=found.created_at.isoformat(),
        updated_at=found.updated_at.isoformat(),
        created_by_user_id=None if found.created_by is None else str(found.created_by),
        start_time_ns=found.start_ns,
        gaze_offset=None if offset is None else wire.Offset(x=offset[0], y=offset[1]),
        gaze_offset_x=None if offset is None else offset[0],
        gaze_offset_y=None if offset is None else offset[1],
    )


def wearer(found: Wearer, organization: Organization) -> wire.Wearer:
    """A wearer."""
    return wire.Wearer(
        id=str(found.uuid),
        name=found.name,
        workspace_id=str(organization.uuid),
        created_at=found.created_at.isoformat(),
        created_by_user_id=None if found.created_by is None else str(found.created_by),
    )


def project_recording(found: ProjectRecording) -> wire.ProjectRecording:
    """A recording in a project."""
    return wire.ProjectRecording(
        project_id=str(found.project.uuid),
        recording_id=str(found.recording_uuid),
        events=[wire.EventCount(name=name, count=count) for name, count in found.events],
    )


def recording_event(found: Event, start_ns: int) -> wire.RecordingEvent:
    """An event of a recording; its client knows two origins."""
    return wire.RecordingEvent(
        id=str(found.uuid),
        recording_id=str(found.recording_uuid),
        name=found.name,
        offset_s=found.offset_ns / _NS,
        epoch_ns=start_ns + found.offset_ns,
        origin=found.origin.value,
        created_at=found.created_at.isoformat(),
        updated_at=found.created_at.isoformat(),
        created_by_user_id=None if found.created_by is None else str(found.created_by),
    )


def project_event(found: Event) -> wire.ProjectEvent:
    """An event as a project sees it."""
    return wire.ProjectEvent(
        id=str(found.uuid),
        recording_id=str(found.recording_uuid),
        project_id=None if found.project_uuid is None else str(found.project_uuid),
        name=found.name,
        offset_s=found.offset_ns / _NS,
        origin=found.origin.value,
        suppressed=False,
        created_at=found.created_at.isoformat(),
        updated_at=found.created_at.isoformat(),
    )


def own_fixations(found: Sequence[OwnFixation]) -> list[wire.OwnFixation]:
    """Fixations."""
    return [wire.OwnFixation(id=one.number, start=one.start_s, stop=one.end_s) for one in found]


def scanpath(found: Sequence[OwnFixation]) -> list[wire.Scanpath]:
    """Fixations in their order, as one path."""
    if not found:
        return []
    points = [wire.ScanpathPoint(ms=(one.end_s - one.start_s) * 1000, x=one.x, y=one.y) for one in found]
    return [wire.Scanpath(start_timestamp=found[0].start_s, end_timestamp=found[-1].end_s, path=points)]


def timeline(found: Sequence[OwnFixation], length_s: float, bucket_s: float) -> list[wire.FixationBucket]:
    """Fixations by stretches of time, from the start of the recording to its end."""
    bucket_s = max(bucket_s, length_s / _MAX_BUCKETS)
    buckets = []
    first = 0
    for number in range(ceil(length_s / bucket_s) if bucket_s > 0 else 0):
        start, end = number * bucket_s, min((number + 1) * bucket_s, length_s)
        while first < len(found) and found[first].end_s <= start:
            first += 1
        inside = []
        for one in found[first:]:
            if one.start_s >= end:
                break
            inside.append(one.number)
        buckets.append(
            wire.FixationBucket(
                start_timestamp=start,
                end_timestamp=end,
                has_fixations=int(bool(inside)),
                min_fixation_id=min(inside, default=None),
                max_fixation_id=max(inside, default=None),
                total_fixations_count=len(inside),
                unique_fixations_count=len(set(inside)),
                total_frames=None,
            )
        )
    return buckets
