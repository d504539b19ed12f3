"""Tables of the schema `gaze`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Named,
    SmallInteger,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from quadrat.db.metadata import metadata

SCHEMA = "gaze"


def _to(target: str, *, ondelete: str = "CASCADE", key: str = "id") -> ForeignKey:
    return ForeignKey(f"{target}.{key}", ondelete=ondelete)


_ORGANIZATION = "identity.organization"
_PROJECT = "identity.project"


class _Made(TypedColumns):
    created_by: Named[UUID | None] = Column(Uuid)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


class _Row(_Made):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)


class _FileColumns(_Made):
    uuid: Named[UUID] = Column(Uuid, primary_key=True)
    organization_id: Named[int] = Column(BigInteger, _to(_ORGANIZATION), index=True)
    name: Named[str] = Column(Text)
    size_bytes: Named[int] = Column(BigInteger)
    offset_bytes: Named[int] = Column(BigInteger)
    parts: Named[list[str]] = Column(ARRAY(Text))
    media_type: Named[str | None] = Column(Text)
    width: Named[int | None] = Column(Integer)
    height: Named[int | None] = Column(Integer)
    # When somebody last sent bytes, or asked to: nobody's upload is removed while it goes on.
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


file = Table("file", metadata, _FileColumns, schema=SCHEMA)


class _ReferenceColumns(_Made):
    uuid: Named[UUID] = Column(Uuid, primary_key=True)
    organization_id: Named[int] = Column(BigInteger, _to(_ORGANIZATION), index=True)
    kind: Named[str] = Column(Text)
    name: Named[str] = Column(Text)
    file_uuid: Named[UUID | None] = Column(Uuid, _to(f"{SCHEMA}.file", key="uuid"), index=True)
    scanning_recording: Named[str] = Column(Text)
    markers: Named[list[str]] = Column(ARRAY(Text))


reference = Table(
    "reference",
    metadata,
    _ReferenceColumns,
    CheckConstraint("kind IN ('markerless', 'surface', 'static-image')", name="kind"),
    schema=SCHEMA,
)


class _WearerColumns(_Row):
    uuid: Named[UUID] = Column(Uuid)
    organization_id: Named[int] = Column(BigInteger, _to(_ORGANIZATION))
    name: Named[str] = Column(Text)


wearer = Table(
    "wearer",
    metadata,
    _WearerColumns,
    UniqueConstraint("organization_id", "uuid"),
    Index(None, "organization_id", "name"),
    schema=SCHEMA,
)


class _RecordingColumns(_Row):
    uuid: Named[UUID] = Column(Uuid)
    organization_id: Named[int] = Column(BigInteger, _to(_ORGANIZATION))
    name: Named[str] = Column(Text)
    wearer_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.wearer", ondelete="SET NULL"), index=True)
    start_ns: Named[int] = Column(BigInteger)
    duration_ns: Named[int] = Column(BigInteger)
    blob: Named[str | None] = Column(Text)
    n_samples: Named[int] = Column(BigInteger)
    period_ns: Named[int] = Column(BigInteger)
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    # x, y in scene camera pixels; NULL when no file said it.
    gaze_offset_px: Named[list[float] | None] = Column(ARRAY(Float(53)))


recording = Table("recording", metadata, _RecordingColumns, UniqueConstraint("organization_id", "uuid"), schema=SCHEMA)


class _ProjectRecordingColumns(TypedColumns):
    project_id: Named[int] = Column(BigInteger, _to(_PROJECT), primary_key=True)
    recording_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.recording"), primary_key=True, index=True)


project_recording = Table("project_recording", metadata, _ProjectRecordingColumns, schema=SCHEMA)


class _EventColumns(_Row):
    uuid: Named[UUID] = Column(Uuid)
    recording_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.recording"))
    project_id: Named[int | None] = Column(BigInteger, _to(_PROJECT), index=True)
    name: Named[str] = Column(Text)
    offset_ns: Named[int] = Column(BigInteger)
    origin: Named[str] = Column(Text)


event = Table(
    "event",
    metadata,
    _EventColumns,
    CheckConstraint("origin IN ('recording', 'project', 'cloud')", name="origin"),
    UniqueConstraint("recording_id", "uuid"),
    schema=SCHEMA,
)


class _EnrichmentColumns(_Row):
    uuid: Named[UUID] = Column(Uuid, unique=True)
    project_id: Named[int] = Column(BigInteger, _to(_PROJECT), index=True)
    kind: Named[str] = Column(Text)
    name: Named[str] = Column(Text)
    from_event_name: Named[str] = Column(Text)
    to_event_name: Named[str] = Column(Text)
    reference_uuid: Named[UUID | None] = Column(Uuid, _to(f"{SCHEMA}.reference", key="uuid"), index=True)
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


enrichment = Table("enrichment", metadata, _EnrichmentColumns, schema=SCHEMA)


class _MappingColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    enrichment_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.enrichment"))
    recording_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.recording"), index=True)
    revision: Named[UUID] = Column(Uuid)
    blob: Named[str | None] = Column(Text)
    unit: Named[str] = Column(Text)
    n_samples: Named[int] = Column(BigInteger)
    n_mapped: Named[int] = Column(BigInteger)
    period_ns: Named[int] = Column(BigInteger)


mapping = Table(
    "mapping",
    metadata,
    _MappingColumns,
    CheckConstraint("unit IN ('px', 'norm')", name="unit"),
    UniqueConstraint("enrichment_id", "recording_id"),
    schema=SCHEMA,
)


class _SectionColumns(TypedColumns):
    mapping_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.mapping"), primary_key=True)
    number: Named[int] = Column(Integer, primary_key=True)
    id: Named[str] = Column(Text)
    start_ns: Named[int] = Column(BigInteger)
    end_ns: Named[int] = Column(BigInteger)
    start_event: Named[str] = Column(Text)
    end_event: Named[str] = Column(Text)
    first_sample: Named[int] = Column(BigInteger)
    n_samples: Named[int] = Column(BigInteger)


section = Table("section", metadata, _SectionColumns, schema=SCHEMA)


class _FixationColumns(TypedColumns):
    mapping_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.mapping"), primary_key=True)
    number: Named[int] = Column(Integer, primary_key=True)
    section: Named[int] = Column(Integer)
    fixation_id: Named[int] = Column(Integer)
    start_ns: Named[int] = Column(BigInteger)
    end_ns: Named[int] = Column(BigInteger)
    # Missing positions are NaN, so that all rows of a recording can be read as one array.
    x: Named[float] = Column(Float(53))
    y: Named[float] = Column(Float(53))
    # 1 on the plane, 0 not, -1 not looked at yet by the person who maps.
    detected: Named[int] = Column(SmallInteger)
    updated_at: Named[datetime | None] = Column(DateTime(timezone=True))


fixation = Table("fixation", metadata, _FixationColumns, Index(None, "mapping_id", "fixation_id"), schema=SCHEMA)


class _RecordingFixationColumns(TypedColumns):
    recording_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.recording"), primary_key=True)
    number: Named[int] = Column(Integer, primary_key=True)
    fixation_id: Named[int] = Column(Integer)
    start_ns: Named[int] = Column(BigInteger)
    end_ns: Named[int] = Column(BigInteger)
    x: Named[float] = Column(Float(53))
    y: Named[float] = Column(Float(53))


recording_fixation = Table("recording_fixation", metadata, _RecordingFixationColumns, schema=SCHEMA)


class _AoiColumns(_Row):
    uuid: Named[UUID] = Column(Uuid)
    enrichment_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.enrichment"))
    name: Named[str] = Column(Text)
    description: Named[str | None] = Column(Text)
    color: Named[str | None] = Column(Text)
    width: Named[int] = Column(Integer)
    height: Named[int] = Column(Integer)
    digest: Named[bytes] = Column(LargeBinary)
    png: Named[bytes] = Column(LargeBinary)
    bits: Named[bytes] = Column(LargeBinary)
    box: Named[list[float]] = Column(ARRAY(Float(53)))
    centroid: Named[list[float]] = Column(ARRAY(Float(53)))
    area_px: Named[int] = Column(BigInteger)
    proposed_by: Named[str | None] = Column(Text)
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


aoi = Table("aoi", metadata, _AoiColumns, UniqueConstraint("enrichment_id", "uuid"), schema=SCHEMA)


class _LabelColumns(_Row):
    uuid: Named[UUID] = Column(Uuid)
    organization_id: Named[int] = Column(BigInteger, _to(_ORGANIZATION))
    name: Named[str] = Column(Text)
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


label = Table("label", metadata, _LabelColumns, UniqueConstraint("organization_id", "uuid"), schema=SCHEMA)


class _LabelAoiColumns(TypedColumns):
    label_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.label"), primary_key=True)
    aoi_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.aoi"), primary_key=True, index=True)


label_aoi = Table("label_aoi", metadata, _LabelAoiColumns, schema=SCHEMA)


class _LabelRecordingColumns(TypedColumns):
    label_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.label"), primary_key=True)
    recording_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.recording"), primary_key=True, index=True)


label_recording = Table("label_recording", metadata, _LabelRecordingColumns, schema=SCHEMA)


class _VisualizationColumns(_Row):
    uuid: Named[UUID] = Column(Uuid)
    project_id: Named[int] = Column(BigInteger, _to(_PROJECT))
    # NULL for the settings of no single enrichment.
    enrichment_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.enrichment"), index=True)
    kind: Named[str] = Column(Text)
    name: Named[str] = Column(Text)
    payload: Named[dict[str, Any]] = Column(JSONB)
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


visualization = Table(
    "visualization",
    metadata,
    _VisualizationColumns,
    CheckConstraint("kind IN ('heatmap', 'aoi_heatmap')", name="kind"),
    UniqueConstraint("project_id", "uuid"),
    schema=SCHEMA,
)


class _DeadBlobColumns(TypedColumns):
    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    prefix: Named[str] = Column(Text)


# Filled by triggers when rows that own bytes go, in whatever way; emptied by the purge.
dead_blob = Table("dead_blob", metadata, _DeadBlobColumns, schema=SCHEMA)
