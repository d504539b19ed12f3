"""Wire models of tags and of what is exported of them."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from quadrat.api.lightly.schemas.datasets import ImageType

OBJECT_ID = r"^[a-f0-9]{24}$"
Id = Annotated[str, Field(pattern=OBJECT_ID)]
_BY_ALIAS = ConfigDict(populate_by_name=True)


class TagArithmeticsOperation(StrEnum):
    """What two tags are made into one by."""

    UNION = "UNION"
    INTERSECTION = "INTERSECTION"
    DIFFERENCE = "DIFFERENCE"


class FileNameFormat(StrEnum):
    """How an export names a sample."""

    NAME = "NAME"
    DATASOURCE_FULL = "DATASOURCE_FULL"
    REDIRECTED_READ_URL = "REDIRECTED_READ_URL"


class FileOutputFormat(StrEnum):
    """How an export is written."""

    JSON = "JSON"
    PLAIN = "PLAIN"


class InitialTagCreateRequest(BaseModel):
    """The first tag. Its name is always the one that clients look for."""

    model_config = _BY_ALIAS

    img_type: Annotated[ImageType, Field(alias="imgType")]
    name: str | None = None
    creator: str | None = None
    run_id: Annotated[Id | None, Field(alias="runId")] = None


class TagCreateRequest(BaseModel):
    """A tag made from another one."""

    model_config = _BY_ALIAS

    name: str
    prev_tag_id: Annotated[Id, Field(alias="prevTagId")]
    bit_mask_data: Annotated[str, Field(alias="bitMaskData")]
    tot_size: Annotated[int, Field(alias="totSize")]
    query_tag_id: Annotated[Id | None, Field(alias="queryTagId")] = None
    preselected_tag_id: Annotated[Id | None, Field(alias="preselectedTagId")] = None
    creator: str | None = None
    changes: Any = None
    run_id: Annotated[Id | None, Field(alias="runId")] = None


class TagUpdateRequest(BaseModel):
    """A new name."""

    name: str


class TagUpsizeRequest(BaseModel):
    """A tag for the samples that came since."""

    model_config = _BY_ALIAS

    upsize_tag_name: Annotated[str, Field(alias="upsizeTagName")]
    upsize_tag_creator: Annotated[str, Field(alias="upsizeTagCreator")]
    run_id: Annotated[Id | None, Field(alias="runId")] = None


class TagArithmeticsRequest(BaseModel):
    """Two tags and what to make of them."""

    model_config = _BY_ALIAS

    tag_id1: Annotated[Id, Field(alias="tagId1")]
    tag_id2: Annotated[Id, Field(alias="tagId2")]
    operation: TagArithmeticsOperation
    new_tag_name: Annotated[str | None, Field(alias="newTagName")] = None
    creator: str | None = None
    run_id: Annotated[Id | None, Field(alias="runId")] = None


class TagBitMaskResponse(BaseModel):
    """Samples as a mask."""

    model_config = _BY_ALIAS

    bit_mask_data: Annotated[str, Field(alias="bitMaskData")]
