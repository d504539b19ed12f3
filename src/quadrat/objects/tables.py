"""Tables of the schema `objects`.

Three sizes of table, three sets of rules (docs/decisions/010-object-storage.md):

- Settings, samples, acquisitions, taxa: thousands of rows, with foreign keys, as everywhere.
- `object` and its companions `fact`, `feature`, `history`, `prediction`, `image`, `vector`: up to hundreds of millions
  of rows. No foreign keys between them, since those are checked row by row: whoever writes or removes objects holds the
  `clock` row of the project, and removes the companions in the same transaction. The end of a project removes them all
  (trigger `clock_removes_objects`).
- `clock` and `change`: what the column caches of all server processes follow.

`object` holds what classification changes and nothing else, and no index holds a column that classification changes, so
that updates stay inside their page.
"""

import datetime as dt
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CHAR,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Named,
    SmallInteger,
    Table,
    Text,
    Time,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from quadrat.db.metadata import metadata

SCHEMA = "objects"

_EMPTY_ARRAY = text("'{}'")
# Names that people gave are compared byte by byte, whatever the language of the database.
_NAME = Text(collation="C")


def _to(target: str, *, ondelete: str | None = "CASCADE") -> ForeignKey:
    return ForeignKey(f"{target}.id", ondelete=ondelete)


def _id() -> Column[int]:
    # Not "always": importers take numbers from the sequence first and COPY rows that have them.
    return Column(BigInteger, Identity(always=False), primary_key=True)


# A project as an object set.


class _ProjectColumns(TypedColumns):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), primary_key=True)
    # Anyone who is signed in may read; strangers may read the validated objects.
    visible: Named[bool] = Column(Boolean, server_default=text("false"))
    status: Named[str] = Column(Text, server_default="annotate")
    # One of the wire API's license texts, '' for none.
    license: Named[str] = Column(Text, server_default="")
    contact_user_id: Named[int | None] = Column(BigInteger, _to("identity.user", ondelete="SET NULL"))
    instrument: Named[str | None] = Column(Text)
    instrument_url: Named[str | None] = Column(Text)
    description: Named[str | None] = Column(Text)
    comments: Named[str | None] = Column(Text)
    # Settings of clients' pages, kept as they came.
    classification_settings: Named[str | None] = Column(Text)
    sorted_fields: Named[str | None] = Column(Text)
    popover_fields: Named[str | None] = Column(Text)
    models_used: Named[str | None] = Column(Text)
    # Name of the network that makes deep features for predictions.
    network: Named[str | None] = Column(Text)
    # Taxa that are offered first.
    preset_taxa: Named[list[int]] = Column(ARRAY(BigInteger), server_default=_EMPTY_ARRAY)
    # Name of a quantity -> formula text.
    formulae: Named[dict[str, str]] = Column(JSONB, server_default=_EMPTY_ARRAY)
    # Names of the free columns in the order in which they were first imported. Position i (from 1) is the wire API's
    # physical column n01, n02 ... (numbers) or t01, t02 ... (texts), and element i of `feature.numbers`,
    # `feature.texts` or `free_texts`. Only ever appended to.
    object_numbers: Named[list[str]] = Column(ARRAY(_NAME), server_default=_EMPTY_ARRAY)
    object_texts: Named[list[str]] = Column(ARRAY(_NAME), server_default=_EMPTY_ARRAY)
    sample_texts: Named[list[str]] = Column(ARRAY(_NAME), server_default=_EMPTY_ARRAY)
    acquisition_texts: Named[list[str]] = Column(ARRAY(_NAME), server_default=_EMPTY_ARRAY)
    process_texts: Named[list[str]] = Column(ARRAY(_NAME), server_default=_EMPTY_ARRAY)


# A project without a row here has the defaults of `types.ProjectSettings`.
project = Table(
    "project",
    metadata,
    _ProjectColumns,
    CheckConstraint("status IN ('annotate', 'annotate_without_prediction', 'explore')", name="status"),
    schema=SCHEMA,
)


class _ClockColumns(TypedColumns):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), primary_key=True)
    # Number of the last change of the project's objects; grows by one with each.
    last: Named[int] = Column(BigInteger, server_default=text("0"))
    # The oldest number that `change` still explains; who knows less has to read everything anew.
    horizon: Named[int] = Column(BigInteger, server_default=text("0"))
    # Another one whenever objects, facts or features change, so that files of cached columns cannot be mistaken.
    content: Named[UUID] = Column(Uuid, server_default=func.gen_random_uuid())


