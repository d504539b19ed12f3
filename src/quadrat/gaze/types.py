"""Recordings, enrichments, areas of interest and their statistics, as the rest of Quadrat passes them around."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID

from quadrat.identity.types import OrganizationId, ProjectId

RecordingId = NewType("RecordingId", int)
EnrichmentId = NewType("EnrichmentId", int)
MappingId = NewType("MappingId", int)
AoiId = NewType("AoiId", int)
WearerId = NewType("WearerId", int)
LabelId = NewType("LabelId", int)
VisualizationId = NewType("VisualizationId", int)


class EnrichmentKind(StrEnum):
    """How gaze came onto a plane."""

    REFERENCE_IMAGE = "slam-mapper"
    SURFACE = "marker-mapper"
    STATIC_IMAGE = "static-image-mapper"
    FACE = "face-mapper"
    RENDER = "render"
    RAW_DATA = "raw-data-export"


PLANAR_KINDS = frozenset({EnrichmentKind.REFERENCE_IMAGE, EnrichmentKind.SURFACE, EnrichmentKind.STATIC_IMAGE})
"""Kinds that have a plane on which areas can lie."""


class ReferenceKind(StrEnum):
    """What a plane is."""

    MARKERLESS = "markerless"
    SURFACE = "surface"
    STATIC_IMAGE = "static-image"


class Unit(StrEnum):
    """In what positions on the plane are given: pixels of the reference image, or 0..1; origin top left."""

    PX = "px"
    NORM = "norm"


class VisualizationKind(StrEnum):
    """What is drawn over an enrichment."""

    HEATMAP = "heatmap"
    AOI_HEATMAP = "aoi_heatmap"


class EventOrigin(StrEnum):
    """Who made an event: the device while it recorded, or someone afterwards in a project."""

    RECORDING = "recording"
    PROJECT = "project"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file, perhaps still on its way.

    Args:
        uuid: Its id.
        name: As it was sent.
        size_bytes: The length that was announced.
        offset_bytes: How much has arrived.
        parts: Keys of the parts that have come, until it is complete.
        media_type: Recognised from the bytes; None before the end, and for what is no picture.
        size: Of the picture, if it is one.
        created_by: Whose upload.
    """

    uuid: UUID
    organization_id: OrganizationId
    name: str
    size_bytes: int
    offset_bytes: int
    parts: tuple[str, ...]
    media_type: str | None
    size: Size | None
    created_by: UUID | None
    created_at: datetime

    @property
    def is_complete(self) -> bool:
        """True once every byte has come."""
        return self.offset_bytes == self.size_bytes


