"""Connections to PostgreSQL: a transaction, a look, a read-only stream, and what a lost database looks like."""

import asyncio
import select as selecting
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import psycopg
from psycopg.pq.abc import PGconn
from sqlalchemy import URL, event, literal, make_url, select
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from quadrat.errors import ErrorKind, QuadratError

_CONNECT_TIMEOUT_S = 5
_POOL_TIMEOUT_S = 15
_UNREACHABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    ConnectionError,
)

INTEGRITY_ERRORS: tuple[type[Exception], ...] = (IntegrityError, psycopg.IntegrityError)
"""What a refused row raises, through SQLAlchemy and past it."""

# Operational errors too, but of a database that is well.
_IN_THE_WAY = (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable, psycopg.errors.SerializationFailure)


def sqlalchemy_url(url: str) -> URL:
    """The address with the driver that Quadrat uses, from any of the spellings in use."""
    return make_url(url).set(drivername="postgresql+psycopg")


def psycopg_dsn(url: str) -> str:
    """The address as libpq understands it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def is_unreachable(error: BaseException) -> bool:
    """Whether the error says that the database is gone, full or too busy, rather than that a statement is wrong."""
    if isinstance(error, DBAPIError) and isinstance(
        error.orig, psycopg.errors.DiskFull | psycopg.errors.AdminShutdown | psycopg.errors.CannotConnectNow
    ):
        return True
    return isinstance(error, _UNREACHABLE)


def is_unstorable(error: BaseException) -> bool:
    """Whether PostgreSQL refused text that it cannot hold, as any client may send it inside JSON."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, UnicodeEncodeError) or (
        isinstance(cause, psycopg.DataError) and cause.sqlstate is None and "NUL" in str(cause)
    )


def is_orphan(error: BaseException) -> bool:
    """Whether PostgreSQL refused a row because what it belongs to was deleted at the same moment."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    # The same error, in other words, keeps what still has such rows from being deleted.
    return isinstance(cause, psycopg.errors.ForeignKeyViolation) and (cause.diag.message_primary or "").startswith(
        "insert or update"
    )


def unavailable(error: BaseException | None = None) -> QuadratError:
    """What callers are told while the database does not answer, has no space to write, or others are in the way."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.DiskFull):
        return QuadratError(
            ErrorKind.UNAVAILABLE,
            "The disk of the database is full: nothing can be stored until there is space.",
            retry_after_s=30,
        )
    if isinstance(cause, _IN_THE_WAY):
        return QuadratError(
            ErrorKind.UNAVAILABLE,
            "Others changed the same things at the same moment, so nothing was changed; try again.",
            retry_after_s=1,
        )
    return QuadratError(
        ErrorKind.UNAVAILABLE,
        "The database does not answer at the moment; try again shortly.",
        retry_after_s=2,
    )


class Database:
    """A pool of connections to one PostgreSQL database.

    Args:
        url: ``postgresql://...``.
        pool_size: Most connections; a caller waits at most 15 s for one.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        self._engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_POOL_TIMEOUT_S,
            skip_autocommit_rollback=True,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "quadrat"},
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_if_lost)
        self._looking = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def dsn(self) -> str:
        """The address for a psycopg connection of one's own (LISTEN, COPY)."""
        return psycopg_dsn(self.url)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back on an exception.

        Raises:
            QuadratError: unavailable, when the database cannot be reached.
        """
        with _translated():
            async with _taken(self._engine) as conn, conn.begin():
                yield conn

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """For reading with statements that need not agree with each other: one way to the database each, none beside.

        What is written here stays, statement by statement: use `begin` to write.

        Raises:
            QuadratError: unavailable, when the database cannot be reached.
        """
        with _translated():
            async with _taken(self._looking) as conn:
                yield conn

    async def at_once(self, *statements: tuple[bytes, Mapping[str, Any]]) -> list[tuple[Any, ...] | None]:
        """One transaction of statements that need not wait for each other; the first row of each, None for none.

        They leave together with the beginning and the commit: one way to the database for all. Each sees what has been
        committed when its turn comes, as in `begin`. When one fails, nothing is kept.

        Raises:
            QuadratError: unavailable, when the database cannot be reached.
        """
        with _translated():
            async with _taken(self._looking) as conn:
                raw = await conn.get_raw_connection()
                connection = cast("psycopg.AsyncConnection[Any]", raw.driver_connection)
                try:
                    async with connection.pipeline():
                        await connection.execute(b"BEGIN ISOLATION LEVEL READ COMMITTED")
                        sent = [await connection.execute(statement, values) for statement, values in statements]
                        await connection.execute(b"COMMIT")
                except BaseException:
                    # Its transaction may be open still.
                    await asyncio.shield(asyncio.ensure_future(conn.invalidate()))
                    raise
                return [await each.fetchone() if each.description else None for each in sent]

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A read-only, repeatable-read transaction for answers that are streamed."""
        with _translated():
            async with self._engine.connect() as conn:
                snapshot = await conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with snapshot.begin():
                    yield snapshot

    async def answers(self) -> bool:
        """Whether a statement runs at this moment."""
        try:
            async with self.look() as conn:
                await conn.execute(select(literal(1)))
        except QuadratError:
            return False
        return True

    async def close(self) -> None:
        """Give all connections back."""
        await self._engine.dispose()


@asynccontextmanager
async def _taken(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that goes straight back when all went well: nothing is left to say to the database then.

    SQLAlchemy's own way begins a task for that, for which a busy event loop takes longer than for the whole rest.
    """
    conn = await engine.connect().start()
    try:
        yield conn
    except BaseException:
        await asyncio.shield(asyncio.ensure_future(conn.close()))
        raise
    await conn.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if is_unreachable(error):
            raise unavailable(error) from error
        if is_unstorable(error):
            raise QuadratError(ErrorKind.INVALID, "Text may not contain NUL characters or lone surrogates.") from error
        raise


def _refuse_if_lost(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool replace a connection that the server has closed, without asking the server each time.

    Between two uses a connection has nothing to say; one that is closed can be read from, to its end.
    """
    pgconn: PGconn = connection.driver_connection.pgconn
    try:
        if _can_be_read(pgconn):
            pgconn.consume_input()
            if _can_be_read(pgconn):
                raise DisconnectionError
    except psycopg.OperationalError as error:
        raise DisconnectionError from error


def _can_be_read(pgconn: PGconn) -> bool:
    poll = selecting.poll()
    poll.register(pgconn.socket, selecting.POLLIN)
    return bool(poll.poll(0))
