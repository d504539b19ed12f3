"""Wire models of direct and batch requests.

They document the answers. `convert.requests` makes these as plain values, since request data and results travel as the
JSON text that they came as.
"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field

from quadrat.api.ubiops.times import read_time
from quadrat.serving.types import RequestState


class RequestListQuery(BaseModel):
    """Which batch requests to list, and in which direction of their creation.

    The times are of this house: made at the start or later, and before the end.
    """

    status: RequestState | None = None
    success: bool | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    sort: Literal["asc", "desc"] = "desc"
    start_time: Annotated[datetime | None, BeforeValidator(partial(read_time, field="start_time"))] = None
    end_time: Annotated[datetime | None, BeforeValidator(partial(read_time, field="end_time"))] = None


class ModelRequestList(BaseModel):
    """The outcome of a direct request; ``result`` is null without success, ``error_message`` with it."""

    request_id: UUID
    success: bool
    result: Any
    error_message: str | None


class ModelRequestDetail(BaseModel):
    """What is known of a request, direct or batch; times are null until they have come, sizes in bytes."""

    id: UUID
    model: str
    version: str
    batch: bool
    status: RequestState
    success: bool
    error_message: str | None
    time_created: datetime
    time_started: datetime | None
    time_completed: datetime | None
    input_size: int
    output_size: int


class BatchModelRequestCreateResponse(BaseModel):
    """A batch request that has been accepted."""

    id: UUID
    status: RequestState
    time_created: datetime


class BatchModelRequestListResponse(BaseModel):
    """A batch request in a list; ``success`` is false until it has completed."""

    id: UUID
    status: RequestState
    success: bool
    time_created: datetime
    time_last_updated: datetime


class BatchModelRequestResultList(BaseModel):
    """A batch request with its data; ``result`` is null unless it has completed."""

    id: UUID
    status: RequestState
    success: bool
    time_created: datetime
    time_last_updated: datetime
    request_data: Any
    result: Any
    error_message: str | None
