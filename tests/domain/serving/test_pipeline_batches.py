"""Batch requests of pipelines: nothing is lost, and what has been finished is not run again."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

from quadrat.base.clock import now
from quadrat.db.engine import unavailable
from quadrat.errors import ErrorKind, QuadratError
from quadrat.runner.base import Runner
from quadrat.serving.actions import pipeline_requests, pipelines
from quadrat.serving.actions.packages import clean_later
from quadrat.serving.actions.pipelines import PipelineChange
from quadrat.serving.dispatcher import BatchTiming
from quadrat.serving.files import SPILL_BYTES
from quadrat.serving.housekeeping import RESULTS_KEPT, Housekeeper
from quadrat.serving.pipeline_types import START
from quadrat.serving.rules.blobs import payload_key
from quadrat.serving.tables import payload
from quadrat.serving.tables import pipeline_request as request
from quadrat.serving.types import DataKind, Deployment, Field, FieldType, RequestState, VersionId
from support.flow import NUMBER, Builder, Flow, run_flow
from support.serving import GATED, TIMING, Gates, ServingHouse, model_processes, wait_until

pytestmark = pytest.mark.anyio

PLUS_ONE = "class Model:\n    def request(self, data):\n        return {'number': data['number'] + 1}\n"
PICKY = "class Model:\n    def request(self, data):\n        return {'number': 1 / (data['number'] - 2)}\n"

# Counts its runs in files, and hands its data on.
COUNTING = """
import os, uuid

class Model:
    def request(self, data):
        folder, name = data.rsplit("/", 1)
        open(os.path.join(folder, f"{name}.{uuid.uuid4()}.first"), "w").close()
        return data
"""


@pytest.fixture
async def flow(serving: ServingHouse) -> AsyncIterator[Flow]:
    async with run_flow(serving) as running:
        yield running


@pytest.fixture
def build(serving: ServingHouse) -> Builder:
    return Builder(serving)


async def test_batch_runs_every_object_and_keeps_each_request(serving: ServingHouse, flow: Flow, build: Builder):
    version = await serving.serve(PLUS_ONE, NUMBER, NUMBER)
    path = await build.chain(version, version, version, fields=NUMBER)
    ids = await build.submit(path, *({"number": number} for number in range(150)))
    found = await build.finished(path, ids)
    for number, item in enumerate(found):
        assert (item.state, item.error_message) == (RequestState.COMPLETED, None)
        assert [run.object_name for run in item.runs] == ["a", "b", "c"]
        results = [json.loads(await build.text(run.result)) for run in item.runs]
        assert results == [{"number": number + n} for n in (1, 2, 3)]
        assert [json.loads(await build.text(run.data)) for run in item.runs] == [
            {"number": number + n} for n in range(3)
        ]
        assert None not in {run.request_id for run in item.runs}


async def test_requests_of_a_batch_come_to_a_model_in_their_order(
    serving: ServingHouse, flow: Flow, build: Builder, gates: Gates
):
    source = f"""
class Model:
    def request(self, data):
        with open({str(gates.folder / "order")!r}, "a") as order:
            print(data, file=order)
        return data
