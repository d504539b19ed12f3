"""Requests of pipelines between the wire and the house."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from quadrat.api.ubiops.convert.contents import to_value
from quadrat.api.ubiops.convert.requests import to_list_response
from quadrat.api.ubiops.convert.times import to_utc
from quadrat.serving.pipeline_types import Pipeline, PipelineRequest, Plan, StepRun
from quadrat.serving.types import BatchRequestSummary, DataKind

_encode = msgspec.json.Encoder().encode


def to_pipeline_request_list(plan: Plan, request_id: UUID, runs: Sequence[StepRun]) -> bytes:
    """The body of a direct request's answer: runs in the order in which they ended."""
    return _encode(
        {
            "project": plan.project_name,
            "pipeline": plan.pipeline.name,
            "pipeline_request_id": request_id,
            "model_requests": [
                {
                    "request_id": run.request_id,
                    "pipeline_object": run.object_name,
                    "success": run.success,
                    **_data_of(run),
                }
                for run in runs
            ],
        }
    )


def to_pipeline_result_list(pipeline: Pipeline, request: PipelineRequest) -> dict[str, Any]:
    """`BatchPipelineRequestResultList`; a plain text travels in an object, as the client reads nothing else."""
    data: Any = to_value(request.data)
    summary = BatchRequestSummary(request.id, request.state, request.created_at, request.updated_at)
    return {
        **to_list_response(summary),
        "request_data": {"data": data} if pipeline.input.kind is DataKind.PLAIN else data,
        "model_requests": [
            {
                "id": run.request_id,
                "pipeline_object": run.object_name,
                "success": run.success,
                "time_created": to_utc(run.started_at),
                "time_last_updated": to_utc(run.finished_at),
                **_data_of(run),
            }
            for run in request.runs
            if run.is_model
        ],
        "error_message": request.error_message,
    }


def _data_of(run: StepRun) -> dict[str, Any]:
    return {
        "request_data": to_value(run.data),
        "result": to_value(run.result),
        "error_message": run.error_message,
    }
