"""Wire models of recordings, wearers and events."""

from pydantic import BaseModel, Field


class Offset(BaseModel):
    """By how much gaze was corrected, in scene camera pixels."""

    x: float
    y: float


class RecordingFile(BaseModel):
    """A file of a recording."""

    id: str
    name: str
    mimetype: str
    size_bytes: int
    uploaded_bytes: int
    workspace_id: str
    created_at: str


class Recording(BaseModel):
    """A recording. `family` is null in lists and a name alone: that is all its client takes."""

    id: str
    name: str
    workspace_id: str
    wearer_id: str | None
    duration_ns: int
    recorded_at: str
    family: str | None
    is_processed: bool
    is_uploaded: bool
    is_viewable: bool
    has_scanpath: bool
    label_ids: list[str]
    created_at: str
    updated_at: str
    created_by_user_id: str | None
    start_time_ns: int
    gaze_offset: Offset | None
    gaze_offset_x: float | None
    gaze_offset_y: float | None


class Wearer(BaseModel):
    """A person who wore the glasses."""

    id: str
    name: str
    workspace_id: str
    created_at: str
    created_by_user_id: str | None


class WearerPost(BaseModel):
    """A person to be added."""

    name: str = Field(min_length=1)


class WearerPatch(BaseModel):
    """What changes about a person; null is the same as absent."""

    name: str | None = Field(None, min_length=1)


class EventCount(BaseModel):
    """How often an event happens."""

    name: str
    count: int


class ProjectRecording(BaseModel):
    """A recording in a project."""

    project_id: str
    recording_id: str
    events: list[EventCount]


class RecordingEvent(BaseModel):
    """An event of a recording, in seconds from its start."""

    id: str
    recording_id: str
    name: str
    offset_s: float
    epoch_ns: int
    origin: str
    created_at: str
    updated_at: str
    created_by_user_id: str | None


class ProjectEvent(BaseModel):
    """An event as a project sees it."""

    id: str
    recording_id: str
    project_id: str | None
    name: str
    offset_s: float
    origin: str
    suppressed: bool
    created_at: str
    updated_at: str


class EventPost(BaseModel):
    """An event to be added."""

    name: str = Field(min_length=1)
    offset_s: float


class OwnFixation(BaseModel):
    """A fixation in seconds from the start of the recording."""

    id: int
    start: float
    stop: float


class FixationBucket(BaseModel):
    """Fixations in a stretch of time."""

    start_timestamp: float
    end_timestamp: float
    has_fixations: int
    min_fixation_id: int | None
    max_fixation_id: int | None
    total_fixations_count: int
    unique_fixations_count: int
    total_frames: int | None


class ScanpathPoint(BaseModel):
    """A fixation in scene camera pixels, and how long it lasts."""

    ms: float
    x: float
    y: float


class Scanpath(BaseModel):
    """Fixations of a stretch of time in their order."""

    start_timestamp: float
    end_timestamp: float
    path: list[ScanpathPoint]
