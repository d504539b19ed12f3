"""Wire models of model versions."""

from datetime import datetime

from pydantic import BaseModel, StrictInt

from quadrat.serving.types import VersionStatus


class ModelVersionUpdate(BaseModel):
    """What changes; what is left out or null stays."""

    version: str | None = None
    language: str | None = None
    memory_allocation: StrictInt | None = None
    maximum_instances: StrictInt | None = None
    minimum_instances: StrictInt | None = None
    maximum_idle_time: StrictInt | None = None
    description: str | None = None


class ModelVersionCreate(ModelVersionUpdate):
    """A version to be made; what is left out or null gets its default."""

    version: str


class ModelVersionList(BaseModel):
    """A version; memory is in MB, idle time in seconds, the error message empty while nothing is wrong."""

    id: str
    model: str
    version: str
    description: str
    language: str
    status: VersionStatus
    error_message: str
    memory_allocation: int
    maximum_instances: int
    minimum_instances: int
    maximum_idle_time: int
    creation_date: datetime
    last_updated: datetime
    file_last_updated: datetime


class Success(BaseModel):
    """It worked."""

    success: bool
