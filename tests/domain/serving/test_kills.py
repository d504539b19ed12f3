"""kill -9 in the middle: what was accepted goes on elsewhere, and ends once."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from quadrat.runner.base import Runner
from quadrat.serving.types import RequestState, VersionStatus
from support.serving import GATED, Gates, ServingHouse, open_serving, pack, run_engine, wait_until

pytestmark = pytest.mark.anyio

Start = Callable[[str], subprocess.Popen[bytes]]

SLOW_START = """
import os, time

class Model:
    def __init__(self):
        open(f"{GATE}.{os.getpid()}.began", "w").close()
        while not os.path.exists(f"{GATE}.open"):
            time.sleep(0.01)

    def request(self, data):
        return data
"""


@pytest.fixture
async def house(
    new_migrated_database: Callable[[], str], tmp_path: Path, runner: Runner
) -> AsyncIterator[ServingHouse]:
    """Without a worker of its own."""
    url = new_migrated_database()
    async with open_serving(url, tmp_path, runner, worker=False) as house:
        yield house


@pytest.fixture
def start(house: ServingHouse, tmp_path: Path, open_dir: Path) -> Iterator[Start]:
    """Starts an ``engine`` or a ``worker`` in a process of its own."""
    started = []

    def start(part: str) -> subprocess.Popen[bytes]:
        arguments = [part, house.db.url, str(tmp_path), str(open_dir / "runner")]
        process = subprocess.Popen(
            [sys.executable, "-m", "support.serving_process", *arguments], cwd=Path(__file__).parents[2]
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


async def test_engine_killed_in_the_middle_leaves_every_request_with_one_result(
    house: ServingHouse, gates: Gates, start: Start
):
    worker = start("worker")
    path = await house.serve(GATED, maximum_instances=2)
    kill(worker)
    names = [f"item-{number}" for number in range(20)]
    for name in names[:8]:
        gates.open(name)
    ids = await house.submit(path, *map(gates.data, names))
    engine = start("engine")
    await wait_until(lambda: sum(map(gates.began, names[8:])) == 2)

    async def recorded() -> bool:
        found = await house.collect(path, ids)
        return sum(item.state is RequestState.COMPLETED for item in found) == 8

    await house.until(recorded)
    kill(engine)
    before = {item.id: item for item in await house.collect(path, ids) if item.state is RequestState.COMPLETED}
    for name in names:
        gates.open(name)
    start("engine")
    found = await house.finished(path, ids)
    assert [item.result for item in found] == [f'"{name} through"'.encode() for name in names]
    assert {item.id: item for item in found if item.id in before} == before


async def test_worker_killed_in_the_middle_of_a_build_leaves_it_to_the_next(
    house: ServingHouse, gates: Gates, start: Start
):
    gate = gates.data("start").decode().strip('"')
    path = await house.make_version(await house.make_model())
    await house.upload(path, pack(SLOW_START.replace("{GATE}", gate)))
    worker = start("worker")
    await gates.reached("start")
    kill(worker)
    assert (await house.version(path)).status == VersionStatus.DEPLOYING
    gates.open("start")
    start("worker")
    version = await house.built(path)
    assert (version.status, version.error_message) == (VersionStatus.AVAILABLE, "")
    async with run_engine(house):
        ids = await house.submit(path, b'"x"')
        (found,) = await house.finished(path, ids)
    assert found.result == b'"x"'
