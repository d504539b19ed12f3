"""Tables of the schema `samples`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, REAL

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
    CheckConstraint("rendition IN ('full', 'thumb', 'auto')", name="rendition"),
    schema=SCHEMA,
)


class _UnreadColumns(TypedColumns):
    sample_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.sample.id", ondelete="CASCADE"), primary_key=True)
    dataset_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="CASCADE"))
    at: Named[datetime] = Column(DateTime(timezone=True))


# Full images that came and that no job has looked into yet.
unread = Table("unread", metadata, _UnreadColumns, Index(None, "dataset_id", "at"), schema=SCHEMA)


class _FactColumns(TypedColumns):
    sample_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.sample.id", ondelete="CASCADE"), primary_key=True)
    dataset_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="CASCADE"))
    etag: Named[str] = Column(Text)
    problem: Named[str | None] = Column(Text)
    sha256: Named[bytes | None] = Column(LargeBinary)
    perceptual_hash: Named[int | None] = Column(BigInteger)
    width_px: Named[int | None] = Column(Integer)
    height_px: Named[int | None] = Column(Integer)
    format: Named[str | None] = Column(Text)
    bit_depth: Named[int | None] = Column(Integer)
    channels: Named[int | None] = Column(Integer)
    metadata_: Named[Any | None] = Column("metadata", JSONB)
    exif: Named[Any | None] = Column(JSONB)
    made_at: Named[datetime] = Column(DateTime(timezone=True))


fact = Table(
    "fact",
    metadata,
    _FactColumns,
    Index(None, "dataset_id", "sha256"),
    Index(None, "dataset_id", "perceptual_hash"),
    schema=SCHEMA,
)


class _ReferenceColumns(TypedColumns):
    sample_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.sample.id", ondelete="CASCADE"), primary_key=True)
    location: Named[str] = Column(Text)
    version: Named[str] = Column(Text)


# Where the full image of a sample lies that was imported without a copy.
reference = Table("reference", metadata, _ReferenceColumns, schema=SCHEMA)


class _TagColumns(TypedColumns):
    id: Named[str] = Column(_IdText, primary_key=True)
    dataset_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="CASCADE"))
    previous_id: Named[str | None] = Column(_IdText, ForeignKey(f"{SCHEMA}.tag.id"), index=True)
    query_id: Named[str | None] = Column(_IdText)
    preselected_id: Named[str | None] = Column(_IdText)
    name: Named[str] = Column(Text(collation="C"))
    mask: Named[bytes] = Column(LargeBinary)
    total: Named[int] = Column(Integer)
    creator: Named[str | None] = Column(Text)
    changes: Named[Any | None] = Column(JSONB)
    run_id: Named[str | None] = Column(_IdText)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    last_modified_at: Named[datetime] = Column(DateTime(timezone=True))


# A mask is little-endian, so that growing it appends; bytes of zeros at its end are left out.
tag = Table("tag", metadata, _TagColumns, UniqueConstraint("dataset_id", "name"), schema=SCHEMA)


class _PublicTokenColumns(TypedColumns):
    id: Named[str] = Column(_IdText, primary_key=True)
    dataset_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="CASCADE"))
    user_id: Named[int] = Column(BigInteger, ForeignKey("identity.user.id", ondelete="CASCADE"), index=True)
    hash: Named[bytes] = Column(LargeBinary, unique=True)
    sealed: Named[bytes] = Column(LargeBinary)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    expires_at: Named[datetime | None] = Column(DateTime(timezone=True))


public_token = Table("public_token", metadata, _PublicTokenColumns, Index(None, "dataset_id", "user_id"), schema=SCHEMA)


class _EmbeddingColumns(TypedColumns):
    id: Named[str] = Column(_IdText, primary_key=True)
    dataset_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="CASCADE"))
    name: Named[str] = Column(Text(collation="C"))
    is_processed: Named[bool] = Column(Boolean)
    dimensions: Named[int | None] = Column(Integer)
    n_rows: Named[int | None] = Column(Integer)
    is_searchable: Named[bool] = Column(Boolean)
    problem: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True))


# The vectors themselves lie in a table for each embedding, `vector_<id>`, where the database has the type for them.
embedding = Table("embedding", metadata, _EmbeddingColumns, UniqueConstraint("dataset_id", "name"), schema=SCHEMA)


class _ProjectionColumns(TypedColumns):
    id: Named[str] = Column(_IdText, primary_key=True)
    embedding_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.embedding.id", ondelete="CASCADE"))
    method: Named[str] = Column(Text)
    x: Named[list[float]] = Column(ARRAY(REAL))
    y: Named[list[float]] = Column(ARRAY(REAL))
    sample_indexes: Named[list[int]] = Column(ARRAY(Integer))
    created_at: Named[datetime] = Column(DateTime(timezone=True))


projection = Table(
    "projection",
    metadata,
    _ProjectionColumns,
    CheckConstraint("method IN ('pca', 'tsne', 'umap')", name="method"),
    UniqueConstraint("embedding_id", "method"),
    schema=SCHEMA,
)


class _ConfigurationColumns(TypedColumns):
    id: Named[str] = Column(_IdText, primary_key=True)
    dataset_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="CASCADE"), index=True)
    name: Named[str] = Column(Text)
    entries: Named[Any] = Column(JSONB)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    last_modified_at: Named[datetime] = Column(DateTime(timezone=True))


configuration = Table("metadata_configuration", metadata, _ConfigurationColumns, schema=SCHEMA)


class _DataSourceColumns(TypedColumns):
    dataset_id: Named[str] = Column(_IdText, ForeignKey(f"{SCHEMA}.dataset.id", ondelete="CASCADE"), primary_key=True)
    id: Named[str] = Column(_IdText)
    kind: Named[str] = Column(Text)
    purpose: Named[str] = Column(Text)
    full_path: Named[str] = Column(Text)
    settings: Named[Any] = Column(JSONB)


datasource = Table("datasource", metadata, _DataSourceColumns, schema=SCHEMA)
