"""What is measured of versions, pipelines and connectors, and the spans of time over which it is added up. Pure.

Source: spec of the serving API, section 3.17.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from quadrat.errors import ErrorKind, QuadratError

_MAX_BUCKETS = 100_000


class MeteredType(StrEnum):
    """What has metrics."""

    MODEL_VERSION = "model_version"
    PIPELINE = "pipeline"
    CONNECTOR = "connector"


class Metric(StrEnum):
    """Everything that is counted: the type of the object, and the name under which the API knows it."""

    VERSION_REQUESTS = "model_version.requests"
    VERSION_INPUT_BYTES = "model_version.input_volume"
    VERSION_OUTPUT_BYTES = "model_version.output_volume"
    VERSION_OUTPUTS = "model_version.outputs"
    VERSION_COMPUTE_S = "model_version.compute"
    VERSION_INSTANCE_S = "model_version.instances"
    VERSION_GB_S = "model_version.gb_seconds"
    VERSION_ACTIVE_S = "model_version.active_time"
    PIPELINE_REQUESTS = "pipeline.requests"
    PIPELINE_INPUT_BYTES = "pipeline.input_volume"
    PIPELINE_OBJECT_REQUESTS = "pipeline.object_requests"
    CONNECTOR_REQUESTS = "connector.requests"
    CONNECTOR_BYTES = "connector.volume"

    @property
    def object_type(self) -> MeteredType:
        """Of what."""
        return MeteredType(self.value.partition(".")[0])

    @property
    def short(self) -> str:
        """The name within its type."""
        return self.value.partition(".")[2]


BILLED = (Metric.VERSION_GB_S, Metric.PIPELINE_INPUT_BYTES, Metric.CONNECTOR_BYTES)
"""What usage is told of."""


class Grain(StrEnum):
    """How long a bucket is; buckets are aligned in UTC."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


_LENGTH = {Grain.MINUTE: timedelta(minutes=1), Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}


def find_metric(object_type: str, name: str) -> Metric:
    """The metric of this name.

    Raises:
        QuadratError: invalid.
    """
    known = {metric.short: metric for metric in Metric if metric.object_type == object_type}
    if not known:
        raise QuadratError(
            ErrorKind.INVALID,
            f"The object type is one of: {', '.join(MeteredType)}.",
            field="object_type",
        )
    if name not in known:
        raise QuadratError(
            ErrorKind.INVALID, f"A {object_type} has one of these metrics: {', '.join(sorted(known))}.", field="metric"
        )
    return known[name]


def floor(at: datetime, grain: Grain) -> datetime:
    """The beginning of the bucket that holds the moment."""
    start = at.astimezone(UTC).replace(second=0, microsecond=0)
    if grain is Grain.MINUTE:
        return start
    if grain is Grain.HOUR:
        return start.replace(minute=0)
    start = start.replace(hour=0, minute=0)
    return start if grain is Grain.DAY else start.replace(day=1)


def following(start: datetime, grain: Grain) -> datetime:
    """The beginning of the next bucket."""
    if grain is Grain.MONTH:
        return (start + timedelta(days=31)).replace(day=1)
    return start + _LENGTH[grain]


def months_before(month: datetime, count: int) -> datetime:
    """The first of the month that lies so many months back."""
    number = month.year * 12 + month.month - 1 - count
    return month.replace(year=number // 12, month=number % 12 + 1)


def buckets(start: datetime, end: datetime, grain: Grain) -> list[tuple[datetime, datetime]]:
    """All buckets that begin before the end, from the one that holds the start on: (begin, end) of each.

    Raises:
        QuadratError: invalid, for an end before the start, for too many buckets and beyond the years of the calendar.
    """
    if end < start:
        raise QuadratError(ErrorKind.INVALID, "The end time is before the start time.", field="end_time")
    length = _LENGTH.get(grain, timedelta(days=28))
    if (end - start) / length > _MAX_BUCKETS:
        raise QuadratError(
            ErrorKind.INVALID, f"More than {_MAX_BUCKETS} values: choose a longer interval.", field="interval"
        )
    try:
        return list(_buckets(floor(start, grain), end, grain))
    except OverflowError as error:
        raise QuadratError(ErrorKind.INVALID, "The calendar ends there.", field="end_time") from error


def _buckets(begin: datetime, end: datetime, grain: Grain) -> Iterator[tuple[datetime, datetime]]:
    while begin < end:
        next_ = following(begin, grain)
        yield begin, next_
        begin = next_


def minutes_of(start: datetime, end: datetime) -> Iterator[tuple[datetime, float]]:
    """How an interval falls into minutes: a moment in each, and the seconds in it."""
    while start < end:
        stop = min(end, following(floor(start, Grain.MINUTE), Grain.MINUTE))
        yield start, (stop - start).total_seconds()
        start = stop


def value(metric: Metric, total: float, times: int, bucket: tuple[datetime, datetime], now: datetime) -> float:
    """What a bucket shows: a sum; of compute time the mean, of instances the mean number over the time so far."""
    if metric is Metric.VERSION_COMPUTE_S:
        return total / times if times else 0.0
    if metric is Metric.VERSION_INSTANCE_S:
        begin, end = bucket
        seconds = (min(end, max(now, begin)) - begin).total_seconds()
        return total / seconds if seconds > 0 else 0.0
    return total
