"""Metrics and usage between the wire and the house."""

from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.usage import (
    Metrics,
    MetricsQuery,
    UsagePerDay,
    UsagePerDayMetric,
    UsagePerMonth,
    UsagePerMonthMetric,
)
from quadrat.serving.actions.usage import Measured, Question, Usage


def to_question(metric: str, query: MetricsQuery) -> Question:
    """What is asked for."""
    return Question(query.object_type, metric, query.interval, query.start_time, query.end_time, query.object_id)


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
