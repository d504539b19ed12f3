"""Direct requests on real instances."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.runner.base import Runner
from quadrat.serving.actions import versions
from quadrat.serving.actions.access import VersionPath
from quadrat.serving.outcomes import Outcome
from quadrat.serving.types import Answer, Deployment, FieldType
from support.serving import GATED, Engine, Gates, ServingHouse, model_processes, pack, run_engine, wait_until

pytestmark = pytest.mark.anyio

PLAIN = {
    "who": "import os\nclass Model:\n    def request(self, data):\n        return str(os.getpid())\n",
    "context": "import json\nclass Model:\n    def __init__(self, base_directory, context):\n"
    "        self.context = context\n    def request(self, data):\n        return json.dumps(self.context)\n",
    "eval": "import os, time, signal\nclass Model:\n    def request(self, data):\n        return eval(data)\n",
}


def result_of(answer: Answer) -> Any:
    assert answer.success, answer.error_message
    assert answer.result is not None
    return json.loads(answer.result)


def quoted(text: str) -> bytes:
    return json.dumps(text).encode()


async def test_request_on_an_available_version_is_answered(serving: ServingHouse, engine: Engine):
    path = await serving.serve(inputs={"number": FieldType.INT}, outputs={"number": FieldType.INT})
    assert result_of(await engine.ask(path, b'{"number": 14}')) == {"number": 14}


async def test_request_before_the_build_is_refused_with_the_stage(serving: ServingHouse, engine: Engine):
    path = await serving.make_version(await serving.make_model())
    with pytest.raises(QuadratError) as refused:
        await engine.ask(path, b'"text"')
    assert refused.value.kind is ErrorKind.WRONG_STATE
    assert refused.value.message == ("Version is not available: The version is currently in the initialised stage")


async def test_request_that_does_not_fit_is_refused_before_anything_runs(
    serving: ServingHouse, engine: Engine, runner: Runner
):
    path = await serving.serve(inputs={"number": FieldType.INT}, outputs={"number": FieldType.INT})
    with pytest.raises(QuadratError) as refused:
        await engine.ask(path, b'{"number": "14"}')
    assert refused.value.kind is ErrorKind.INVALID
    assert model_processes(runner) == []


async def test_model_is_told_where_it_runs(serving: ServingHouse, engine: Engine):
    path = await serving.serve(PLAIN["context"])
    context = json.loads(result_of(await engine.ask(path, b'""')))
    assert context["project"] == serving.project.name
    assert (context["model"], context["deployment"], context["version"]) == (path.model, path.model, path.version)
    assert (context["input_type"], context["output_type"]) == ("plain", "plain")
    assert context["requested_language"] == "python3.7"
    assert context["environment_variables"] == {}


async def test_model_that_raises_fails_the_request_alone(serving: ServingHouse, engine: Engine):
    path = await serving.serve(PLAIN["eval"])
    failed = await engine.ask(path, quoted("1 / 0"))
    assert failed == Answer(success=False, result=None, error_message="division by zero")
    assert result_of(await engine.ask(path, quoted("'still here'"))) == "still here"


async def test_result_that_does_not_fit_the_output_fails_the_request(serving: ServingHouse, engine: Engine):
    path = await serving.serve(inputs={"number": FieldType.DOUBLE}, outputs={"number": FieldType.INT})
    failed = await engine.ask(path, b'{"number": 1.5}')
    assert not failed.success
    assert failed.error_message is not None
    assert "number must be a whole number" in failed.error_message


async def test_process_that_dies_fails_its_request_and_the_next_gets_a_new_one(serving: ServingHouse, engine: Engine):
    path = await serving.serve(PLAIN["eval"])
    before = result_of(await engine.ask(path, quoted("str(os.getpid())")))
    failed = await engine.ask(path, quoted("os.kill(os.getpid(), signal.SIGSEGV)"))
    assert not failed.success
    assert "SIGSEGV" in (failed.error_message or "")
    after = result_of(await engine.ask(path, quoted("str(os.getpid())")))
    assert after != before


async def test_request_past_its_time_is_killed_with_its_instance(
    serving: ServingHouse, engine: Engine, runner: Runner, gates: Gates
):
    path = await serving.serve(GATED)
    gates.open("warm")
    await engine.ask(path, gates.data("warm"))
    (process,) = model_processes(runner)
    failed = await engine.ask(path, gates.data("shut"), timeout_s=0.2)
    assert failed.error_message == "The request took longer than 0.2 seconds."
    await wait_until(lambda: not _runs(process))
    assert result_of(await engine.ask(path, gates.data("warm"))) == "warm through"


async def test_request_that_no_model_has_answered_has_its_start_if_a_model_was_at_it(
    serving: ServingHouse, engine: Engine, gates: Gates
):
    outcomes: list[Outcome] = []
    engine.engine.observers.subscribe(on_request=outcomes.append)
    path = await serving.serve(GATED, maximum_instances=1)
    gates.open("warm")
    await engine.ask(path, gates.data("warm"))
    began_ns = time.time_ns()
    running = asyncio.create_task(engine.ask(path, gates.data("shut"), timeout_s=1.0))
    await gates.reached("shut")
    await engine.ask(path, gates.data("behind"), timeout_s=0.1)
    await running
    _, behind, shut = outcomes
    assert behind.started_ns is None
    assert shut.started_ns is not None
    assert began_ns <= shut.queued_ns <= shut.started_ns < began_ns + 900_000_000
    assert shut.finished_ns - shut.started_ns >= 100_000_000
    path = await serving.serve(PLAIN["eval"])
    assert not (await engine.ask(path, quoted("time.sleep(0.3) or os._exit(3)"))).success
    lost = outcomes[-1]
    assert lost.started_ns is not None
    assert lost.finished_ns - lost.started_ns >= 290_000_000


class Begun:
    """A direct request that nobody awaits."""

    def __init__(self, engine: Engine, deployment: Deployment, data: bytes, timeout_s: float = 30.0) -> None:
        self.answers: list[Answer] = []
        self.told = asyncio.Event()
        self.run = engine.engine.begin(deployment, data, timeout_s, self._on_answer)

    def _on_answer(self, _request_id: UUID, answer: Answer) -> None:
        self.answers.append(answer)
        self.told.set()

    async def answer(self) -> Answer:
        async with asyncio.timeout(60):
            await self.told.wait()
        (answer,) = self.answers
        return answer


async def opened(serving: ServingHouse, engine: Engine, path: VersionPath) -> Deployment:
    return await engine.engine.open(
        serving.caller, await engine.authenticator.access(serving.caller, path.project), path
    )


async def serve_paced(serving: ServingHouse, engine: Engine, gates: Gates, long: str = "") -> VersionPath:
    """A model whose requests take 15 ms, one of them half a second. It notes in which order they came."""
    source = f"""
