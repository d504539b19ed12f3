"""Wire models of metrics, usage and resource counts."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, PlainSerializer

from quadrat.api.ubiops.times import read_time
from quadrat.serving.rules.metrics import Grain, MeteredType


def _with_offset(at: datetime) -> str:
    return at.isoformat()


OffsetTime = Annotated[datetime, PlainSerializer(_with_offset, return_type=str)]
"""A time with ``+00:00`` at its end."""


class MetricsQuery(BaseModel):
    """Which values of a metric; without an object all of its type together."""

    start_time: Annotated[datetime, BeforeValidator(partial(read_time, field="start_time"))]
    end_time: Annotated[datetime, BeforeValidator(partial(read_time, field="end_time"))]
    object_type: MeteredType
    interval: Grain = Grain.HOUR
    object_id: UUID | None = None


class Metrics(BaseModel):
    """The value of a metric over one interval."""

    start_time: OffsetTime
    end_time: OffsetTime
    value: float


class UsagePerMonthMetric(BaseModel):
    """What was used in one month."""

    month: datetime
    value: float


class UsagePerMonth(BaseModel):
    """What was used of one metric."""

    object_type: str
    metric: str
    usage: list[UsagePerMonthMetric]


class UsagePerDayMetric(BaseModel):
    """What was used on one day."""

    day: datetime
    value: float


class UsagePerDay(BaseModel):
    """What was used of one metric."""

    object_type: str
    metric: str
    usage: list[UsagePerDayMetric]


class ProjectResourceUsage(BaseModel):
    """How many there are in a project."""

    models: int
    versions: int
    connectors: int
    pipelines: int


class ResourceUsage(ProjectResourceUsage):
    """How many there are in an organization."""

    projects: int
    users: int
