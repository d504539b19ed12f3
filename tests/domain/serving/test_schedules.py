"""Schedules fire once a minute, whoever looks at the clock."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from quadrat.db.locks import AdvisoryLock, Leadership
from quadrat.serving.actions import requests, schedules
from quadrat.serving.actions.access import VersionPath
from quadrat.serving.actions.pipelines import PipelinePath
from quadrat.serving.actions.schedules import NewSchedule, ScheduleChange
from quadrat.serving.flow.scheduler import Scheduler
from quadrat.serving.schedule_types import Schedule, Timetable
from quadrat.serving.types import RequestFilter
from support.flow import Builder, Flow, run_flow
from support.people import unique
from support.serving import ServingHouse

pytestmark = pytest.mark.anyio

LATER = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=1)


@pytest.fixture
async def flow(serving: ServingHouse) -> AsyncIterator[Flow]:
    async with run_flow(serving) as running:
        yield running


def scheduler_of(flow: Flow) -> Scheduler:
    return Scheduler(flow.house.db, flow.engine, flow.pipelines)


async def plan(
    house: ServingHouse, at: VersionPath | PipelinePath, data: object, *, cron: str = "* * * * *", is_batch: bool = True
) -> Schedule:
    timetable = Timetable(cron, json.dumps(data).encode(), is_batch)
    if isinstance(at, VersionPath):
        new = NewSchedule(unique("s"), "model", at.model, at.version, timetable)
    else:
        new = NewSchedule(unique("s"), "pipeline", at.pipeline, None, timetable)
    async with house.db.begin() as tx:
        return await schedules.create_schedule(tx, house.caller, house.project.name, new)


async def made(house: ServingHouse, path: VersionPath) -> list[UUID]:
    async with house.db.begin() as tx:
        page = await requests.list_requests(tx, house.caller, path, RequestFilter(), (0, 50), newest_first=False)
    return [item.id for item in page]


async def test_schedule_makes_a_batch_request_each_minute(serving: ServingHouse, flow: Flow):
    path = await serving.serve()
    await plan(serving, path, "tick")
    scheduler = scheduler_of(flow)
    for minute in (LATER, LATER + timedelta(minutes=1)):
        await scheduler.fire(minute)
    ids = await made(serving, path)
    assert [item.result for item in await serving.finished(path, ids)] == [b'"tick"', b'"tick"']


async def test_minute_fires_once_however_many_try(serving: ServingHouse, flow: Flow):
    path = await serving.serve()
    await plan(serving, path, "tick")
    await asyncio.gather(*(scheduler_of(flow).fire(LATER) for _ in range(8)))
    # As after a restart.
    await scheduler_of(flow).fire(LATER)
    assert len(await made(serving, path)) == 1


async def test_schedule_fires_only_in_its_minutes(serving: ServingHouse, flow: Flow):
    path = await serving.serve()
    await plan(serving, path, "tick", cron="30 6 * * 0")
    sunday = datetime(2031, 1, 5, tzinfo=UTC)
    assert sunday.weekday() == 6
    for hour, minute, day in ((6, 29, 0), (6, 30, 1), (18, 30, 0)):
        await scheduler_of(flow).fire(sunday + timedelta(days=day, hours=hour, minutes=minute))
    assert await made(serving, path) == []
    await scheduler_of(flow).fire(sunday + timedelta(hours=6, minutes=30))
    assert len(await made(serving, path)) == 1


async def test_new_and_disabled_schedules_do_not_fire(serving: ServingHouse, flow: Flow):
    path = await serving.serve()
    found = await plan(serving, path, "tick")
    await scheduler_of(flow).fire(datetime.now(UTC).replace(second=0, microsecond=0))
    async with serving.db.begin() as tx:
        change = ScheduleChange(is_enabled=False)
        await schedules.update_schedule(tx, serving.caller, serving.project.name, found.name, change)
    await scheduler_of(flow).fire(LATER)
    assert await made(serving, path) == []


async def test_direct_schedule_runs_now_and_says_so(serving: ServingHouse, flow: Flow):
    source = "class Model:\n    def request(self, data):\n        print('ran', data)\n        return data\n"
    path = await serving.serve(source)
    await plan(serving, path, "tick", is_batch=False)
    await scheduler_of(flow).fire(LATER)

    async def lines() -> list[str]:
        async with serving.db.begin() as tx:
            found = (await tx.execute(text("SELECT text FROM serving.log ORDER BY id"))).scalars().all()
        return [line for line in found if line == "ran tick" or "it succeeded" in line]

    async def both() -> bool:
        return len(await lines()) == 2

    await serving.until(both)
    assert await made(serving, path) == []


async def test_schedule_of_a_pipeline_makes_its_requests(serving: ServingHouse, flow: Flow):
    build = Builder(serving)
    path = await build.chain(await serving.serve())
    await plan(serving, path, "tick")
    await plan(serving, path, "tock", is_batch=False)
    await scheduler_of(flow).fire(LATER)

    async def ended() -> bool:
        async with serving.db.begin() as tx:
            query = text("SELECT count(*) FROM serving.pipeline_request WHERE state = 'completed'")
            lines = text("SELECT count(*) FROM serving.log WHERE text LIKE '%it succeeded%'")
            return ((await tx.execute(query)).scalar_one(), (await tx.execute(lines)).scalar_one()) == (1, 1)

    await serving.until(ended)


async def test_schedule_whose_request_cannot_be_made_says_why(serving: ServingHouse, flow: Flow):
    build = Builder(serving)
    path = await build.pipeline()
    await plan(serving, path, "tick")
    await scheduler_of(flow).fire(LATER)

    async def told() -> bool:
        async with serving.db.begin() as tx:
            query = text("SELECT count(*) FROM serving.log WHERE text LIKE '%Nothing is attached%'")
            return bool((await tx.execute(query)).scalar_one())

    await serving.until(told)


async def test_one_leads_and_another_takes_over(serving: ServingHouse):
    first, second = (Leadership(serving.db.dsn, AdvisoryLock.SCHEDULER) for _ in range(2))
    assert [await first.is_held(), await second.is_held(), await first.is_held()] == [True, False, True]
    async with serving.db.begin() as tx:
        # As when the leader's machine is gone.
        await tx.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 3 AND granted")
        )

    async def taken_over() -> bool:
        return await second.is_held()

    await serving.until(taken_over)
    assert not await first.is_held()
    await first.resign()
    await second.resign()
