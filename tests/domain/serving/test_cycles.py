"""Instances that come and go hundreds of times, as they do in weeks of idle nights: nothing piles up."""

import asyncio
import gc
import threading
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update

from quadrat.runner.base import Runner
from quadrat.serving.signals import announce_version
from quadrat.serving.tables import version as version_table
from support.serving import Engine, Gates, ServingHouse, model_processes, wait_until

pytestmark = pytest.mark.anyio
WHO = "import os\nclass Model:\n    def request(self, data):\n        return str(os.getpid())\n"
SLOW_START = """
import os, time

class Model:
    def __init__(self):
        open(f"{GATE}.{os.getpid()}.began", "w").close()
        while os.path.exists(f"{GATE}.shut"):
            time.sleep(0.01)

    def request(self, data):
        return data
"""
WARM_UP, CYCLES = 30, 300
MIB = 1024**2


class Ledger:
    """What this process holds of the machine."""

    def __init__(self, run_dir: Path) -> None:
        gc.collect()
        own = psutil.Process()
        self.descriptors = own.num_fds()
        self.children = len(own.children(recursive=True))
        self.threads = threading.active_count()
        self.tasks = len(asyncio.all_tasks())
        self.memory_bytes = own.memory_info().rss
        self.folders = sorted(path.name for folder in run_dir.iterdir() for path in folder.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_hundreds_of_idle_stops_and_starts_leave_nothing_behind(
    serving: ServingHouse, engine: Engine, runner: Runner, open_dir: Path
):
    path = await serving.serve(WHO)
    version = await serving.version(path)
    async with serving.db.begin() as tx:
        # Shorter than the API allows, so that a night takes no time at all.
        await tx.execute(update(version_table).where(version_table.c.id == version.id).values(maximum_idle_time_s=0))
        await announce_version(tx, version.id)
    seen: set[str | None] = set()

    async def cycle() -> None:
        answers = await asyncio.gather(*(engine.ask(path, b'""') for _ in range(2)))
        assert all(answer.success for answer in answers), answers
        seen.update(answer.result.decode() for answer in answers if answer.result)
        await wait_until(lambda: model_processes(runner) == [])

    async def settle() -> Ledger:
        run_dir = open_dir / "runner" / "run"
        # A folder goes in the background, after its process.
        await wait_until(lambda: not [path for path in run_dir.glob("*/*-*") if path.is_dir()])
        await asyncio.sleep(0)
        return Ledger(run_dir)

    for _ in range(WARM_UP):
        await cycle()
    before = await settle()
    for _ in range(CYCLES):
        await cycle()
    after = await settle()
    assert len(seen) >= WARM_UP + CYCLES
    assert after.children == before.children
    assert after.threads <= before.threads + 8  # those of the pool for blocking calls come when they are needed
    assert after.descriptors <= before.descriptors + 3  # connections of the database's pool come and go
    assert after.tasks <= before.tasks + 3
    assert after.folders == before.folders
    assert after.memory_bytes < before.memory_bytes + 20 * MIB


async def test_start_from_zero_counts_against_the_callers_time_and_serves_the_next(
    serving: ServingHouse, engine: Engine, gates: Gates
):
    gate = gates.data("start").decode().strip('"')
    path = await serving.serve(SLOW_START.replace("{GATE}", gate))
    Path(f"{gate}.shut").touch()
    late = await engine.ask(path, b'"x"', timeout_s=1.0)
    assert (late.success, late.error_message) == (False, "The request took longer than 1 seconds.")
    waiting = asyncio.create_task(engine.ask(path, b'"y"', timeout_s=30.0))
    await gates.reached("start", times=2)  # the build has tried it once
    Path(f"{gate}.shut").unlink()
    answer = await waiting
    assert (answer.success, answer.result) == (True, b'"y"')
    assert gates.began("start") == 2
