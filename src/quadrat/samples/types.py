"""Datasets, image samples and what is known of their bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from quadrat.identity.types import ProjectId

DatasetId = NewType("DatasetId", str)
SampleId = NewType("SampleId", str)
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
