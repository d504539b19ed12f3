"""What the database says after any series of happenings, against a plain count of them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quadrat.db.engine import Database
from quadrat.identity.types import ProjectId
from quadrat.serving.meter import Meter
from quadrat.serving.rules.metrics import Grain, Metric, buckets, floor, following, minutes_of, value
from quadrat.serving.store import metrics as store

START = datetime(2026, 1, 30, 22, 58, tzinfo=UTC)
moments = st.integers(0, 2 * 86_400).map(lambda second: START + timedelta(seconds=second))
happenings = st.lists(
    st.tuples(st.sampled_from(list(Metric)), st.integers(0, 2), st.integers(0, 1000), moments), max_size=60
)


@pytest.fixture(scope="module")
def url(new_migrated_database: Callable[[], str]) -> str:
    return new_migrated_database()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    happened=happenings,
    cuts=st.lists(st.integers(0, 60), max_size=4),
    span=st.tuples(moments, moments),
    grain=st.sampled_from(list(Grain)),
)
def test_metrics_equal_a_plain_count(
    url: str,
    happened: list[tuple[Metric, int, int, datetime]],
    cuts: list[int],
    span: tuple[datetime, datetime],
    grain: Grain,
) -> None:
    objects = [uuid4() for _ in range(3)]
    project_id = ProjectId(uuid4().int >> 70)
    start, end = sorted(span)

    async def check() -> None:
        db = Database(url, pool_size=3)
        try:
            await compare(db)
        finally:
            await db.close()

    async def compare(db: Database) -> None:
        # Two processes count the same things, in blocks of any size, at the same time.
        meters = Meter(db), Meter(db)
        for number, (metric, which, amount, at) in enumerate(happened):
            meters[number % 2].count(project_id, metric, objects[which], amount, at)
            if number in cuts:
                async with anyio.create_task_group() as group:
                    for meter in meters:
                        group.start_soon(meter.flush)
        for meter in meters:
            await meter.flush()
        wanted = (grain, floor(start, grain), end)
        for metric in Metric:
            async with db.begin() as tx:
                total = await store.read(tx, project_id, metric, wanted)
                one = await store.read(tx, project_id, metric, wanted, objects[0])
            assert shown(metric, total, start, end, grain) == counted(happened, metric, start, end, grain, None)
            assert shown(metric, one, start, end, grain) == counted(happened, metric, start, end, grain, 0)

    anyio.run(check)


def shown(metric: Metric, totals: store.Totals, start: datetime, end: datetime, grain: Grain) -> list[float]:
    late = END_OF_TIME
    return [
        round(value(metric, *totals.get(bucket[0], (0.0, 0)), bucket, late), 6) for bucket in buckets(start, end, grain)
    ]


END_OF_TIME = datetime(2030, 1, 1, tzinfo=UTC)


def counted(
    happened: Sequence[tuple[Metric, int, int, datetime]],
    metric: Metric,
    start: datetime,
    end: datetime,
    grain: Grain,
    which: int | None,
) -> list[float]:
    """The slow way: look at everything that happened, for each bucket."""
    result = []
    own = [(amount, moment) for name, item, amount, moment in happened if name is metric and which in (None, item)]
    at = start.replace(second=0)
    at = at.replace(minute=0) if grain is not Grain.MINUTE else at
    at = at.replace(hour=0) if grain in (Grain.DAY, Grain.MONTH) else at
    at = at.replace(day=1) if grain is Grain.MONTH else at
    while at < end:
        if grain is Grain.MONTH:
            next_ = at.replace(month=at.month + 1)
        else:
            next_ = at + {Grain.MINUTE: 1, Grain.HOUR: 60, Grain.DAY: 1440}[grain] * timedelta(minutes=1)
        amounts = [amount for amount, moment in own if at <= moment < next_]
        if metric is Metric.VERSION_COMPUTE_S:
            result.append(round(sum(amounts) / len(amounts), 6) if amounts else 0.0)
        elif metric is Metric.VERSION_INSTANCE_S:
            result.append(round(sum(amounts) / (next_ - at).total_seconds(), 6))
        else:
            result.append(float(sum(amounts)))
        at = next_
    return result


@given(start=moments, seconds=st.floats(0, 100_000, allow_nan=False))
def test_minutes_of_an_interval_add_up_to_it(start: datetime, seconds: float) -> None:
    end = start + timedelta(seconds=seconds)
    parts = list(minutes_of(start, end))
    assert abs(sum(length for _, length in parts) - (end - start).total_seconds()) < 1e-6
    assert len({floor(at, Grain.MINUTE) for at, _ in parts}) == len(parts)
    assert all(0 < length <= 60 for _, length in parts)


@given(at=moments, grain=st.sampled_from(list(Grain)))
def test_buckets_are_aligned_and_hold_their_moments(at: datetime, grain: Grain) -> None:
    begin = floor(at, grain)
    assert begin <= at < following(begin, grain)
    assert floor(following(begin, grain), grain) == following(begin, grain)
