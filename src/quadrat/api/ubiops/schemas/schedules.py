"""Wire models of scheduled requests."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, StrictInt


class ScheduleUpdate(BaseModel):
    """What changes; what is left out or null stays. The object cannot be changed."""

    name: str | None = None
    schedule: str | None = None
    request_data: Any = None
    batch: bool | None = None
    timeout: StrictInt | None = None
    enabled: bool | None = None


class ScheduleCreate(BaseModel):
    """A request to be made again and again; a model needs a version."""

    name: str
    object_type: str
    object_name: str
    version: str | None = None
    schedule: str
    request_data: Any = None
    batch: bool | None = None
    timeout: StrictInt | None = None
    enabled: bool | None = None


class ScheduleList(BaseModel):
    """A scheduled request; the timeout is in seconds."""

    id: str
    name: str
    object_type: str
    object_name: str
    version: str | None = None
    schedule: str
    request_data: Any
    batch: bool
    timeout: int
    enabled: bool
    creation_date: datetime
