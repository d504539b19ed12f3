"""One PostgreSQL for the whole run of one test process; a transaction that is rolled back for each test."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import Database, psycopg_dsn
from quadrat.migrations.upgrade import upgrade

_own_folder = pytest.StashKey[Path]()

# Both measure the machine, which may be busy, and not the code.
hypothesis.settings.register_profile("quadrat", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("quadrat")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A temporary folder for this run alone.

    Every pytest that starts closes the folder which all of one user share by default. Under root that cuts the
    databases and the models of the runs beside it, which are other users, off from what lies inside.
    """
    if os.geteuid() == 0 and not config.option.basetemp:
        config.stash[_own_folder] = Path(tempfile.mkdtemp(prefix="quadrat-tests-"))
        config.option.basetemp = str(config.stash[_own_folder])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What failed leaves its files to be looked at."""
    if exitstatus != pytest.ExitCode.OK and _own_folder in session.config.stash:
        del session.config.stash[_own_folder]


def pytest_unconfigure(config: pytest.Config) -> None:
    """What passed leaves nothing."""
    folder = config.stash.get(_own_folder, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server without Quadrat's tables: the one named in QUADRAT_TEST_DATABASE_URL, else an embedded one."""
    external = os.environ.get("QUADRAT_TEST_DATABASE_URL")
    if external:
        yield external
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def new_database(postgres_url: str) -> Callable[[], str]:
    """Makes an empty database of its own on the server and returns its address."""
    return lambda: make_database(postgres_url)


@pytest.fixture(scope="session")
def migrated_template(new_database: Callable[[], str]) -> str:
    """The name of a migrated database that nobody uses; to copy it is quicker than to run every migration."""
    url = new_database()
    upgrade(url)
    name = make_url(url).database
    assert name is not None
    return name


@pytest.fixture(scope="session")
def new_migrated_database(postgres_url: str, migrated_template: str) -> Callable[[], str]:
    """Makes a migrated database of its own on the server and returns its address."""
    return lambda: make_database(postgres_url, migrated_template)


@pytest.fixture(scope="session")
def database_url(new_migrated_database: Callable[[], str]) -> str:
    """A migrated database that tests of this process share; they use unique names instead of emptying tables."""
    return new_migrated_database()


def make_database(postgres_url: str, template: str = "template1") -> str:
    """A database of its own on the server, a copy of one to which nobody is connected."""
    name = f"quadrat_test_{uuid4().hex[:12]}"
    new = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(psycopg_dsn(postgres_url), autocommit=True) as conn:
        conn.execute(new)
    return make_url(postgres_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
async def db(database_url: str, anyio_backend: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=5)
    yield database
    await database.close()


class _RolledBackError(Exception):
    """Ends the transaction of a test."""


@pytest.fixture
async def tx(db: Database) -> AsyncIterator[AsyncConnection]:
    """A transaction that leaves nothing behind."""
    try:
        async with db.begin() as conn:
            yield conn
            raise _RolledBackError
    except _RolledBackError:
        return


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"
