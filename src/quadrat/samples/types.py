"""Datasets, image samples and what is known of their bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID

from quadrat.identity.types import ProjectId

DatasetId = NewType("DatasetId", str)
SampleId = NewType("SampleId", str)
TagId = NewType("TagId", str)
EmbeddingId = NewType("EmbeddingId", str)
JsonText = NewType("JsonText", str)
"""A JSON object as text, exactly as it goes to the database and to the caller."""


class DatasetKind(StrEnum):
    """What the samples of a dataset are: pictures, frames of videos, or parts cut out of another dataset's samples."""

    IMAGES = "images"
    VIDEOS = "videos"
    CROPS = "crops"


class ImageKind(StrEnum):
    """Which bytes the makers of a dataset store: full images, thumbnails only, or none."""

    FULL = "full"
    THUMBNAIL = "thumbnail"
    META = "meta"


class SampleKind(StrEnum):
    """What one sample is."""

    IMAGE = "image"
    VIDEO_FRAME = "video_frame"
    CROP = "crop"


class Rendition(StrEnum):
    """The stored forms of an image; the value is the last part of its blob key."""

    FULL = "full"
    THUMBNAIL = "thumb"
    MADE_THUMBNAIL = "auto"
    """Made by the server; shown where no client has sent one."""


class SampleOrder(StrEnum):
    """Orders of a list."""

    INDEX = "index"
    ID = "id"


class Part(StrEnum):
    """How much of each sample a list holds."""

    IDS = "ids"
    FILE_NAMES = "file_names"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Dataset:
    """An ordered set of image samples in one project.

    Args:
        id: 24 hex digits, in the order of creation.
        project_id: Where it lies; decides who may do what.
        owner: UUID of the user who made it; names are unique per owner.
        name: As its owner calls it.
        kind: What its samples are.
        image_kind: Which bytes are stored, once someone said so.
        parent_id: The dataset that crops were cut from.
        n_samples: How many samples there are; also the next free index.
        size_bytes: All full images together.
        created_at: Aware UTC, whole milliseconds.
        last_modified_at: Aware UTC, whole milliseconds; grows with every change of the dataset or in it.
    """

    id: DatasetId
    project_id: ProjectId
    owner: UUID
    name: str
    kind: DatasetKind
    image_kind: ImageKind | None
    parent_id: DatasetId | None
    n_samples: int
    size_bytes: int
    created_at: datetime
    last_modified_at: datetime


@dataclass(frozen=True, slots=True)
class NewDataset:
    """What is said of a dataset when it is made."""

    name: str
    kind: DatasetKind
    image_kind: ImageKind | None
    parent_id: DatasetId | None


@dataclass(frozen=True, slots=True)
class Documents:
    """The free JSON of a sample. None: never set."""

    exif: JsonText | None = None
    metadata: JsonText | None = None
    custom_metadata: JsonText | None = None
    video_frame: JsonText | None = None
    crop: JsonText | None = None


@dataclass(frozen=True, slots=True)
class NewSample:
    """What is said of a sample when it is made, cleaned and checked.

    Args:
        file_name: Opaque and unique in its dataset.
        thumb_name: What the caller calls the thumbnail.
        documents: Its free JSON.
        digest: Of all of the above: a second creation with the same digest is the same creation.
    """

    file_name: str
    thumb_name: str | None
    documents: Documents
    digest: bytes


@dataclass(frozen=True, slots=True)
class SampleChange:
    """What is to be changed of a sample; None leaves it as it is."""

    file_name: str | None = None
    thumb_name: str | None = None
    exif: JsonText | None = None
    metadata: JsonText | None = None
    custom_metadata: JsonText | None = None


@dataclass(frozen=True, slots=True)
class ImageSample:
    """One image of a dataset with everything said about it.

    Args:
        id: 24 hex digits, in the order of creation.
        dataset_id: Where it belongs.
        index: Its bit in the dataset's masks: 0-based, dense, never reused.
        kind: What it is.
        file_name: Opaque and unique in its dataset.
        thumb_name: What the maker calls the thumbnail.
        created_at: Aware UTC, whole milliseconds.
        last_modified_at: Aware UTC, whole milliseconds; grows strictly.
        documents: Its free JSON, metadata as it was given.
        measured: What the server found in the bytes, for what was not given.
    """

    id: SampleId
    dataset_id: DatasetId
    index: int
    kind: SampleKind
    file_name: str
    thumb_name: str | None
    created_at: datetime
    last_modified_at: datetime
    documents: Documents
    measured: Documents = Documents()


@dataclass(frozen=True, slots=True)
class SampleName:
    """A sample with its file name alone, for the lists that need no more.

    Args:
        id: 24 hex digits.
        file_name: None where only ids were asked for.
    """

    id: SampleId
    file_name: str | None = None


