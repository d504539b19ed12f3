"""Batch requests: nothing that was accepted is lost, and every one has one result."""

import asyncio
import json
import os
import signal
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.runner.base import Runner
from quadrat.serving.actions import requests, versions
from quadrat.serving.actions.access import VersionPath
from quadrat.serving.housekeeping import RESULTS_KEPT, Housekeeper
from quadrat.serving.outcomes import Outcome
from quadrat.serving.store import requests as store
from quadrat.serving.store.deployments import list_deployments
from quadrat.serving.tables import request
from quadrat.serving.types import Answer, BatchRequest, FieldType, RequestFilter, RequestState
from support.serving import GATED, Engine, Gates, ServingHouse, model_processes, run_engine, wait_until

pytestmark = pytest.mark.anyio

SQUARE = "class Model:\n    def request(self, data):\n        return {'square': data['number'] ** 2}\n"
FIELDS: dict[str, Any] = {"inputs": {"number": FieldType.INT}, "outputs": {"square": FieldType.INT}}


def numbers(*values: int) -> list[bytes]:
    return [json.dumps({"number": value}).encode() for value in values]


def results(found: list[BatchRequest]) -> list[Any]:
    assert {item.state for item in found} == {RequestState.COMPLETED}, [item.error_message for item in found]
    return [json.loads(item.result or b"") for item in found]


async def test_batch_of_many_is_worked_off_in_the_order_of_its_items(serving: ServingHouse, engine: Engine):
    path = await serving.serve(SQUARE, **FIELDS)
    ids = await serving.submit(path, *numbers(*range(250)))
    found = await serving.finished(path, ids)
    assert results(found) == [{"square": number**2} for number in range(250)]
    assert [item.id for item in found] == sorted(ids)


async def test_batch_that_was_accepted_before_the_server_starts_is_worked_off(serving: ServingHouse):
    path = await serving.serve(SQUARE, **FIELDS)
    ids = await serving.submit(path, *numbers(1, 2, 3))
    assert {item.state for item in await serving.collect(path, ids)} == {RequestState.PENDING}
    async with run_engine(serving):
        assert results(await serving.finished(path, ids)) == [{"square": 1}, {"square": 4}, {"square": 9}]


async def test_batch_keeps_data_as_it_came(serving: ServingHouse, engine: Engine):
    path = await serving.serve()
    data = b'"\\u0000 \\u00e4 \xc3\xa4"'
    ids = await serving.submit(path, data)
    (found,) = await serving.finished(path, ids)
    assert found.data == data
    assert results([found]) == ["\0 ä ä"]


async def test_batch_request_that_the_model_fails_keeps_its_message(serving: ServingHouse, engine: Engine):
    path = await serving.serve("class Model:\n    def request(self, data):\n        raise ValueError('no \\0 such')\n")
    ids = await serving.submit(path, b'"x"', b'"y"')
    for item in await serving.finished(path, ids):
        assert (item.state, item.result, item.error_message) == (RequestState.FAILED, None, "no  such")


async def test_batch_with_one_bad_item_is_refused_as_a_whole(serving: ServingHouse):
    path = await serving.serve(SQUARE, **FIELDS)
    with pytest.raises(QuadratError) as refused:
        await serving.submit(path, *numbers(1, 2), b'{"number": "3"}')
    assert refused.value.kind is ErrorKind.INVALID
    async with serving.db.begin() as tx:
        listed = await requests.list_requests(tx, serving.caller, path, RequestFilter(), (0, 50), newest_first=True)
    assert listed == []


async def test_model_process_killed_in_the_middle_leaves_every_request_with_one_result(
    serving: ServingHouse, engine: Engine, runner: Runner, gates: Gates
):
    path = await serving.serve(GATED, maximum_instances=1)
    names = [f"item-{number}" for number in range(6)]
    ids = await serving.submit(path, *map(gates.data, names))
    await gates.reached(names[0])
    for name in names[1:]:
        gates.open(name)
    (process,) = model_processes(runner)
    os.kill(process, signal.SIGKILL)
    await gates.reached(names[0], times=2)
    gates.open(names[0])
    assert results(await serving.finished(path, ids)) == [f"{name} through" for name in names]


