"""Wire models of samples. Free JSON is taken as it is; the answers are made by `convert` without a model."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

FreeJson = dict[str, Any]


class SampleType(StrEnum):
    """What a sample is, decided by the server."""

    IMAGE = "IMAGE"
    VIDEO_FRAME = "VIDEO_FRAME"
    CROP = "CROP"


class SampleSortBy(StrEnum):
    """Orders of a list."""

    ID = "_id"
    INDEX = "index"


class SamplePartialMode(StrEnum):
    """How much of each sample a partial list holds."""

    IDS = "ids"
    FILE_NAMES = "fileNames"
    FULL = "full"


class MappingField(StrEnum):
    """What a mapping lists of each sample."""

    ID = "_id"
    FILE_NAME = "fileName"


class Rendition(StrEnum):
    """Which bytes an address is for."""

    FULL = "full"
    THUMBNAIL = "thumbnail"


class _SampleRequest(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    thumb_name: Annotated[str | None, Field(alias="thumbName")] = None
    exif: FreeJson | None = None
    meta_data: Annotated[FreeJson | None, Field(alias="metaData")] = None
    custom_meta_data: Annotated[FreeJson | None, Field(alias="customMetaData")] = None


class SampleCreate(msgspec.Struct, rename="camel", frozen=True):
    """A sample to be made; other keys are ignored."""

    file_name: str
    thumb_name: str | None = None
    exif: FreeJson | None = None
    meta_data: FreeJson | None = None
    custom_meta_data: FreeJson | None = None
    video_frame_data: FreeJson | None = None
    crop_data: FreeJson | None = None


class SampleUpdateRequest(_SampleRequest):
    """What is to be replaced; a key that is absent or null stays as it is."""

    file_name: Annotated[str | None, Field(alias="fileName")] = None


class CropData(BaseModel):
    """Where a crop was cut out. All keys are needed."""

    model_config = ConfigDict(populate_by_name=True)

    parent_id: Annotated[str, Field(alias="parentId", pattern=r"^[a-f0-9]{24}$")]
    prediction_uuid_timestamp: Annotated[int, Field(alias="predictionUUIDTimestamp", ge=0)]
    prediction_index: Annotated[int, Field(alias="predictionIndex", ge=0)]
    prediction_task_name: Annotated[str, Field(alias="predictionTaskName", pattern=r"^[a-zA-Z0-9_+=,.@:\/-]*$")]
    prediction_task_category_id: Annotated[int, Field(alias="predictionTaskCategoryId", ge=0)]
    prediction_task_score: Annotated[float, Field(alias="predictionTaskScore", ge=0, le=1)]


class VideoFrameData(BaseModel):
    """Where a frame comes from. All keys are optional."""

    model_config = ConfigDict(populate_by_name=True)

    source_video: Annotated[str | None, Field(alias="sourceVideo")] = None
    source_video_frame_index: Annotated[float | None, Field(alias="sourceVideoFrameIndex")] = None
    source_video_frame_timestamp: Annotated[float | None, Field(alias="sourceVideoFrameTimestamp")] = None


class SampleName(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sample in the lists of ids or file names; a million of them are one answer."""

    id: str
    file_name: str | None = msgspec.field(default=None, name="fileName")


class SampleWriteUrls(BaseModel):
    """Both addresses of one sample."""

    full: str
    thumb: str
