import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from quadrat.runner.base import Runner
from quadrat.runner.local import LocalRunner
from support.people import unique
from support.serving import Engine, Gates, ServingHouse, open_serving, run_engine


@pytest.fixture(scope="module")
def open_dir() -> Iterator[Path]:
    """A directory that every user of the machine may enter: models run as another one."""
    folder = Path(tempfile.mkdtemp(prefix="quadrat-serving-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
async def runner(open_dir: Path, anyio_backend: str) -> AsyncIterator[Runner]:
    # Models of these tests tell what they do by files in a directory for all, which a sandbox would not show them.
    runner = LocalRunner(open_dir / "runner", sandboxed=False)
    yield runner
    await runner.close()


@pytest.fixture
async def serving(
    new_migrated_database: Callable[[], str], tmp_path: Path, runner: Runner, anyio_backend: str
) -> AsyncIterator[ServingHouse]:
    """Serving on a database of its own, since engines and workers look at all of it."""
    url = new_migrated_database()
    async with open_serving(url, tmp_path, runner) as house:
        yield house


@pytest.fixture
def gates(open_dir: Path) -> Gates:
    return Gates(open_dir / unique("gates"))


@pytest.fixture
async def engine(serving: ServingHouse) -> AsyncIterator[Engine]:
    async with run_engine(serving) as running:
        yield running