async def test_request_that_kills_its_process_fails_and_the_others_go_on(serving: ServingHouse, engine: Engine):
    source = (
        "import os\nclass Model:\n    def request(self, data):\n        return data if data != 'die' else os._exit(3)\n"
    )
    path = await serving.serve(source, maximum_instances=1)
    ids = await serving.submit(path, b'"a"', b'"die"', b'"b"')
    first, poison, last = await serving.finished(path, ids)
    assert results([first, last]) == ["a", "b"]
    assert poison.state is RequestState.FAILED
    assert "exit code 3" in (poison.error_message or "")


async def test_direct_request_goes_before_waiting_batch_requests(serving: ServingHouse, engine: Engine, gates: Gates):
    path = await serving.serve(GATED, maximum_instances=1)
    await serving.submit(path, *(gates.data(name) for name in ("first", "second")))
    await gates.reached("first")
    gates.open("direct")
    asked = asyncio.create_task(engine.ask(path, gates.data("direct")))
    (pool,) = engine.engine._pools.values()
    await wait_until(lambda: len(pool._line) == 1)
    gates.open("first")
    # Behind the second request, whose gate is shut, it would wait for ever.
    assert (await asked).success
    gates.open("second")


async def test_deleted_request_that_runs_frees_its_instance(serving: ServingHouse, engine: Engine, gates: Gates):
    path = await serving.serve(GATED, maximum_instances=1)
    stuck, behind = await serving.submit(path, gates.data("stuck"), gates.data("behind"))
    await gates.reached("stuck")
    async with serving.db.begin() as tx:
        await requests.delete_requests(tx, serving.caller, path, [stuck])
    gates.open("behind")
    assert results(await serving.finished(path, [behind])) == ["behind through"]
    with pytest.raises(QuadratError) as refused:
        await serving.collect(path, [stuck])
    assert refused.value.kind is ErrorKind.NOT_FOUND


async def test_deleted_request_that_waits_never_runs(serving: ServingHouse, engine: Engine, gates: Gates):
    path = await serving.serve(GATED, maximum_instances=1)
    first, waiting, last = await serving.submit(path, *map(gates.data, ("first", "waiting", "last")))
    await gates.reached("first")
    async with serving.db.begin() as tx:
        await requests.delete_requests(tx, serving.caller, path, [waiting])
    gates.open("first")
    gates.open("last")
    assert len(results(await serving.finished(path, [first, last]))) == 2
    assert gates.began("waiting") == 0


async def test_deleting_with_one_unknown_id_deletes_none(serving: ServingHouse):
    path = await serving.serve()
    ids = await serving.submit(path, b'"a"', b'"b"')
    with pytest.raises(QuadratError) as refused:
        async with serving.db.begin() as tx:
            await requests.delete_requests(tx, serving.caller, path, [*ids, new_uuid()])
    assert refused.value.kind is ErrorKind.NOT_FOUND
    assert len(await serving.collect(path, ids)) == 2


async def test_lease_of_a_lost_engine_is_taken_over_and_its_late_result_is_dropped(serving: ServingHouse):
    path = await serving.serve()
    (id_,) = await serving.submit(path, b'"x"')
    lost = new_uuid()
    version = await serving.version(path)
    async with serving.db.begin() as tx:
        await store.claim(tx, version.id, lost, 10, timedelta(seconds=0.2))
    async with run_engine(serving):
        (found,) = await serving.finished(path, [id_])
        assert results([found]) == ["x"]
        async with serving.db.begin() as tx:
            (deployment,) = await list_deployments(tx, [version.id])
            answer = Answer(success=True, result=b'"late"', error_message=None)
            late = Outcome(id_, deployment, True, answer, 3, 0, None, 0, 0)
            assert await store.record(tx, lost, [late]) == set()
        (after,) = await serving.collect(path, [id_])
    assert after == found


