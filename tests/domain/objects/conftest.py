from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quadrat.db.engine import Database
from quadrat.objects.columns.cache import ColumnCache


@pytest.fixture
async def cache(db: Database, tmp_path: Path) -> AsyncIterator[ColumnCache]:
    made = ColumnCache(db, tmp_path / "columns", 64 * 1024**2)
    yield made
    await made.close()
