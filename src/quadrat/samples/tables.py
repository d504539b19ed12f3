"""Tables of the schema `samples`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Named,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from quadrat.db.metadata import metadata

SCHEMA = "samples"

# Ids are compared byte by byte, whatever the language of the database.
_IdText = Text(collation="C")


class _DatasetColumns(TypedColumns):
    id: Named[str] = Column(_IdText, primary_key=True)
    project_id: Named[int] = Column(BigInteger, ForeignKey("identity.project.id", ondelete="CASCADE"), index=True)
    owner_uuid: Named[UUID] = Column(ForeignKey("identity.user.uuid", ondelete="CASCADE"))
    name: Named[str] = Column(Text(collation="C"))
    kind: Named[str] = Column(Text)
    image_kind: Named[str | None] = Column(Text)
    parent_id: Named[str | None] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="SET NULL"), index=True)
    n_samples: Named[int] = Column(Integer)
    size_bytes: Named[int] = Column(BigInteger)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    last_modified_at: Named[datetime] = Column(DateTime(timezone=True))


dataset = Table(
    "dataset",
    metadata,
    _DatasetColumns,
    CheckConstraint("kind IN ('images', 'videos', 'crops')", name="kind"),
    CheckConstraint("image_kind IN ('full', 'thumbnail', 'meta')", name="image_kind"),
    UniqueConstraint("owner_uuid", "name"),
    schema=SCHEMA,
)


class _SampleColumns(TypedColumns):
    id: Named[str] = Column(_IdText, primary_key=True)
    dataset_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="CASCADE"))
    index: Named[int] = Column(Integer)
    kind: Named[str] = Column(Text)
    file_name: Named[str] = Column(Text)
    file_name_digest: Named[bytes] = Column(LargeBinary)
    thumb_name: Named[str | None] = Column(Text)
    request_digest: Named[bytes] = Column(LargeBinary)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    last_modified_at: Named[datetime] = Column(DateTime(timezone=True))


# Narrow on purpose: lists of ids and names read no JSON. The bytes' facts and the documents stand beside it.
sample = Table(
    "sample",
    metadata,
    _SampleColumns,
    CheckConstraint("kind IN ('image', 'video_frame', 'crop')", name="kind"),
    UniqueConstraint("dataset_id", "file_name_digest"),
    Index("uq_sample_dataset_id_index", "dataset_id", "index", unique=True, postgresql_include=["id"]),
    schema=SCHEMA,
)


class _DocumentColumns(TypedColumns):
    sample_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.sample.id", ondelete="CASCADE"), primary_key=True)
    exif: Named[Any | None] = Column(JSONB)
    metadata_: Named[Any | None] = Column("metadata", JSONB)
    custom_metadata: Named[Any | None] = Column(JSONB)
    video_frame: Named[Any | None] = Column(JSONB)
    crop: Named[Any | None] = Column(JSONB)


document = Table("document", metadata, _DocumentColumns, schema=SCHEMA)


class _ImageColumns(TypedColumns):
    sample_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.sample.id", ondelete="CASCADE"), primary_key=True)
    rendition: Named[str] = Column(Text, primary_key=True)
    size_bytes: Named[int] = Column(BigInteger)
    etag: Named[str] = Column(Text)
    media_type: Named[str] = Column(Text)
    uploaded_at: Named[datetime] = Column(DateTime(timezone=True))


image = Table(
    "image",
    metadata,
    _ImageColumns,
    CheckConstraint("rendition IN ('full', 'thumb')", name="rendition"),
    schema=SCHEMA,
)