@dataclass(frozen=True, slots=True)
class Reference:
    """A plane: a reference image, a surface between markers, or a static image.

    Args:
        uuid: Its id.
        name: Of a surface; empty for images.
        file_uuid: The picture; None for a surface without one.
        size: Of the picture in pixels.
        scanning_recording: What the client named as its scanning recording, kept as it came.
        markers: Names of the markers around a surface.
    """

    uuid: UUID
    organization_id: OrganizationId
    kind: ReferenceKind
    name: str
    file_uuid: UUID | None
    size: Size | None
    scanning_recording: str
    markers: tuple[str, ...]
    created_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wearer:
    """A person who wore the glasses."""

    id: WearerId
    uuid: UUID
    name: str
    created_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a workspace.

    Args:
        uuid: The id that the device gave it.
        start_ns: Unix time of its beginning.
        duration_ns: Its length.
        blob: Folder of its own gaze columns (scene camera pixels); None when only mapped gaze was imported.
        n_samples: Number of rows in those columns.
        period_ns: Median time between its samples; 0 when unknown.
        gaze_offset_px: By how much its gaze was corrected, x and y in scene camera pixels; None when unknown.
    """

    id: RecordingId
    uuid: UUID
    organization_id: OrganizationId
    name: str
    wearer: Wearer | None
    start_ns: int
    duration_ns: int
    blob: str | None
    n_samples: int
    period_ns: int
    gaze_offset_px: tuple[float, float] | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """A named moment of a recording.

    Args:
        project_id: The project whose event it is; None for the recording's own.
        offset_ns: Time since the recording's start.
    """

    uuid: UUID
    recording_uuid: UUID
    project_uuid: UUID | None
    name: str
    offset_ns: int
    origin: EventOrigin
    created_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Gaze of some recordings on one plane, between two events.

    Args:
        reference: The plane; None for kinds without one.
        created_by: Who made it.
    """

    id: EnrichmentId
    uuid: UUID
    project_id: ProjectId
    project_uuid: UUID
    kind: EnrichmentKind
    name: str
    from_event_name: str
    to_event_name: str
    reference: Reference | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a recording between two events, as mapped in an enrichment.

    Args:
        number: Position among the mapping's sections, from 0.
        id: As the file called it.
        first_sample: Index of its first sample in the mapping's columns.
        n_samples: How many follow.
    """

    number: int
    id: str
    start_ns: int
    end_ns: int
    start_event: str
    end_event: str
    first_sample: int
    n_samples: int


@dataclass(frozen=True, slots=True)
class MappedRecording:
    """One recording in an enrichment.

    Args:
        revision: Changes with every change of its samples or fixations: what was computed for one holds for ever.
        blob: Folder of the sample columns; None when there are none.
        unit: Of the positions.
        n_samples: Rows in the columns.
        n_mapped: Samples that are on the plane.
        period_ns: Median time between samples.
    """

    id: MappingId
    recording: Recording
    revision: UUID
    blob: str | None
    unit: Unit
    n_samples: int
    n_mapped: int
    period_ns: int
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A box on the plane, 0..1, origin top left; `top` is the smaller number."""

    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """What is known of a mask without decoding it.

    Args:
        size: Pixels of the mask, which need not be those of the reference image.
        digest: SHA-256 of size and inside pixels: equal masks have equal digests.
        box: Around the inside pixels.
        centroid: Mean of the centres of the inside pixels, (x, y) in 0..1; it may lie in a hole.
        area_px: Number of inside pixels.
    """

    size: Size
    digest: bytes
    box: Box
    centroid: tuple[float, float]
    area_px: int

    @property
    def area_share(self) -> float:
        """Inside pixels of all pixels."""
        return self.area_px / (self.size.width * self.size.height)


