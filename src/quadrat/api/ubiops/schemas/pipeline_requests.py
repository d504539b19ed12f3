"""Wire models of requests of pipelines; they document the answers, which are made as plain values."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from quadrat.serving.types import RequestState


class PipelineRequestModelRequest(BaseModel):
    """What one object has made; without an id when the request could not be made."""

    request_id: UUID | None
    pipeline_object: str
    success: bool
    request_data: Any
    result: Any
    error_message: str | None


class PipelineRequestList(BaseModel):
    """The outcome of a direct request, in the order in which the objects ended."""

    project: str
    pipeline: str
    pipeline_request_id: UUID
    model_requests: list[PipelineRequestModelRequest]


class BatchPipelineRequestModelRequest(BaseModel):
    """What one object has made of a batch request."""

    id: UUID | None
    pipeline_object: str
    success: bool
    time_created: datetime
    time_last_updated: datetime
    request_data: Any
    result: Any
    error_message: str | None


class BatchPipelineRequestResultList(BaseModel):
    """A batch request; its model requests are empty until all have ended."""

    id: UUID
    status: RequestState
    success: bool
    time_created: datetime
    time_last_updated: datetime
    request_data: dict[str, Any]
    model_requests: list[BatchPipelineRequestModelRequest]
    error_message: str | None