"""
    path = await build.chain(await serving.serve(source, maximum_instances=1))
    ids = await build.submit(path, *map(str, range(200)))
    await build.finished(path, ids)
    assert (gates.folder / "order").read_text().split() == list(map(str, range(200)))


async def test_requests_of_a_batch_outlast_a_database_that_is_away(
    serving: ServingHouse, flow: Flow, build: Builder, monkeypatch: pytest.MonkeyPatch
):
    path = await build.chain(await serving.serve())
    failed = []

    async def away(_version_id: VersionId, *_more: object) -> Deployment | None:
        monkeypatch.undo()
        failed.append(1)
        raise unavailable()

    monkeypatch.setattr(flow.engine.directory, "find_by_id", away)
    ids = await build.submit(path, "1", "2")
    found = await build.finished(path, ids)
    assert failed == [1]
    assert [(item.state, item.error_message) for item in found] == [(RequestState.COMPLETED, None)] * 2


async def test_large_contents_lie_in_the_store_once_and_come_back_whole(
    serving: ServingHouse, flow: Flow, build: Builder
):
    doubled = await serving.serve("class Model:\n    def request(self, data):\n        return data + data\n")
    path = await build.chain(await serving.serve(), doubled, await serving.serve())
    large = "é" * SPILL_BYTES
    ids = await build.submit(path, large, "small")
    first, second = await build.finished(path, ids)
    assert (first.state, first.error_message) == (RequestState.COMPLETED, None)
    assert [json.loads(await build.text(run.data)) for run in first.runs] == [large, large, large * 2]
    assert [json.loads(await build.text(run.result)) for run in first.runs] == [large, large * 2, large * 2]
    a, b, c = first.runs
    # What is handed on as it is lies there once.
    assert first.data == a.data
    assert a.result == b.data
    assert b.result == c.data == c.result
    assert {type(item) for item in (first.data, a.result, b.result)} == {UUID}
    assert [run.result for run in second.runs] == [b'"small"', b'"smallsmall"', b'"smallsmall"']
    async with serving.db.begin() as tx:
        owners = (await tx.execute(select(payload.c.pipeline_request_id))).scalars()
        assert set(owners) == {ids[0]}


async def test_large_result_of_small_data_fans_out_through_mappings(serving: ServingHouse, flow: Flow, build: Builder):
    fields = {"text": FieldType.STRING}
    long = "class Model:\n    def request(self, data):\n        return {'text': data['text'] * 400_000}\n"
    short = "class Model:\n    def request(self, data):\n        return {'text': str(len(data['text']))}\n"
    wide, narrow = [await serving.serve(source, fields, fields) for source in (long, short)]
    path = await build.pipeline(fields)
    await build.add(path, "wide", wide)
    await build.attach(path, START, "wide", "text")
    for number in range(6):
        await build.add(path, f"narrow-{number}", narrow)
        await build.attach(path, "wide", f"narrow-{number}", "text")
    (found,) = await build.finished(path, await build.submit(path, {"text": "x"}))
    assert found.state is RequestState.COMPLETED, found.error_message
    assert [run.result for run in found.runs[1:]] == [b'{"text":"400000"}'] * 6
    assert {type(run.data) for run in found.runs[1:]} == {UUID}


@pytest.mark.parametrize("way", ["deleted", "too old", "pipeline deleted"])
async def test_large_contents_go_with_their_request(serving: ServingHouse, flow: Flow, build: Builder, way: str):
    path = await build.chain(await serving.serve())
    kept = await build.chain(await serving.serve())
    large = "x" * (SPILL_BYTES + 1)
    (found,) = await build.finished(path, await build.submit(path, large))
    (other,) = await build.finished(kept, await build.submit(kept, large))
    keys = []
    for item in (found, other):
        assert isinstance(item.data, UUID)
        keys.append(payload_key(item.data))
    async with serving.db.begin() as tx:
        await tx.execute(update(payload).values(created_at=now() - timedelta(days=2)))
        if way == "deleted":
            await pipeline_requests.delete_requests(tx, serving.caller, path, [found.id])
        elif way == "pipeline deleted":
            await pipelines.delete_pipeline(tx, serving.caller, path)
        else:
            long_ago = now() - RESULTS_KEPT - timedelta(days=1)
            of_it = request.c.id == found.id
            await tx.execute(update(request).where(of_it).values(finished_at=long_ago))
    # Asked for by who looks whether something is over, and by nobody else.
    await Housekeeper(serving.db).look()

    async def gone() -> bool:
        return not await serving.blobs.exists(keys[0])

    await serving.until(gone)
    assert await serving.blobs.exists(keys[1])
    assert len(await build.collect(kept, [other.id])) == 1


async def test_large_contents_of_a_write_that_does_not_count_are_removed_some_day(
    serving: ServingHouse, flow: Flow, build: Builder, gates: Gates
):
    long = "class Model:\n    def request(self, data):\n        return data * 300_000\n"
    path = await build.chain(await serving.serve(GATED), await serving.serve(long))
    (id_,) = await build.submit(path, json.loads(gates.data("stuck")))
    await gates.reached("stuck")
    async with serving.db.begin() as tx:
        # Another engine has taken the request over.
        await tx.execute(update(request).where(request.c.id == id_).values(lease_owner=uuid4()))
    gates.open("stuck")

    async def taken_up_again() -> bool:
        (found,) = await build.collect(path, [id_])
        return found.state is RequestState.COMPLETED

    await serving.until(taken_up_again)
    async with serving.db.begin() as tx:
        await tx.execute(update(payload).values(created_at=now() - timedelta(days=2)))
        await clean_later(tx)

    async def all_have_owners() -> bool:
        async with serving.db.begin() as tx:
            query = select(payload.c.id).where(payload.c.pipeline_request_id.is_(None))
            return not (await tx.execute(query)).all()

    await serving.until(all_have_owners)
    (found,) = await build.collect(path, [id_])
    assert len(json.loads(await build.text(found.runs[1].result))) == len("stuck through") * 300_000


async def test_batch_with_a_failed_object_fails_with_a_summary(serving: ServingHouse, flow: Flow, build: Builder):
    picky, plus = await serving.serve(PICKY, NUMBER, NUMBER), await serving.serve(PLUS_ONE, NUMBER, NUMBER)
    path = await build.chain(plus, picky, plus, fields=NUMBER)
    bad, good = await build.finished(path, await build.submit(path, {"number": 1}, {"number": 2}))
    assert (bad.state, good.state) == (RequestState.FAILED, RequestState.COMPLETED)
    assert bad.error_message == "1 of 2 objects failed. b: division by zero"
    assert [run.object_name for run in bad.runs] == ["a", "b"]


async def test_batch_shows_no_runs_until_all_have_ended(
    serving: ServingHouse, flow: Flow, build: Builder, gates: Gates
):
    path = await build.chain(await serving.serve(COUNTING), await serving.serve(GATED))
    (id_,) = await build.submit(path, json.loads(gates.data("one")))
    await gates.reached("one")
    (found,) = await build.collect(path, [id_])
    assert (found.state, found.runs) == (RequestState.PROCESSING, ())
    gates.open("one")
    (found,) = await build.finished(path, [id_])
    assert len(found.runs) == 2


async def test_batch_whose_data_no_longer_fits_fails_with_the_reason(serving: ServingHouse, build: Builder):
    version = await serving.serve(PLUS_ONE, NUMBER, NUMBER)
    path = await build.chain(version, fields=NUMBER)
    ids = await build.submit(path, {"number": 1})
    fields = [Field("number", FieldType.DOUBLE), Field("other", FieldType.STRING)]
    async with serving.db.begin() as tx:
        change = PipelineChange(None, None, DataKind.STRUCTURED, fields)
        await pipelines.update_pipeline(tx, serving.caller, path, change)
    async with run_flow(serving):
        (found,) = await build.finished(path, ids)
    assert (found.state, found.runs) == (RequestState.FAILED, ())
    assert "other" in (found.error_message or "")


async def test_deleted_request_that_runs_cancels_its_model_requests(
    serving: ServingHouse, flow: Flow, build: Builder, gates: Gates, runner: Runner
):
    version = await serving.serve(GATED, maximum_instances=1)
    path = await build.pipeline()
    for name in ("a", "b"):
        await build.add(path, name, version)
        await build.attach(path, START, name)
    (id_,) = await build.submit(path, json.loads(gates.data("stuck")))
    await gates.reached("stuck")
    (process,) = model_processes(runner)
    async with serving.db.begin() as tx:
        await pipeline_requests.delete_requests(tx, serving.caller, path, [id_])
    await wait_until(lambda: process not in model_processes(runner))
    with pytest.raises(QuadratError) as refused:
        await build.collect(path, [id_])
    assert refused.value.kind is ErrorKind.NOT_FOUND
    # The other branch waited for the instance, and never began.
    assert gates.began("stuck") == 1


async def test_batch_of_a_deleted_pipeline_ends(serving: ServingHouse, flow: Flow, build: Builder, gates: Gates):
    version = await serving.serve(GATED, maximum_instances=1)
    path = await build.chain(version)
    await build.submit(path, json.loads(gates.data("stuck")))
    await gates.reached("stuck")
    await build.submit(path, json.loads(gates.data("behind")))
    async with serving.db.begin() as tx:
        await pipelines.delete_pipeline(tx, serving.caller, path)
    other = await build.chain(version)
    gates.open("free")
    (found,) = await build.finished(other, await build.submit(other, json.loads(gates.data("free"))))
    assert found.state is RequestState.COMPLETED


@pytest.mark.parametrize("table", ["request", "pipeline_request"])
async def test_request_whose_lease_ran_out_while_it_runs_here_is_not_run_twice(
    serving: ServingHouse, build: Builder, gates: Gates, table: str
):
    async def change(statement: str) -> int:
        async with serving.db.begin() as tx:
            return int((await tx.execute(text(statement))).rowcount)

    version = await serving.serve(GATED, maximum_instances=2)
    path = await build.chain(version)
    # Nobody looks at leases meanwhile, so that only the claiming is tried.
    async with run_flow(serving, replace(TIMING, batch=BatchTiming(lease_s=100, renew_s=100, drain_s=2))):
        if table == "request":
            ids = await serving.submit(version, gates.data("one"))
        else:
            ids = await build.submit(path, json.loads(gates.data("one")))
        await gates.reached("one")
        no_lease = "state = 'pending', lease_owner = NULL, lease_expires_at = NULL"
        assert await change(f"UPDATE serving.{table} SET {no_lease}") == 1
        if table == "request":
            second = await serving.submit(version, gates.data("two"))
        else:
            second = await build.submit(path, json.loads(gates.data("two")))
        await gates.reached("two")
        gates.open("one")
        gates.open("two")
        if table == "request":
            states = [item.state for item in await serving.finished(version, ids + second)]
        else:
            states = [item.state for item in await build.finished(path, ids + second)]
        assert states == [RequestState.COMPLETED] * 2
    assert (gates.began("one"), gates.began("two")) == (1, 1)


async def test_stopped_engine_gives_back_what_has_not_ended_and_keeps_what_has(
    serving: ServingHouse, build: Builder, gates: Gates
):
    path = await build.chain(await serving.serve(COUNTING), await serving.serve(GATED))
    async with run_flow(serving):
        (id_,) = await build.submit(path, json.loads(gates.data("one")))
        await gates.reached("one")
    (found,) = await build.collect(path, [id_])
    assert found.state is RequestState.PENDING
    gates.open("one")
    async with run_flow(serving):
        (found,) = await build.finished(path, [id_])
    assert [json.loads(await build.text(run.result)) for run in found.runs][1:] == ["one through"]
    assert len(list(gates.folder.glob("one.*.first"))) == 1


async def test_delete_with_one_unknown_id_deletes_none(serving: ServingHouse, build: Builder):
    path = await build.chain(await serving.serve(PLUS_ONE, NUMBER, NUMBER), fields=NUMBER)
    ids = await build.submit(path, {"number": 1}, {"number": 2})
    other = await build.submit(await build.chain(await serving.serve()), "x")
    with pytest.raises(QuadratError):
        async with serving.db.begin() as tx:
            await pipeline_requests.delete_requests(tx, serving.caller, path, [ids[0], other[0]])
    assert len(await build.collect(path, ids)) == 2


# kill -9.


@pytest.fixture
def start(serving: ServingHouse, tmp_path: Path, open_dir: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts engines in a process of their own."""
    started = []

    def start() -> subprocess.Popen[bytes]:
        arguments = ["engine", serving.db.url, str(tmp_path), str(open_dir / "runner")]
        process = subprocess.Popen(
            [sys.executable, "-m", "support.serving_process", *arguments], cwd=Path(__file__).parents[2]
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


async def test_killed_engine_leaves_the_rest_of_each_request_to_the_next(
    serving: ServingHouse, build: Builder, gates: Gates, start: Callable[[], subprocess.Popen[bytes]]
):
    path = await build.chain(await serving.serve(COUNTING), await serving.serve(GATED, maximum_instances=2))
    names = [f"item-{number}" for number in range(12)]
    for name in names[:4]:
        gates.open(name)
    engine = start()
    ids = await build.submit(path, *(json.loads(gates.data(name)) for name in names[:4]))
    await build.finished(path, ids)
    ids += await build.submit(path, *(json.loads(gates.data(name)) for name in names[4:]))
    await wait_until(lambda: sum(map(gates.began, names[4:])) == 2)
    await wait_until(lambda: len(list(gates.folder.glob("*.first"))) == 12)
    await serving.until(lambda: first_runs_recorded(serving, 12))
    engine.kill()
    engine.wait()
    for name in names:
        gates.open(name)
    start()
    found = await build.finished(path, ids)
    assert {item.state for item in found} == {RequestState.COMPLETED}
    results = [json.loads(await build.text(item.runs[1].result)) for item in found]
    assert results == [f"{name} through" for name in names]
    # The first object of each request ran once, although its request was taken up twice.
    assert len(list(gates.folder.glob("*.first"))) == 12


async def first_runs_recorded(serving: ServingHouse, number: int) -> bool:
    async with serving.db.begin() as tx:
        query = text("SELECT count(*) FROM serving.pipeline_run WHERE object_name = 'a'")
        return bool((await tx.execute(query)).scalar_one() == number)