# Whoever changes objects of a project updates this row first: changes of one project happen one after another, and a
# reader that sees number n sees all changes up to n.
clock = Table("clock", metadata, _ClockColumns, schema=SCHEMA, postgresql_with={"fillfactor": "10"})


class _ChangeColumns(TypedColumns):
    project_id: Named[int] = Column(
        BigInteger, ForeignKey(f"{SCHEMA}.clock.project_id", ondelete="CASCADE"), primary_key=True
    )
    number: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    # 'state' (classification), 'content' (facts or features), 'added', 'removed'.
    kind: Named[str] = Column(Text)
    # The objects concerned; NULL for "too many to name".
    object_ids: Named[list[int] | None] = Column(ARRAY(BigInteger))


change = Table(
    "change",
    metadata,
    _ChangeColumns,
    CheckConstraint("kind IN ('state', 'content', 'added', 'removed')", name="kind"),
    schema=SCHEMA,
)


class _UserProjectColumns(TypedColumns):
    user_id: Named[int] = Column(BigInteger, _to("identity.user"), primary_key=True)
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), primary_key=True, index=True)
    used_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    # Taxa that the user assigned in this project, the latest first.
    recent_taxa: Named[list[int]] = Column(ARRAY(BigInteger), server_default=_EMPTY_ARRAY)
    # Texts that clients' pages keep, by key.
    preferences: Named[dict[str, str]] = Column(JSONB, server_default=_EMPTY_ARRAY)


user_project = Table("user_project", metadata, _UserProjectColumns, schema=SCHEMA)


# Taxonomy.


class _TaxonColumns(TypedColumns):
    id: Named[int] = _id()
    parent_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.taxon", ondelete=None), index=True)
    # Ids from the root down to this taxon, itself included.
    path: Named[list[int]] = Column(ARRAY(BigInteger))
    name: Named[str] = Column(_NAME)
    # Unique by convention: 'name' or, where that is taken, 'name<parent'.
    display_name: Named[str] = Column(_NAME)
    kind: Named[str] = Column(Text, server_default="phylo")
    status: Named[str] = Column(Text, server_default="active")
    renamed_to_id: Named[int | None] = Column(BigInteger, _to(f"{SCHEMA}.taxon", ondelete=None), index=True)
    source_url: Named[str | None] = Column(Text)
    source_description: Named[str | None] = Column(Text)
    # Id in the source (AphiaID and the like).
    source_id: Named[str | None] = Column(Text)
    creator_email: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    updated_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    # Validated objects of all projects: in this taxon, and in it with all below it. Renewed by a job.
    n_objects: Named[int] = Column(BigInteger, server_default=text("0"))
    n_objects_below: Named[int] = Column(BigInteger, server_default=text("0"))


# Taxa are never deleted, only deprecated, so that `object.taxon_id` needs no foreign key.
taxon = Table(
    "taxon",
    metadata,
    _TaxonColumns,
    CheckConstraint("kind IN ('phylo', 'morpho')", name="kind"),
    CheckConstraint("status IN ('active', 'new', 'deprecated')", name="status"),
    Index("ix_taxon_display_name_lower", text("lower(display_name)")),
    Index("ix_taxon_name_lower", text("lower(name)")),
    schema=SCHEMA,
)


class _TreeColumns(TypedColumns):
    id: Named[int] = Column(SmallInteger, primary_key=True, autoincrement=False)
    # Another one whenever a taxon comes, or gets another name or place; not with the counts of its objects.
    content: Named[UUID] = Column(Uuid, server_default=func.gen_random_uuid())


# One row, renewed by the trigger `taxon_renews_tree`.
tree = Table("tree", metadata, _TreeColumns, CheckConstraint("id = 1", name="only"), schema=SCHEMA)


class _ReclassificationColumns(TypedColumns):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), primary_key=True)
    from_taxon_id: Named[int] = Column(BigInteger, primary_key=True)
    to_taxon_id: Named[int] = Column(BigInteger, primary_key=True)
    reason: Named[str] = Column(CHAR(1))
    n_objects: Named[int] = Column(BigInteger)
    at: Named[datetime] = Column(DateTime(timezone=True))


# One taxon turned into another in a whole project, with the last time at which that was done.
reclassification = Table("reclassification", metadata, _ReclassificationColumns, schema=SCHEMA)


# Where objects come from.


