from collections.abc import AsyncIterator, Callable

import pytest

from quadrat.db.engine import Database


@pytest.fixture
async def new_migrated(new_migrated_database: Callable[[], str], anyio_backend: str) -> AsyncIterator[Database]:
    """A migrated database that nobody has used."""
    url = new_migrated_database()
    database = Database(url, pool_size=5)
    yield database
    await database.close()
