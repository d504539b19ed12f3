import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.runner.base import Runner
from quadrat.runner.local import LocalRunner
from quadrat.serving.engine import ServingEngine
from quadrat.serving.flow.courier import Courier
from quadrat.serving.flow.engine import PipelineEngine
from quadrat.serving.launch import Launcher
from quadrat.storage.blobs import BlobStore
from support.desk import Desk, sit_down
from support.flow import run_flow
from support.house import SEALER, House, open_house
from support.places import open_places
from support.serving import ServingHouse, open_serving


@pytest.fixture
async def desk(house: House, db: Database, tmp_path: Path) -> Desk:
    """For what needs no model to run."""
    blobs = BlobStore.on_disk(tmp_path / "store", b"k" * 32)
    # Its listener is never started, so it remembers what it has seen: no test here asks for a direct request twice.
    engine = ServingEngine(db, Listener(db.dsn), Launcher(LocalRunner(tmp_path / "runner"), blobs, SEALER))
    pipelines = PipelineEngine(db, Listener(db.dsn), engine, Courier(db, SEALER, open_places(), engine))
    house.state |= {"engine": engine, "blobs": blobs, "pipelines": pipelines}
    return await sit_down(house)


@pytest.fixture(scope="module")
def open_dir() -> Iterator[Path]:
    """A directory that every user of the machine may enter: models run as another one."""
    folder = Path(tempfile.mkdtemp(prefix="quadrat-ubiops-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
async def runner(open_dir: Path, anyio_backend: str) -> AsyncIterator[Runner]:
    runner = LocalRunner(open_dir / "runner")
    yield runner
    await runner.close()


@pytest.fixture
async def serving(
    new_migrated_database: Callable[[], str], tmp_path: Path, runner: Runner
) -> AsyncIterator[ServingHouse]:
    """Builds are done by a worker, on a database of its own."""
    url = new_migrated_database()
    async with open_serving(url, tmp_path, runner) as serving:
        yield serving


@pytest.fixture
async def running_desk(serving: ServingHouse) -> AsyncIterator[Desk]:
    """For what runs models."""
    async with AsyncExitStack() as cleanup:
        house = await open_house(serving.db, cleanup)
        running = await cleanup.enter_async_context(run_flow(serving))
        house.state |= {"engine": running.engine, "blobs": serving.blobs, "pipelines": running.pipelines}
        yield await sit_down(house)