class _NetSampleColumns(TypedColumns):
    id: Named[int] = _id()
    project_id: Named[int] = Column(BigInteger, _to("identity.project"))
    orig_id: Named[str] = Column(_NAME)
    # Degrees; the least ones of its objects, set after an import.
    latitude: Named[float | None] = Column(Double)
    longitude: Named[float | None] = Column(Double)
    # At most 8000 characters.
    descriptor: Named[str | None] = Column(Text)
    # By position in `project.sample_texts`; may be shorter.
    free_texts: Named[list[str | None]] = Column(ARRAY(Text), server_default=_EMPTY_ARRAY)


net_sample = Table("net_sample", metadata, _NetSampleColumns, UniqueConstraint("project_id", "orig_id"), schema=SCHEMA)


class _AcquisitionColumns(TypedColumns):
    id: Named[int] = _id()
    project_id: Named[int] = Column(BigInteger, _to("identity.project"))
    sample_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.net_sample"), index=True)
    orig_id: Named[str] = Column(_NAME)
    instrument: Named[str | None] = Column(Text)
    # By position in `project.acquisition_texts`; may be shorter.
    free_texts: Named[list[str | None]] = Column(ARRAY(Text), server_default=_EMPTY_ARRAY)


# An acquisition belongs to one sample: its name is unique in the project.
acquisition = Table(
    "acquisition", metadata, _AcquisitionColumns, UniqueConstraint("project_id", "orig_id"), schema=SCHEMA
)


class _ProcessColumns(TypedColumns):
    acquisition_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.acquisition"), primary_key=True)
    orig_id: Named[str] = Column(_NAME)
    # By position in `project.process_texts`; may be shorter.
    free_texts: Named[list[str | None]] = Column(ARRAY(Text), server_default=_EMPTY_ARRAY)


# One for each acquisition; its id is the acquisition's.
process = Table("process", metadata, _ProcessColumns, schema=SCHEMA)


# Objects: the hot table, then what classification leaves alone.


class _ObjectColumns(TypedColumns):
    id: Named[int] = _id()
    project_id: Named[int] = Column(BigInteger)
    sample_id: Named[int] = Column(BigInteger)
    acquisition_id: Named[int] = Column(BigInteger)
    # Who decided (V, D); the user may be gone.
    author_id: Named[int | None] = Column(BigInteger)
    # When a person decided (V, D).
    decided_at: Named[datetime | None] = Column(DateTime(timezone=True))
    # What a machine said last; outlives a person's decision.
    predicted_taxon_id: Named[int | None] = Column(BigInteger)
    predicted_score: Named[float | None] = Column(Double)
    predicted_at: Named[datetime | None] = Column(DateTime(timezone=True))
    # NULL while unclassified.
    taxon_id: Named[int | None] = Column(BigInteger)
    # U unclassified, P predicted, V validated, D dubious.
    state: Named[str] = Column(CHAR(1), server_default="U")


object_ = Table(
    "object",
    metadata,
    _ObjectColumns,
    CheckConstraint("state IN ('U', 'P', 'V', 'D')", name="state"),
    CheckConstraint("(state = 'U') = (taxon_id IS NULL)", name="taxon"),
    CheckConstraint("(state IN ('V', 'D')) = (author_id IS NOT NULL)", name="author"),
    CheckConstraint("predicted_score BETWEEN 0 AND 1", name="score"),
    Index(None, "project_id", "id"),
    Index(None, "acquisition_id"),
    schema=SCHEMA,
    postgresql_with={"fillfactor": "75"},
)


class _FactColumns(TypedColumns):
    object_id: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    project_id: Named[int] = Column(BigInteger)
    # At most 255 characters; unique in the project by convention only.
    orig_id: Named[str] = Column(_NAME)
    # `rules.random_value(orig_id)`.
    random_value: Named[int] = Column(Integer)
    # Degrees.
    latitude: Named[float | None] = Column(Double)
    longitude: Named[float | None] = Column(Double)
    # Metres.
    depth_min: Named[float | None] = Column(Double)
    depth_max: Named[float | None] = Column(Double)
    # UTC.
    date: Named[dt.date | None] = Column(Date)
    time: Named[dt.time | None] = Column(Time)
    # D day, U dusk, N night, A dawn, ? unknown.
    sun_position: Named[str | None] = Column(CHAR(1))
    link: Named[str | None] = Column(Text)
    complement: Named[str | None] = Column(Text)


fact = Table("fact", metadata, _FactColumns, Index(None, "project_id", "orig_id"), schema=SCHEMA)