import os, time

class Model:
    def request(self, data):
        open(os.path.join({str(gates.folder)!r}, data + ".began"), "w").close()
        with open(os.path.join({str(gates.folder)!r}, "order"), "a") as order:
            order.write(data)
        time.sleep(0.5 if data == {long!r} else 0.015)
        return data
"""
    path = await serving.serve(source, maximum_instances=1)
    for number in range(20):  # until it is known how long they take
        await engine.ask(path, quoted(f"before-{number}"))
    return path


async def test_request_that_is_begun_answers_as_one_that_is_run(serving: ServingHouse, engine: Engine):
    path = await serving.serve(PLAIN["eval"], maximum_instances=1)
    deployment = await opened(serving, engine, path)
    assert Begun(engine, deployment, quoted("'early'")).run is None  # there is no instance yet
    for data in ("'text'", "1 / 0", "5", "os._exit(3)"):
        ran = await engine.ask(path, quoted(data))
        if "_exit" in data:
            await engine.ask(path, quoted("'up again'"))
        assert await Begun(engine, deployment, quoted(data)).answer() == ran
    await engine.ask(path, quoted("'up again'"))
    slow = Begun(engine, deployment, quoted("time.sleep(60)"), timeout_s=0.2)
    assert (await slow.answer()).error_message == "The request took longer than 0.2 seconds."
    assert Begun(engine, deployment, b'{"no": "text"}').run is None


async def test_request_behind_a_long_one_is_run_elsewhere_or_given_up(
    serving: ServingHouse, engine: Engine, gates: Gates
):
    path = await serving.serve(GATED, maximum_instances=2)
    deployment = await opened(serving, engine, path)
    gates.open("quick")
    for _ in range(100):  # until an instance is given several at a time
        await engine.ask(path, gates.data("quick"))
    first = Begun(engine, deployment, gates.data("first"))
    behind, gone = (Begun(engine, deployment, gates.data(name)) for name in ("behind", "gone"))
    assert first.run is not None
    assert behind.run is not None
    assert gone.run is not None
    assert gone.run.give_up()
    gates.open("behind")
    assert result_of(await behind.answer()) == "behind through"
    assert not first.answers
    gates.open("first")
    assert result_of(await first.answer()) == "first through"
    assert not first.run.give_up()
    assert (gates.began("gone"), gone.answers) == (0, [])


async def test_instance_has_its_next_request_at_hand_when_more_wait_than_there_are_instances(
    serving: ServingHouse, engine: Engine, gates: Gates
):
    path = await serve_paced(serving, engine, gates)
    asked = [asyncio.create_task(engine.ask(path, quoted(name))) for name in "abcd"]
    await wait_until((gates.folder / "a.began").exists)
    # The server does nothing for some time, and the instance does.
    time.sleep(0.5)
    assert sorted(mark.stem for mark in gates.folder.glob("?.began")) == ["a", "b"]
    assert [result_of(await task) for task in asked] == ["a", "b", "c", "d"]


async def test_request_that_was_at_hand_keeps_its_turn_when_the_one_before_it_takes_long(
    serving: ServingHouse, engine: Engine, gates: Gates
):
    path = await serve_paced(serving, engine, gates, long="a")
    ended: list[str] = []

    async def ask(name: str) -> None:
        ended.append(result_of(await engine.ask(path, quoted(name))))

    await asyncio.gather(*map(ask, "abcdef"))
    assert ended == list("abcdef")


async def test_requests_that_were_begun_and_taken_back_keep_their_turns(
    serving: ServingHouse, engine: Engine, gates: Gates
):
    path = await serve_paced(serving, engine, gates, long="a")
    deployment = await opened(serving, engine, path)
    version = await serving.version(path)
    # As if requests had been so short that an instance is given three at a time.
    engine.engine._pools[version.id]._learn(600_000)
    begun = [Begun(engine, deployment, quoted(name)) for name in "abcd"]
    assert [item.run is not None for item in begun] == [True, True, True, False]
    later = [asyncio.create_task(engine.ask(path, quoted(name))) for name in "de"]
    assert [result_of(await item.answer()) for item in begun[:3]] == list("abc")
    assert [result_of(await task) for task in later] == list("de")
    assert (gates.folder / "order").read_text()[-5:] == "abcde"


async def test_request_behind_one_that_takes_the_instance_along_is_run_anew(serving: ServingHouse, engine: Engine):
    path = await serving.serve(PLAIN["eval"], maximum_instances=1)
    deployment = await opened(serving, engine, path)
    for _ in range(100):
        await engine.ask(path, quoted("'quick'"))
    first = Begun(engine, deployment, quoted("os._exit(3)"))
    behind = Begun(engine, deployment, quoted("'behind'"))
    assert behind.run is not None
    assert (await first.answer()).error_message == "The model's process ended by itself with exit code 3."
    assert result_of(await behind.answer()) == "behind"


async def test_waiting_for_a_busy_instance_counts_against_the_time(serving: ServingHouse, engine: Engine, gates: Gates):
    path = await serving.serve(GATED, maximum_instances=1)
    first = asyncio.create_task(engine.ask(path, gates.data("first")))
    await gates.reached("first")
    late = await engine.ask(path, gates.data("second"), timeout_s=0.2)
    assert not late.success
    gates.open("first")
    assert result_of(await first) == "first through"
    assert gates.began("second") == 0


async def test_requests_at_a_time_use_as_many_instances_as_are_allowed(
    serving: ServingHouse, engine: Engine, runner: Runner, gates: Gates
):
    path = await serving.serve(GATED, maximum_instances=2)
    names = ["a", "b", "c"]
    asked = [asyncio.create_task(engine.ask(path, gates.data(name))) for name in names]
    await wait_until(lambda: sum(map(gates.began, names)) == 2)
    assert len(model_processes(runner)) == 2
    for name in names:
        gates.open(name)
    assert [result_of(await task) for task in asked] == ["a through", "b through", "c through"]
    assert [gates.began(name) for name in names] == [1, 1, 1]
    assert len(model_processes(runner)) == 2


async def test_idle_instance_is_stopped_and_the_next_request_starts_one(
    serving: ServingHouse, engine: Engine, runner: Runner
):
    path = await serving.serve(PLAIN["who"])
    first = result_of(await engine.ask(path, b'""'))
    version = await serving.version(path)
    pool = engine.engine._pools[version.id]
    pool._shrink()
    assert len(model_processes(runner)) == 1
    # As if the longest idle time had passed.
    pool._members[0].idle_since -= version.settings.maximum_idle_time_s
    pool._shrink()
    await wait_until(lambda: model_processes(runner) == [])
    assert result_of(await engine.ask(path, b'""')) != first


async def test_minimum_of_instances_runs_without_a_request_and_after_a_kill(
    serving: ServingHouse, engine: Engine, runner: Runner
):
    await serving.serve(minimum_instances=1)
    await wait_until(lambda: len(model_processes(runner)) == 1)
    (killed,) = model_processes(runner)
    os.kill(killed, signal.SIGKILL)
    await wait_until(lambda: model_processes(runner) not in ([], [killed]))


async def test_minimum_of_instances_runs_after_the_server_starts_again(serving: ServingHouse, runner: Runner):
    async with run_engine(serving):
        await serving.serve(minimum_instances=1)
        await wait_until(lambda: len(model_processes(runner)) == 1)
    assert model_processes(runner) == []
    async with run_engine(serving):
        await wait_until(lambda: len(model_processes(runner)) == 1)


async def test_other_memory_replaces_the_instances(serving: ServingHouse, engine: Engine, runner: Runner):
    path = await serving.serve(PLAIN["who"])
    before = result_of(await engine.ask(path, b'""'))
    (process,) = model_processes(runner)
    async with serving.db.begin() as tx:
        await versions.update_version(tx, serving.caller, path, None, {"memory_allocation_mb": 512})
    await wait_until(lambda: not _runs(process))
    assert result_of(await engine.ask(path, b'""')) != before


async def test_other_idle_time_keeps_the_instances(serving: ServingHouse, engine: Engine):
    path = await serving.serve(PLAIN["who"])
    before = result_of(await engine.ask(path, b'""'))
    async with serving.db.begin() as tx:
        await versions.update_version(tx, serving.caller, path, None, {"maximum_idle_time_s": 600})
    version = await serving.version(path)
    pool = engine.engine._pools[version.id]
    await wait_until(lambda: pool.deployment.settings.maximum_idle_time_s == 600)
    assert result_of(await engine.ask(path, b'""')) == before


async def test_new_build_answers_as_soon_as_it_is_available(serving: ServingHouse, engine: Engine):
    path = await serving.serve("class Model:\n    def request(self, data):\n        return 'old'\n")
    assert result_of(await engine.ask(path, b'""')) == "old"
    await serving.upload(path, pack("class Model:\n    def request(self, data):\n        return 'new'\n"))
    assert (await serving.built(path)).status == "available"
    assert result_of(await engine.ask(path, b'""')) == "new"


async def test_deleted_version_stops_its_instances_and_is_not_found(
    serving: ServingHouse, engine: Engine, runner: Runner
):
    path = await serving.serve()
    await engine.ask(path, b'""')
    engine.engine.directory.distrust()
    async with serving.db.begin() as tx:
        await versions.delete_version(tx, serving.caller, path)
    with pytest.raises(QuadratError) as refused:
        await engine.ask(path, b'""')
    assert refused.value.kind is ErrorKind.NOT_FOUND
    await wait_until(lambda: model_processes(runner) == [])


async def test_model_that_no_longer_starts_fails_requests_and_is_tried_again(
    serving: ServingHouse, engine: Engine, gates: Gates
):
    marker = json.loads(gates.data("may-start"))
    source = f"""
import os
class Model:
    def __init__(self):
        if os.path.exists({marker!r} + ".open"):
            raise RuntimeError("the licence server is away")
    def request(self, data):
        return data
"""
    path = await serving.serve(source)
    gates.open("may-start")
    failed = await engine.ask(path, b'"x"')
    assert "the licence server is away" in (failed.error_message or "")
    Path(f"{marker}.open").unlink()
    assert result_of(await engine.ask(path, b'"x"')) == "x"


async def test_output_of_the_model_is_logged_with_its_request(serving: ServingHouse, engine: Engine):
    path = await serving.serve(
        "class Model:\n    def request(self, data):\n        print('seen', data)\n        return data\n"
    )
    access = await engine.authenticator.access(serving.caller, path.project)
    deployment = await engine.engine.open(serving.caller, access, path)
    request_id, _ = await engine.engine.run(deployment, b'"x"', 30)
    assert await serving.until(lambda: serving.log_of(request_id)) == [("seen x", False)]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
