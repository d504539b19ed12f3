"""The data directory: who may use it, and where its database is. Loads nothing that takes long."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.errors import OperatorError
from quadrat.settings import Settings


class HouseError(OperatorError):
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