class _FeatureColumns(TypedColumns):
    object_id: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    project_id: Named[int] = Column(BigInteger, index=True)
    # By position in `project.object_numbers` and `project.object_texts`; may be shorter, elements may be NULL.
    numbers: Named[list[float | None]] = Column(ARRAY(Double), server_default=_EMPTY_ARRAY)
    texts: Named[list[str | None]] = Column(ARRAY(Text), server_default=_EMPTY_ARRAY)


feature = Table("feature", metadata, _FeatureColumns, schema=SCHEMA)


class _HistoryColumns(TypedColumns):
    object_id: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    # Number of the change (`clock.last`) that ended this state: one line per object and change, the newest the highest.
    # 0 and less for what a backup has brought along.
    change: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    # When the state was entered; the epoch when unknown.
    entered_at: Named[datetime] = Column(DateTime(timezone=True))
    taxon_id: Named[int] = Column(BigInteger)
    # Who decided (V, D).
    author_id: Named[int | None] = Column(BigInteger)
    # Of the prediction (P).
    score: Named[float | None] = Column(Double)
    # P, V or D.
    state: Named[str] = Column(CHAR(1))


# Former states, never the present one.
history = Table(
    "history",
    metadata,
    _HistoryColumns,
    CheckConstraint("state IN ('P', 'V', 'D')", name="state"),
    schema=SCHEMA,
)


class _PredictionColumns(TypedColumns):
    object_id: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    # The same as `object.predicted_at`, else the row is out of date.
    predicted_at: Named[datetime] = Column(DateTime(timezone=True))
    # At most three, the best first.
    taxon_ids: Named[list[int]] = Column(ARRAY(BigInteger))
    scores: Named[list[float]] = Column(ARRAY(Double))
    training_id: Named[int | None] = Column(BigInteger)


# More than the one prediction that `object` has room for.
prediction = Table("prediction", metadata, _PredictionColumns, schema=SCHEMA)


class _ImageColumns(TypedColumns):
    # Also names the stored bytes: `rules.image_key`, `rules.thumbnail_key`.
    id: Named[int] = _id()
    object_id: Named[int] = Column(BigInteger)
    project_id: Named[int] = Column(BigInteger)
    # 100 is reserved. The visible image is the one of the lowest rank.
    rank: Named[int] = Column(SmallInteger)
    # As the importer called it, at most 255 characters.
    file_name: Named[str] = Column(Text)
    # Of the stored bytes, with the dot: .png, .jpg, .gif
    extension: Named[str] = Column(Text)
    width_px: Named[int] = Column(Integer)
    height_px: Named[int] = Column(Integer)
    size_bytes: Named[int] = Column(BigInteger)
    # NULL where the image is small enough to be its own thumbnail.
    thumbnail_width_px: Named[int | None] = Column(Integer)
    thumbnail_height_px: Named[int | None] = Column(Integer)


image = Table(
    "image",
    metadata,
    _ImageColumns,
    UniqueConstraint("object_id", "rank"),
    Index(None, "project_id"),
    schema=SCHEMA,
)


# Counts, trainings, files.


class _ProjectTaxonColumns(TypedColumns):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), primary_key=True)
    # -1 for the unclassified ones.
    taxon_id: Named[int] = Column(BigInteger, primary_key=True, index=True)
    n_objects: Named[int] = Column(BigInteger)
    n_predicted: Named[int] = Column(BigInteger)
    n_validated: Named[int] = Column(BigInteger)
    n_dubious: Named[int] = Column(BigInteger)


# Kept by every change of objects, in its transaction. Rows of zeros may remain.
project_taxon = Table("project_taxon", metadata, _ProjectTaxonColumns, schema=SCHEMA)


class _TrainingColumns(TypedColumns):
    id: Named[int] = _id()
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), index=True)
    job_id: Named[int | None] = Column(BigInteger, _to("jobs.job", ondelete="SET NULL"), index=True)
    author_id: Named[int | None] = Column(BigInteger, _to("identity.user", ondelete="SET NULL"))
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())
    # The request, the sources, the features, the figures of the learning.
    facts: Named[dict[str, Any]] = Column(JSONB, server_default=_EMPTY_ARRAY)


# One learning whose predictions were written.
training = Table("training", metadata, _TrainingColumns, schema=SCHEMA)


