"""GB seconds: what a subscription allows in a calendar month."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.meter import Meter
from quadrat.serving.rules.metrics import Metric
from support.serving import Engine, ServingHouse

pytestmark = pytest.mark.anyio


async def limit(serving: ServingHouse, gb_seconds: int | None) -> None:
    async with serving.db.begin() as tx:
        statement = text("UPDATE identity.subscription SET gb_seconds = :limit WHERE name = 'free'")
        assert (await tx.execute(statement, {"limit": gb_seconds})).rowcount == 1


async def use(serving: ServingHouse, amount: float, at: Any = None) -> None:
    meter = Meter(serving.db)
    meter.count(serving.project.id, Metric.VERSION_GB_S, uuid4(), amount, at)
    await meter.flush()


async def test_used_up_month_starts_no_instance_until_the_limit_is_raised(serving: ServingHouse, engine: Engine):
    path = await serving.serve()
    await limit(serving, 1000)
    await use(serving, 5000, now() - timedelta(days=40))
    assert (await engine.ask(path, b'"x"')).success
    other = await serving.serve()
    await use(serving, 1001)
    with pytest.raises(QuadratError, match="1000 GB seconds") as refused:
        await engine.ask(other, b'"x"')
    assert refused.value.kind is ErrorKind.LIMIT_REACHED
    # What runs already goes on.
    assert (await engine.ask(path, b'"x"')).success
    (failed,) = await serving.finished(other, await serving.submit(other, b'"x"'))
    assert "1000 GB seconds" in (failed.error_message or "")
    await limit(serving, 100_000)
    assert (await engine.ask(other, b'"x"')).success


async def test_running_instances_use_their_memory_times_their_life(serving: ServingHouse, engine: Engine):
    await limit(serving, None)
    path = await serving.serve(memory_allocation_mb=512)
    assert (await engine.ask(path, b'"x"')).success
    meter = engine.engine.meter
    query = text(
        "SELECT metric, total FROM serving.metric WHERE grain = 'month'"
        " AND metric IN ('model_version.gb_seconds', 'model_version.active_time')"
    )

    async def measured() -> dict[str, float] | None:
        await meter.flush()
        async with serving.db.begin() as tx:
            found = {row[0]: row[1] for row in await tx.execute(query)}
        return found if found.get("model_version.active_time", 0) > 0.2 else None

    found = await serving.until(measured)
    assert found["model_version.gb_seconds"] == pytest.approx(0.5 * found["model_version.active_time"])
