import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.gaze.analysis import Analyst
from quadrat.gaze.pictures.pool import Pictures
from quadrat.gaze.tasks.handlers import HANDLERS
from quadrat.jobs.registry import Registry
from quadrat.jobs.waiting import JobWaiter
from quadrat.jobs.worker import Worker, WorkerTiming
from quadrat.storage.blobs import BlobStore
from support.gaze import Lab, set_up
from support.house import House, open_house


@dataclass(frozen=True, slots=True)
class Resources:
    blobs: BlobStore
    unused_upload_life: timedelta = timedelta(days=7)


@pytest.fixture(scope="session")
def gaze_database(new_migrated_database: Callable[[], str]) -> str:
    """A database of its own: a worker takes every job that it finds."""
    return new_migrated_database()


@pytest.fixture(scope="module")
async def gaze_house(
    gaze_database: str, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[House]:
    """What the areas-of-interest API needs, a worker for its jobs among it; a module's tests share it."""
    async with AsyncExitStack() as cleanup:
        db = Database(gaze_database, pool_size=8)
        cleanup.push_async_callback(db.close)
        house = await open_house(db, cleanup)
        blobs = BlobStore.on_disk(tmp_path_factory.mktemp("gaze") / "store", b"k" * 32)
        listener = Listener(db.dsn)
        waiter = JobWaiter(db, listener)
        await listener.start()
        cleanup.push_async_callback(listener.stop)
        pictures = Pictures()
        cleanup.push_async_callback(pictures.close)
        house.state |= {
            "blobs": blobs,
            "analyst": Analyst(db, blobs),
            "job_waiter": waiter,
            "pictures": pictures,
            "engine": None,
        }
        stop = asyncio.Event()
        worker = Worker(db, Registry(HANDLERS), Resources(blobs), concurrency=2, timing=WorkerTiming(grace_s=1.0))
        working = asyncio.create_task(worker.run(stop))
        try:
            yield house
        finally:
            stop.set()
            await working


@pytest.fixture
async def lab(gaze_house: House) -> Lab:
    return await set_up(gaze_house)