class _PredictionBlockColumns(TypedColumns):
    training_id: Named[int] = Column(BigInteger, _to(f"{SCHEMA}.training"), primary_key=True)
    number: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    # Big-endian int8, one after the other.
    object_ids: Named[bytes] = Column(LargeBinary)
    # Three taxa (int8, -1 for none) and three scores (float8) for each object, big-endian; NULL before there are any.
    taxa: Named[bytes | None] = Column(LargeBinary)
    scores: Named[bytes | None] = Column(LargeBinary)
    # Batch requests that were made for the objects, in their order.
    request_ids: Named[list[UUID] | None] = Column(ARRAY(Uuid))


# What a prediction has still to write: a block goes in the transaction that writes it, so that a job that was lost in
# between goes on with the next one.
prediction_block = Table("prediction_block", metadata, _PredictionBlockColumns, schema=SCHEMA)


class _VectorColumns(TypedColumns):
    object_id: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    project_id: Named[int] = Column(BigInteger, index=True)
    # What made it, as `project.network` named it then.
    network: Named[str] = Column(_NAME)
    # An array, so that it can be kept without the extension; searches cast it to the extension's type.
    elements: Named[list[float]] = Column(ARRAY(REAL))


# What a network has made of the visible image of an object. A companion of `object` like the ones above.
vector = Table("vector", metadata, _VectorColumns, schema=SCHEMA)


class _LoadedFileColumns(TypedColumns):
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), primary_key=True)
    # Path of an index file inside its archive.
    name: Named[str] = Column(_NAME, primary_key=True)
    job_id: Named[int | None] = Column(BigInteger, _to("jobs.job", ondelete="SET NULL"), index=True)
    at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


loaded_file = Table("loaded_file", metadata, _LoadedFileColumns, schema=SCHEMA)


class _UserFileColumns(TypedColumns):
    id: Named[UUID] = Column(Uuid, primary_key=True)
    user_id: Named[int] = Column(BigInteger, _to("identity.user"))
    # Name of the group, '' for none.
    tag: Named[str] = Column(_NAME)
    # Path on the client, with slashes.
    path: Named[str] = Column(_NAME)
    blob_key: Named[str] = Column(Text, unique=True)
    size_bytes: Named[int] = Column(BigInteger)
    created_at: Named[datetime] = Column(DateTime(timezone=True), server_default=func.now())


# What a user has uploaded to import from.
user_file = Table("user_file", metadata, _UserFileColumns, UniqueConstraint("user_id", "tag", "path"), schema=SCHEMA)


class _ImageRangeColumns(TypedColumns):
    id: Named[int] = _id()
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), index=True)
    first_id: Named[int] = Column(BigInteger)
    last_id: Named[int] = Column(BigInteger)


# Numbers of images that an import has taken: bytes may be stored under them before the rows are there. An import ends
# by removing its own; what one that was killed has left shows which bytes have to go.
image_range = Table("image_range", metadata, _ImageRangeColumns, schema=SCHEMA)


class _AnnotationBatchColumns(TypedColumns):
    # Chosen by the page that sent it, so that sending twice is sending once.
    id: Named[UUID] = Column(Uuid, primary_key=True)
    project_id: Named[int] = Column(BigInteger, _to("identity.project"), index=True)
    user_id: Named[int] = Column(BigInteger, _to("identity.user"))
    # Number and time of the change that it made; the time is the objects' `decided_at`.
    change: Named[int] = Column(BigInteger)
    at: Named[datetime] = Column(DateTime(timezone=True))
    object_ids: Named[list[int]] = Column(ARRAY(BigInteger))
    n_changed: Named[int] = Column(Integer)
    undone_at: Named[datetime | None] = Column(DateTime(timezone=True))


# What a person decided in one go, for as long as it can be taken back.
annotation_batch = Table(
    "annotation_batch",
    metadata,
    _AnnotationBatchColumns,
    Index("ix_annotation_batch_user_id_at", "user_id", "at"),
    schema=SCHEMA,
)


class _UserProfileColumns(TypedColumns):
    user_id: Named[int] = Column(BigInteger, _to("identity.user"), primary_key=True, autoincrement=False)
    organisation: Named[str | None] = Column(Text)
    country: Named[str | None] = Column(Text)
    orcid: Named[str | None] = Column(Text)
    # Why the user wanted to come in.
    reason: Named[str | None] = Column(Text)
    # Why an administrator let the user in or kept the user out, and when.
    status_comment: Named[str | None] = Column(Text)
    status_at: Named[datetime | None] = Column(DateTime(timezone=True))


# What the wire API's pages show of users beside what signs them in.
user_profile = Table("user_profile", metadata, _UserProfileColumns, schema=SCHEMA)