@dataclass(frozen=True, slots=True)
class Aoi:
    """An area of interest.

    Args:
        png: Canonical picture of the mask: inside in the area's colour, outside transparent.
        proposed_by: The model version that proposed it; None once accepted, or when a person drew it.
    """

    id: AoiId
    uuid: UUID
    enrichment_uuid: UUID
    name: str
    description: str | None
    color: str | None
    mask: MaskFacts
    png: bytes
    proposed_by: str | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AoiChange:
    """What changes about an area; None leaves a thing as it is."""

    name: str | None = None
    description: str | None = None
    color: str | None = None
    mask: "MaskSource | None" = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class MaskSource:
    """Where a mask comes from: a picture, or a box that is filled.

    Args:
        png: Bytes of a PNG.
        box: Used when there is no picture.
    """

    png: bytes | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class NewAoi:
    """An area to be made.

    Args:
        uuid: Chosen by the client; None makes one.
    """

    name: str
    mask: MaskSource
    uuid: UUID | None = None
    description: str | None = None
    color: str | None = None
    proposed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A word over areas and recordings of a workspace; statistics add up over the areas that share it."""

    id: LabelId
    uuid: UUID
    name: str
    aoi_uuids: tuple[UUID, ...]
    recording_uuids: tuple[UUID, ...]
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Visualization:
    """Settings of a visualization, kept for those who draw it.

    Args:
        enrichment_uuid: Of what; None for the whole project.
        payload: The settings in groups, as the client sent them.
    """

    id: VisualizationId
    uuid: UUID
    project_uuid: UUID
    enrichment_uuid: UUID | None
    kind: VisualizationKind
    name: str
    payload: Mapping[str, Any]
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RecordingMetrics:
    """Statistics of one area in one recording; times in ms from the start of the recording.

    Args:
        fixations: Hits.
        fixation_ms: Sum of the rounded durations.
        first_fixation_at_ms: None without a hit, as are the other optional ones.
        first_in_section_ms: The same from the start of its section.
        visits: Runs of consecutive hits.
        visit_ns: Sum over runs of (end of the last - start of the first).
        samples: Mapped gaze samples inside.
        gaze_ms: Samples times the sample period.
    """

    fixations: int = 0
    fixation_ms: int = 0
    first_fixation_at_ms: int | None = None
    first_in_section_ms: int | None = None
    first_fixation_ms: int | None = None
    visits: int = 0
    visit_ns: int = 0
    samples: int = 0
    gaze_ms: float = 0.0
    first_gaze_at_ms: int | None = None

    @property
    def average_ms(self) -> float | None:
        """Mean duration of a hit."""
        return self.fixation_ms / self.fixations if self.fixations else None

    @property
    def revisits(self) -> int:
        """Visits after the first."""
        return max(0, self.visits - 1)

    @property
    def average_visit_ms(self) -> float | None:
        """Mean duration of a visit, saccades inside it included."""
        return self.visit_ns / self.visits / 1e6 if self.visits else None


@dataclass(frozen=True, slots=True)
class PooledMetrics:
    """Statistics of one area over recordings."""

    recordings: int
    recordings_with_fixation: int
    reach: float
    fixations: int
    fixation_ms: int
    first_fixation_at_ms: float | None
    visits: int
    samples: int
    gaze_ms: float

    @property
    def average_ms(self) -> float | None:
        """Mean duration of a hit over all recordings."""
        return self.fixation_ms / self.fixations if self.fixations else None


@dataclass(frozen=True, slots=True)
class Visit:
    """A run of consecutive fixations on one area.

    Args:
        area: Index of the area.
        start_ns: Start of its first fixation.
        end_ns: End of its last.
        fixations: How many.
    """

    area: int
    start_ns: int
    end_ns: int
    fixations: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a recording could be mapped, for judging the rest.

    Args:
        samples: Expected within the sections: the rows of the file, or what the sections' length and the sample
            period give, whichever is more, since newer files leave unmapped rows out.
        mapped: Samples on the plane.
        fixations: In the sections.
        mapped_fixations: On the plane.
    """

    samples: int
    mapped: int
    fixations: int
    mapped_fixations: int

    @property
    def unmapped_share(self) -> float | None:
        """Share of the samples that could not be mapped."""
        return 1 - self.mapped / self.samples if self.samples else None


@dataclass(frozen=True, slots=True)
class RecordingStatistics:
    """All statistics of one recording.

    Args:
        mapping: Which.
        metrics: One for each area, in the order of the areas.
        labels: The same for each label.
        coverage: How much was mapped.
        visits: Of all areas, in order of time.
        transitions: Square counts between areas, plus one row and column for none of them.
    """

    mapping: MappedRecording
    metrics: tuple[RecordingMetrics, ...]
    labels: tuple[RecordingMetrics, ...]
    coverage: Coverage
    visits: tuple[Visit, ...]
    transitions: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of an enrichment over some of its recordings."""

    enrichment: Enrichment
    aois: Sequence[Aoi]
    labels: Sequence[Label]
    recordings: Sequence[RecordingStatistics]
    pooled: Sequence[PooledMetrics]
    pooled_labels: Sequence[PooledMetrics]


@dataclass(frozen=True, slots=True)
class ImportedRecording:
    """What an import made of one recording."""

    recording_id: str
    name: str
    section_ids: tuple[str, ...]
    gaze_samples: int
    fixations: int
    warnings: tuple[str, ...] = ()
    extra: Mapping[str, int] = field(default_factory=dict)
