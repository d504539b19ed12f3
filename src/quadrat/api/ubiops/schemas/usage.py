"""Wire models of metrics, usage and resource counts."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, PlainSerializer

from quadrat.serving.rules.metrics import Grain


def _with_offset(at: datetime) -> str:
    return at.isoformat()


OffsetTime = Annotated[datetime, PlainSerializer(_with_offset, return_type=str)]
"""A time with ``+00:00`` at its end."""


class MetricsQuery(BaseModel):
    """Which values of a metric; without an object all of its type together."""

    start_time: str
    end_time: str
    object_type: str
    interval: Grain = Grain.HOUR
    object_id: str | None = None


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
