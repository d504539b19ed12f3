"""All versions share one machine: who is idle yields, and what is broken says so."""

import pytest

from quadrat.db.notify import Listener
from quadrat.identity.authenticator import Authenticator
from quadrat.runner.base import Runner
from quadrat.serving.engine import ServingEngine
from quadrat.serving.launch import Launcher
from support.serving import SEALER, TIMING, Engine, ServingHouse, model_processes, wait_until

pytestmark = pytest.mark.anyio

WHO = """
import os

class Model:
    def request(self, data):
        return str(os.getpid())
"""
DIES = """
import os

class Model:
    def request(self, data):
        if data == "die":
            os._exit(3)
        return data
"""


async def test_ten_versions_beyond_the_machines_memory_make_the_longest_idle_one_yield(
    serving: ServingHouse, runner: Runner
):
    paths = [await serving.serve(WHO, memory_allocation_mb=256) for _ in range(10)]
    listener = Listener(serving.db.dsn)
    authenticator = Authenticator(serving.db, listener)
    launcher = Launcher(runner, serving.blobs, SEALER, 20)
    engine = ServingEngine(serving.db, listener, launcher, timing=TIMING, memory_mb=600)
    await listener.start()
    await engine.start()
    try:
        asked = Engine(engine, listener, authenticator, serving)
        who = {}
        for number in (0, 1, 0, 2, 3, *range(4, 10), 0, 2, 3):
            answer = await asked.ask(paths[number], b'""')
            assert answer.success, answer.error_message
            who[number] = answer.result
            assert len(model_processes(runner)) <= 2
        # What ran last runs still.
        await wait_until(lambda: len(model_processes(runner)) == 2)
        assert (await asked.ask(paths[3], b'""')).result == who[3]
    finally:
        await engine.stop()
        await listener.stop()


async def test_version_that_needs_more_than_there_is_may_have_the_machine_alone(serving: ServingHouse, runner: Runner):
    large, small = [await serving.serve(WHO, memory_allocation_mb=size) for size in (2048, 256)]
    listener = Listener(serving.db.dsn)
    launcher = Launcher(runner, serving.blobs, SEALER, 20)
    engine = ServingEngine(serving.db, listener, launcher, timing=TIMING, memory_mb=1000)
    await listener.start()
    await engine.start()
    try:
        asked = Engine(engine, listener, Authenticator(serving.db, listener), serving)
        for path in (small, large, small):
            assert (await asked.ask(path, b'""')).success
            await wait_until(lambda: len(model_processes(runner)) == 1)
    finally:
        await engine.stop()
        await listener.stop()


async def test_model_that_keeps_crashing_shows_its_reason_until_it_works_again(serving: ServingHouse, engine: Engine):
    path = await serving.serve(DIES, maximum_instances=1)

    async def shown() -> str:
        return (await serving.version(path)).error_message

    assert (await engine.ask(path, b'"fine"')).success
    assert await shown() == ""
    for _ in range(2):
        assert not (await engine.ask(path, b'"die"')).success

    async def says_why() -> bool:
        return "exit code 3" in await shown()

    await serving.until(says_why)
    assert (await serving.version(path)).status == "available"
    assert (await engine.ask(path, b'"fine"')).success

    async def is_quiet() -> bool:
        return await shown() == ""

    await serving.until(is_quiet)