async def test_lease_is_kept_while_a_request_takes_longer(serving: ServingHouse, engine: Engine, gates: Gates):
    path = await serving.serve(GATED)
    (id_,) = await serving.submit(path, gates.data("long"))
    await gates.reached("long")
    async with run_engine(serving):
        # The other engine looks for ended leases several times meanwhile.
        before = await lease_of(serving, id_)
        for _ in range(3):
            await wait_for_renewal(serving, id_)
        assert (await lease_of(serving, id_))[0] == before[0]
        gates.open("long")
        assert results(await serving.finished(path, [id_])) == ["long through"]
    assert gates.began("long") == 1


async def test_stopped_engine_gives_back_what_it_has_not_finished(serving: ServingHouse, runner: Runner, gates: Gates):
    path = await serving.serve(GATED, maximum_instances=1)
    async with run_engine(serving):
        ids = await serving.submit(path, *map(gates.data, ("stuck", "behind")))
        await gates.reached("stuck")
    assert [item.state for item in await serving.collect(path, ids)] == [RequestState.PENDING, RequestState.PENDING]
    assert model_processes(runner) == []
    gates.open("stuck")
    gates.open("behind")
    async with run_engine(serving):
        assert results(await serving.finished(path, ids)) == ["stuck through", "behind through"]


async def test_request_that_was_interrupted_too_often_fails(serving: ServingHouse):
    path = await serving.serve()
    (id_,) = await serving.submit(path, b'"x"')
    version = await serving.version(path)
    for _ in range(2):
        async with serving.db.begin() as tx:
            assert len(await store.claim(tx, version.id, new_uuid(), 1, timedelta(seconds=-1))) == 1
            await store.QUEUE.requeue_expired(tx, attempts=2, message="too often")
    (found,) = await serving.collect(path, [id_])
    assert (found.state, found.error_message) == (RequestState.FAILED, "too often")


async def test_deleted_version_takes_its_requests_with_it(serving: ServingHouse, engine: Engine, gates: Gates):
    path = await serving.serve(GATED)
    ids = await serving.submit(path, gates.data("stuck"))
    await gates.reached("stuck")
    version = await serving.version(path)
    async with serving.db.begin() as tx:
        await versions.delete_version(tx, serving.caller, path)
    await wait_until(lambda: version.id not in engine.engine._pools)
    async with serving.db.begin() as tx:
        assert await store.list_requests(tx, version.id, ids) == []


async def test_results_are_kept_for_their_time_and_no_longer(serving: ServingHouse, engine: Engine):
    path = await serving.serve()
    old, kept = await serving.submit(path, b'"old"', b'"kept"')
    assert len(results(await serving.finished(path, [old, kept]))) == 2
    for id_, days in ((old, 1), (kept, -1)):
        at = now() - RESULTS_KEPT - timedelta(days=days)
        async with serving.db.begin() as tx:
            await tx.execute(update(request).where(request.c.id == id_).values(finished_at=at))
    await Housekeeper(serving.db).look()

    async def is_gone() -> bool:
        async with serving.db.begin() as tx:
            return not (await tx.execute(select(request.c.id).where(request.c.id == old))).all()

    await serving.until(is_gone)
    assert results(await serving.collect(path, [kept])) == ["kept"]


async def some_finished(serving: ServingHouse, path: VersionPath, ids: list[UUID]) -> bool:
    return any(item.state is RequestState.COMPLETED for item in await serving.collect(path, ids))


async def lease_of(serving: ServingHouse, id_: UUID) -> tuple[UUID | None, Any]:
    async with serving.db.begin() as tx:
        row = await tx.execute(select(request.c.lease_owner, request.c.lease_expires_at).where(request.c.id == id_))
        owner, expires_at = row.one()
        return owner, expires_at


async def wait_for_renewal(serving: ServingHouse, id_: UUID) -> None:
    _, before = await lease_of(serving, id_)

    async def look() -> bool:
        return (await lease_of(serving, id_))[1] > before

    await serving.until(look)
