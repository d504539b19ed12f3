"""Wire models of enrichments, planes, files and imports."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class Slice(BaseModel):
    """A section of a recording, in seconds from its start."""

    id: str
    recording_id: str
    start_time_s: float
    end_time_s: float


class Enrichment(BaseModel):
    """An enrichment."""

    id: str
    project_id: str
    name: str
    kind: str
    args: dict[str, Any]
    fps: int | None
    slices: list[Slice]
    from_event_name: str
    to_event_name: str
    status: str
    created_at: str
    updated_at: str
    created_by_user_id: str | None


Kind = Literal["slam-mapper", "marker-mapper", "face-mapper", "render", "raw-data-export"]


class EnrichmentPost(BaseModel):
    """An enrichment to be made."""

    name: str = Field(min_length=1)
    from_event_name: str = Field(min_length=1)
    to_event_name: str = Field(min_length=1)
    kind: Kind = "slam-mapper"
    args: dict[str, Any] = Field(default_factory=dict, description="markerless_id or surface_id, once wrapped or not")


class EnrichmentPatch(BaseModel):
    """What changes about an enrichment."""

    name: str | None = Field(None, min_length=1)
    from_event_name: str | None = Field(None, min_length=1)
    to_event_name: str | None = Field(None, min_length=1)


class StaticMapper(Enrichment):
    """A manual mapper."""

    static_image_id: str | None
    static_image_image_thumbnail_url: str
    fixations_status: list[dict[str, Any]]


class StaticMapperPost(BaseModel):
    """A manual mapper to be made."""

    name: str = Field(min_length=1)
    from_event_name: str = Field(min_length=1)
    to_event_name: str = Field(min_length=1)
    static_image_id: str | None = None


class PlacedFixation(BaseModel):
    """A fixation of a manual mapper, in seconds from the start of the recording."""

    fixation_id: int
    start_timestamp: float
    end_timestamp: float
    seek_timestamp: float
    updated_at: str | None
    gaze_on_aoi: int | None
    x: float | None
    y: float | None


class PlacedFixations(BaseModel):
    """All of a recording."""

    total_fixations: int
    checked_fixations: int
    fixations: list[PlacedFixation]


class FixationPut(BaseModel):
    """Where a person puts a fixation."""

    gaze_on_aoi: Literal[0, 1]
    x: float | None = None
    y: float | None = None


class MarkerlessPost(BaseModel):
    """A plane that is a picture."""

    reference_image_id: str
    scanning_recording_id: str


class Markerless(BaseModel):
    """A plane that is a picture; the addresses work without a credential, for an hour."""

    id: str
    reference_image_id: str
    reference_image_thumbnail_url: str
    reference_image_url: str
    scanning_recording_id: str
    width: int
    height: int


class SurfacePost(BaseModel):
    """A plane between markers."""

    name: str = Field(min_length=1)
    markers_used: list[str] = Field(default_factory=list)
    reference_image_id: str | None = Field(None, description="A picture of it, for areas and heatmaps; ours")


class SurfacePatch(BaseModel):
    """What changes about a surface; null is the same as absent."""

    markers: list[str] | None = None


class Surface(BaseModel):
    """A plane between markers."""

    id: str
    name: str
    is_initialized: bool
    markers_used: list[str]
    reference_image_id: str | None
    reference_image_thumbnail_url: str


class FileMade(BaseModel):
    """An upload that was announced."""

    id: str
    upload_url: str


class ImportedRecording(BaseModel):
    """What an import made of one recording."""

    recording_id: str
    name: str
    section_ids: list[str]
    gaze_samples: int
    fixations: int
    warnings: list[str]


class Imported(BaseModel):
    """What an import made; of several recordings only the list is filled."""

    recording_id: str | None
    name: str | None
    section_ids: list[str] | None
    gaze_samples: int | None
    fixations: int | None
    warnings: list[str] | None
    recordings: list[ImportedRecording]


class ExportPost(BaseModel):
    """Which recordings to export; none named are all."""

    recording_ids: list[str] = Field(default_factory=list)
    plain_names: bool = False


class HeatmapPost(BaseModel):
    """A heatmap to be drawn."""

    project_id: str
    enrichment_id: str
    recording_ids: list[str] | None = None
    n_bins: int | None = None
    sigma: float | None = None
    width: int | None = None
    height: int | None = None
    max_size: int | None = None
    colormap: str | None = None
    as_json: bool | None = Field(None, alias="json")
    weight: Literal["none", "duration"] | None = None
