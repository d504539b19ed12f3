from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from quadrat.db.engine import Database
from support.gallery import Gallery, open_gallery, run_worker
from support.house import House, open_house


@pytest.fixture
async def gallery(house: House, tmp_path: Path) -> Gallery:
    """For what needs no job to run."""
    return await open_gallery(house, tmp_path)


@pytest.fixture(scope="module")
def own_database_url(new_migrated_database: Callable[[], str]) -> str:
    """For modules with a worker, which looks at all jobs of a database."""
    return new_migrated_database()


@pytest.fixture
async def working_gallery(own_database_url: str, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Gallery]:
    """For what needs jobs."""
    async with AsyncExitStack() as cleanup:
        db = Database(own_database_url, pool_size=8)
        cleanup.push_async_callback(db.close)
        gallery = await open_gallery(await open_house(db, cleanup), tmp_path)
        await cleanup.enter_async_context(run_worker(gallery))
        yield gallery
