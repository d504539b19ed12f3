"""Wire models of datasets."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class DatasetType(StrEnum):
    """What the samples of a dataset are."""

    IMAGES = "Images"
    VIDEOS = "Videos"
    CROPS = "Crops"


class ImageType(StrEnum):
    """Which bytes are stored."""

    FULL = "full"
    THUMBNAIL = "thumbnail"
    META = "meta"


class DatasetCreateRequest(BaseModel):
    """A dataset to be made; other keys are ignored."""

    model_config = ConfigDict(populate_by_name=True)

    name: str
    type: DatasetType | None = None
    img_type: Annotated[ImageType | None, Field(alias="imgType")] = None
    creator: str | None = None
    parent_dataset_id: Annotated[str | None, Field(alias="parentDatasetId", pattern=r"^[a-f0-9]{24}$")] = None


class DatasetUpdateRequest(BaseModel):
    """A new name."""

    name: str


class CreateEntityResponse(BaseModel):
    """What was made."""

    id: str


class DatasetData(BaseModel):
    """A dataset; optional keys are left out where they were never set."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    name: str
    user_id: Annotated[str, Field(alias="userId")]
    access_type: Annotated[str, Field(alias="accessType")]
    type: DatasetType
    img_type: Annotated[ImageType | None, Field(alias="imgType")]
    n_samples: Annotated[int, Field(alias="nSamples")]
    size_in_bytes: Annotated[int, Field(alias="sizeInBytes")]
    parent_dataset_id: Annotated[str | None, Field(alias="parentDatasetId")]
    created_at: Annotated[int, Field(alias="createdAt")]
    last_modified_at: Annotated[int, Field(alias="lastModifiedAt")]
