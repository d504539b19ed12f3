"""A database for the tests of jobs alone: workers take every job that they find."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from quadrat.db.engine import Database
from support.jobs import House, StartWorker, starting_workers


@pytest.fixture(scope="module")
def jobs_url(new_migrated_database: Callable[[], str]) -> str:
    return new_migrated_database()


@pytest.fixture
async def house(jobs_url: str) -> AsyncIterator[House]:
    db = Database(jobs_url, pool_size=3)
    yield House(db)
    await db.close()


@pytest.fixture
def start_worker(jobs_url: str) -> Iterator[StartWorker]:
    with starting_workers(jobs_url) as start:
        yield start
