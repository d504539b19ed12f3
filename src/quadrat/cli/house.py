"""The data directory: who may use it, and its database."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import Database
from quadrat.migrations.upgrade import upgrade
from quadrat.settings import Settings

_EMBEDDED_WAIT_S = 30.0


class HouseError(Exception):
    """The data directory cannot be used as asked; the message says why and how to mend it."""


class OccupiedError(HouseError):
    """Another process owns the data directory."""


@contextmanager
def hold_data_dir(data_dir: Path) -> Iterator[None]:
    """Own the data directory until the end of the block; the lock ends with the process, however it ends.

    Raises:
        OccupiedError: Another process owns it.
        HouseError: It cannot be written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "quadrat.lock").open("a+")
    except OSError as error:
        raise HouseError(f"The data directory {data_dir} cannot be used: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise OccupiedError(
                f"Another Quadrat (process {holder}) already runs on {data_dir.resolve()}. "
                "Stop it first, or choose another directory with --data-dir."
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def embedded(settings: Settings) -> EmbeddedPostgres | None:
    """The embedded database, or None when the settings name another one."""
    return EmbeddedPostgres(settings.data_dir) if settings.database_url is None else None


def database_url(settings: Settings, server: EmbeddedPostgres | None) -> str:
    """Where the database is; the embedded one must have been created."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    assert server is not None  # noqa: S101 - one of the two is given
    return server.url


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
