"""Scheduled requests, as the rest of Quadrat passes them around."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from quadrat.identity.types import ProjectId
from quadrat.serving.pipeline_types import PipelineId
from quadrat.serving.types import VersionId

ScheduleId = NewType("ScheduleId", int)


@dataclass(frozen=True, slots=True)
class Timetable:
    """What a user chooses for a schedule.

    Args:
        cron: Five fields, in UTC.
        data: The request data as JSON text.
        is_batch: False for direct requests.
        timeout_s: Of a direct request.
        is_enabled: Whether it fires.
    """

    cron: str
    data: bytes
    is_batch: bool = True
    timeout_s: int = 300
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Schedule:
    """A request that is made again and again, of a version or of a pipeline.

    Args:
        object_name: Name of the model or pipeline.
        object_uuid: Of the model or pipeline.
        version: Name of the version; None for a pipeline.
    """

    id: ScheduleId
    uuid: UUID
    project_id: ProjectId
    name: str
    timetable: Timetable
    version_id: VersionId | None
    pipeline_id: PipelineId | None
    object_name: str
    object_uuid: UUID
    version: str | None
    created_at: datetime
    updated_at: datetime
