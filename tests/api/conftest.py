from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from quadrat.db.engine import Database
from support.house import House, open_house


@pytest.fixture
async def house(db: Database) -> AsyncIterator[House]:
    """The APIs in process. A test module that needs more parts adds them to ``house.state``."""
    async with AsyncExitStack() as cleanup:
        yield await open_house(db, cleanup)
