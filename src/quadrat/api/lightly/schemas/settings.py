"""Wire models of what is said of a dataset as a whole."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

_BY_ALIAS = ConfigDict(populate_by_name=True)


class ConfigurationValueDataType(StrEnum):
    """What a path of the custom metadata holds."""

    NUMERIC_INT = "NUMERIC_INT"
    NUMERIC_FLOAT = "NUMERIC_FLOAT"
    CATEGORICAL_STRING = "CATEGORICAL_STRING"
    CATEGORICAL_INT = "CATEGORICAL_INT"
    CATEGORICAL_BOOLEAN = "CATEGORICAL_BOOLEAN"
    CATEGORICAL_DATETIME = "CATEGORICAL_DATETIME"
    CATEGORICAL_TIMESTAMP = "CATEGORICAL_TIMESTAMP"
    OTHER_STRING = "OTHER_STRING"


class ConfigurationEntry(BaseModel):
    """One path into the custom metadata, in dot notation."""

    model_config = _BY_ALIAS

    name: Annotated[str, Field(min_length=1)]
    path: Annotated[str, Field(min_length=1)]
    default_value: Annotated[Any, Field(alias="defaultValue")]
    value_data_type: Annotated[ConfigurationValueDataType, Field(alias="valueDataType")]


class ConfigurationSetRequest(BaseModel):
    """Which paths are shown."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    configs: list[ConfigurationEntry]


class ConfigurationData(BaseModel):
    """A metadata configuration."""

    model_config = _BY_ALIAS

    id: str
    name: str
    configs: list[ConfigurationEntry]
    created_at: Annotated[int, Field(alias="createdAt")]
    last_modified_at: Annotated[int, Field(alias="lastModifiedAt")]


class JobStatusMeta(BaseModel):
    """How far an upload is, as its client says."""

    model_config = _BY_ALIAS

    total: Annotated[int, Field(ge=0)]
    processed: Annotated[int, Field(ge=0)]
    upload_method: Annotated[str | None, Field(alias="uploadMethod")] = None
    is_registered: Annotated[bool | None, Field(alias="isRegistered")] = None


class UploadState(StrEnum):
    """Where the bytes of a sample are."""

    MISSING = "missing"
    STORED = "stored"
    UNDECODABLE = "undecodable"


class SampleUpload(BaseModel):
    """A sample with the state of its bytes; `problem` says why they show no picture."""

    model_config = _BY_ALIAS

    sample_id: Annotated[str, Field(alias="sampleId")]
    file_name: Annotated[str, Field(alias="fileName")]
    state: UploadState
    is_measured: Annotated[bool, Field(alias="isMeasured")]
    size_in_bytes: Annotated[int | None, Field(alias="sizeInBytes")]
    problem: str | None


class UploadSummary(BaseModel):
    """How many samples are in which state; `waiting` of them the server has still to look into."""

    missing: int
    stored: int
    undecodable: int
    waiting: int


class PublicTokenData(BaseModel):
    """A public token without its secret."""

    model_config = _BY_ALIAS

    id: str
    created_at: Annotated[int, Field(alias="createdAt")]
    expires_at: Annotated[int | None, Field(alias="expiresAt")]
