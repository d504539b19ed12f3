"""Metrics and usage between the wire and the house."""

from uuid import UUID

from quadrat.api.ubiops.convert.times import read_time, to_utc
from quadrat.api.ubiops.schemas.usage import (
    Metrics,
    MetricsQuery,
    UsagePerDay,
    UsagePerDayMetric,
    UsagePerMonth,
    UsagePerMonthMetric,
)
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.actions.usage import Measured, Question, Usage


def to_question(metric: str, query: MetricsQuery) -> Question:
    """What is asked for.

    Raises:
        QuadratError: invalid times; not_found for an id that is none.
    """
    object_id = None
    if query.object_id is not None:
        try:
            object_id = UUID(query.object_id)
        except ValueError as error:
            message = f"There is no {query.object_type} {query.object_id} in this project."
            raise QuadratError(ErrorKind.NOT_FOUND, message, field="object_id") from error
    return Question(
        query.object_type,
        metric,
        query.interval,
        read_time(query.start_time, "start_time"),
        read_time(query.end_time, "end_time"),
        object_id,
    )


def to_metrics(measured: Measured) -> Metrics:
    """One value."""
    return Metrics(start_time=to_utc(measured.start), end_time=to_utc(measured.end), value=measured.value)


def to_usage_per_month(usage: Usage) -> UsagePerMonth:
    """Of one metric."""
    return UsagePerMonth(
        object_type=usage.metric.object_type,
        metric=usage.metric.short,
        usage=[UsagePerMonthMetric(month=to_utc(at), value=amount) for at, amount in usage.amounts],
    )


def to_usage_per_day(usage: Usage) -> UsagePerDay:
    """Of one metric."""
    return UsagePerDay(
        object_type=usage.metric.object_type,
        metric=usage.metric.short,
        usage=[UsagePerDayMetric(day=to_utc(at), value=amount) for at, amount in usage.amounts],
    )