@dataclass(frozen=True, slots=True)
class SampleList:
    """Which samples a list holds, decided and allowed.

    Args:
        dataset_id: Whose samples.
        part: How much of each.
        order: In which order.
        file_name: Only the sample of exactly this name.
        limit: How many at most; None for all.
        offset: How many to leave out first.
    """

    dataset_id: DatasetId
    part: Part = Part.FULL
    order: SampleOrder = SampleOrder.INDEX
    file_name: str | None = None
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What is known of one rendition's bytes.

    Args:
        size_bytes: Length.
        etag: Quoted entity tag of the store.
        media_type: Recognised from the first bytes.
        uploaded_at: When they were stored, aware UTC.
    """

    size_bytes: int
    etag: str
    media_type: str
    uploaded_at: datetime


class ByteState(StrEnum):
    """Where the bytes of a sample are."""

    MISSING = "missing"
    STORED = "stored"
    UNDECODABLE = "undecodable"


@dataclass(frozen=True, slots=True)
class SampleBytes:
    """A sample with the state of its bytes.

    Args:
        id: Of the sample.
        file_name: Of the sample.
        state: Never came, are stored, or are stored and show no picture.
        is_measured: Whether the server has looked into them.
        size_bytes: None while they are missing.
        problem: Why they show no picture.
    """

    id: SampleId
    file_name: str
    state: ByteState
    is_measured: bool
    size_bytes: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class ByteCounts:
    """How many samples of a dataset are in which state; `waiting` ones are stored and not looked into yet."""

    missing: int
    stored: int
    undecodable: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server found in the bytes of a sample.

    Args:
        etag: Of the bytes that were looked into.
        problem: Why they show no picture; then nothing else is known.
        sha256: Of the bytes.
        perceptual_hash: 64 bits, signed.
        size_px: Width and height as stored.
        format: E.g. ``JPEG``.
        bit_depth: Of one channel.
        channels: As stored.
        metadata: Numbers, as clients would have sent them.
        exif: Tags by name.
    """

    etag: str
    problem: str | None = None
    sha256: str | None = None
    perceptual_hash: int | None = None
    size_px: tuple[int, int] | None = None
    format: str | None = None
    bit_depth: int | None = None
    channels: int | None = None
    metadata: JsonText | None = None
    exif: JsonText | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """A named subset of a dataset's samples.

    Args:
        id: 24 hex digits.
        dataset_id: Whose samples.
        previous_id: The tag that this one was made from; None for the initial one.
        query_id: The tag that candidates came from.
        preselected_id: The tag that was chosen before.
        name: Unique in the dataset.
        mask: Bit k stands for the sample with index k.
        total: Number of samples when the tag was last sized.
        changes: Free JSON of whoever made it.
        run_id: Of the run that made it.
        created_at: Aware UTC, whole milliseconds.
        last_modified_at: Aware UTC, whole milliseconds.
    """

    id: TagId
    dataset_id: DatasetId
    previous_id: TagId | None
    query_id: TagId | None
    preselected_id: TagId | None
    name: str
    mask: int
    total: int
    changes: Any
    run_id: str | None
    created_at: datetime
    last_modified_at: datetime


@dataclass(frozen=True, slots=True)
class NewTag:
    """What is said of a tag when it is made."""

    name: str
    previous_id: TagId | None
    mask: int = 0
    query_id: TagId | None = None
    preselected_id: TagId | None = None
    creator: str | None = None
    changes: Any = None
    run_id: str | None = None


class MaskOperation(StrEnum):
    """What two masks are made into one by."""

    UNION = "union"
    INTERSECTION = "intersection"
    DIFFERENCE = "difference"


class ProjectionMethod(StrEnum):
    """How embeddings are laid out on a plane."""

    PCA = "pca"
    TSNE = "tsne"
    UMAP = "umap"


@dataclass(frozen=True, slots=True)
class SampleQuestion:
    """Which samples are looked for; what is empty leaves a thing open.

    Args:
        name: In the file name, in upper or lower case.
        field: A document and its keys, e.g. ``metaData.sharpness``; alone: the samples that have it.
        low: The field is a number and at least this.
        high: The field is a number and at most this.
        text: In the field, in upper or lower case.
    """

    name: str = ""
    field: str = ""
    low: float | None = None
    high: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Embedding:
    """Vectors of a dataset's samples, uploaded as one CSV.

    Args:
        id: 24 hex digits.
        dataset_id: Whose samples.
        name: Unique in the dataset.
        is_processed: Whether the CSV came and has been read.
        dimensions: Numbers of one vector; None until the CSV has been read.
        n_rows: Samples with a vector; None until the CSV has been read.
        is_searchable: Whether similar samples can be asked for.
        problem: What is wrong with the CSV.
        created_at: Aware UTC, whole milliseconds.
    """

    id: EmbeddingId
    dataset_id: DatasetId
    name: str
    is_processed: bool
    dimensions: int | None
    n_rows: int | None
    is_searchable: bool
    problem: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Projection:
    """Embeddings laid out on a plane; the n-th numbers belong to the sample with the n-th index."""

    id: str
    embedding_id: EmbeddingId
    method: ProjectionMethod
    x: Sequence[float]
    y: Sequence[float]
    sample_indexes: Sequence[int]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MetadataConfiguration:
    """Which paths into the custom metadata of a dataset are shown, and how."""

    id: str
    name: str
    entries: Sequence[Mapping[str, Any]]
    created_at: datetime
    last_modified_at: datetime


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where the images of a dataset lie outside of Quadrat. Secrets of it are never stored.

    Args:
        id: 24 hex digits.
        kind: The wire's word for the provider.
        purpose: The wire's word.
        full_path: Bucket or folder with the path in it.
        settings: What else was said of it, secrets left out.
    """

    id: str
    kind: str
    purpose: str
    full_path: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PublicLink:
    """A token that opens the images of one dataset for reading, and nothing else, in its maker's name.

    Args:
        id: 24 hex digits.
        dataset_id: What it opens.
        created_at: When.
        expires_at: None for one without an end.
    """

    id: str
    dataset_id: DatasetId
    created_at: datetime
    expires_at: datetime | None
