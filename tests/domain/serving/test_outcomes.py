"""Those who want to know are told of every request once, and of every instance twice."""

import time
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Select, func, select, text

from quadrat.runner.base import Runner
from quadrat.serving.outcomes import InstanceChange, Outcome
from quadrat.serving.tables import direct_request, log
from quadrat.serving.types import RequestState
from support.serving import TIMING, Engine, ServingHouse, run_engine, wait_until

pytestmark = pytest.mark.anyio

MODEL = """
import time

class Model:
    def request(self, data):
        if data == "fail":
            raise ValueError("as asked")
        time.sleep(0.05)
        return data * 2
"""
TELLING = """
class Model:
    def request(self, data):
        print("asked")
        return data
"""
PAUSE_S = 0.25  # between two blocks of rows


class Audience:
    """Remembers what it is told."""

    def __init__(self, engine: Engine) -> None:
        self.requests: list[Outcome] = []
        self.instances: list[InstanceChange] = []
        engine.engine.observers.subscribe(on_request=self.requests.append, on_instance=self.instances.append)


async def test_direct_request_is_told_with_times_and_sizes(serving: ServingHouse, engine: Engine):
    path = await serving.serve(MODEL)
    audience = Audience(engine)
    await engine.ask(path, b'"ab"')
    (outcome,) = audience.requests
    version = await serving.version(path)
    assert (outcome.deployment.version_id, outcome.batch, outcome.state) == (version.id, False, RequestState.COMPLETED)
    assert (outcome.input_bytes, outcome.output_bytes, outcome.answer.result) == (4, 6, b'"abab"')
    assert outcome.started_at is not None
    assert outcome.queued_at <= outcome.started_at <= outcome.finished_at
    assert 0.05e9 <= outcome.compute_ns <= outcome.finished_ns - outcome.queued_ns


async def test_request_that_fails_is_told_with_its_reason(serving: ServingHouse, engine: Engine):
    path = await serving.serve(MODEL)
    audience = Audience(engine)
    await engine.ask(path, b'"fail"')
    (outcome,) = audience.requests
    assert (outcome.state, outcome.answer.error_message) == (RequestState.FAILED, "as asked")
    assert outcome.output_bytes == 0


async def test_batch_requests_are_told_once_each_after_their_results_are_recorded(
    serving: ServingHouse, engine: Engine
):
    path = await serving.serve(MODEL, maximum_instances=2)
    audience = Audience(engine)
    ids = await serving.submit(path, *[b'"x"', b'"fail"'] * 3)
    await serving.finished(path, ids)
    await wait_until(lambda: len(audience.requests) == len(ids))
    told: dict[UUID, Outcome] = {outcome.request_id: outcome for outcome in audience.requests}
    assert sorted(told) == ids
    assert all(outcome.batch and outcome.queued_at <= outcome.finished_at for outcome in told.values())
    assert [told[id_].state for id_ in ids] == [RequestState.COMPLETED, RequestState.FAILED] * 3


async def test_instance_is_told_when_it_is_ready_and_when_it_has_ended(serving: ServingHouse, runner: Runner):
    path = await serving.serve(MODEL)
    async with run_engine(serving, TIMING) as engine:
        audience = Audience(engine)
        await engine.ask(path, b'"a"')
        await engine.ask(path, b'"a"')
        assert [change.running for change in audience.instances] == [True]
    began, ended = audience.instances
    assert (began.instance_id, ended.running) == (ended.instance_id, False)
    assert began.deployment.version_name == path.version
    assert began.at < ended.at


async def test_direct_requests_without_pause_are_recorded_a_few_times_a_second(serving: ServingHouse, engine: Engine):
    path = await serving.serve(TELLING)
    began, many, took_s = time.monotonic(), 0, 0.0
    while took_s < 4 * PAUSE_S:
        await engine.ask(path, b'"x"')
        many, took_s = many + 1, time.monotonic() - began
    most_blocks = took_s / PAUSE_S + 2
    for rows in (select(direct_request.c.id), select(log.c.id).where(log.c.request_id.is_not(None))):
        assert await serving.until(lambda rows=rows: _blocks(serving, rows, many)) <= most_blocks


async def _blocks(serving: ServingHouse, rows: Select[Any], many: int) -> int | None:
    """In how many transactions they were written, once all are there: what was written together has one number."""
    numbered = rows.add_columns(text("xmin::text AS written")).subquery()
    async with serving.db.begin() as tx:
        found, blocks = (
            await tx.execute(select(func.count(), func.count(text("DISTINCT written"))).select_from(numbered))
        ).one()
    return blocks if found == many else None


async def test_observer_that_fails_disturbs_nobody(serving: ServingHouse, engine: Engine):
    path = await serving.serve(MODEL)

    def fail(outcome: Outcome) -> None:
        raise RuntimeError("my own fault")

    engine.engine.observers.subscribe(on_request=fail)
    audience = Audience(engine)
    assert (await engine.ask(path, b'"a"')).success
    assert len(audience.requests) == 1
