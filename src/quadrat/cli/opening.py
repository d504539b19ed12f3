"""The database for one command."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from quadrat.cli.house import HouseError, OccupiedError, database_url, embedded, hold_data_dir
from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import Database
from quadrat.migrations.upgrade import upgrade
from quadrat.settings import Settings

_EMBEDDED_WAIT_S = 30.0


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database for one command, migrated: the running server's, or the embedded one started for the moment.

    Raises:
        HouseError: The data directory cannot be used, or the database of a running server does not come up.
    """
    with ExitStack() as cleanup:
        server = embedded(settings)
        if server is not None:
            try:
                cleanup.enter_context(hold_data_dir(settings.data_dir))
            except OccupiedError:
                await _wait_until_running(server)
            else:
                cleanup.callback(server.stop)
                await asyncio.to_thread(server.start)
        url = database_url(settings, server)
        await asyncio.to_thread(upgrade, url)
        db = Database(url, pool_size=2)
        try:
            yield db
        finally:
            await db.close()


async def _wait_until_running(server: EmbeddedPostgres) -> None:
    """The process that holds the directory may be starting at this moment."""
    deadline = time.monotonic() + _EMBEDDED_WAIT_S
    while not server.is_running():
        if time.monotonic() > deadline:
            raise HouseError("The server of this data directory runs, but its database does not come up.")
        await asyncio.sleep(0.1)
