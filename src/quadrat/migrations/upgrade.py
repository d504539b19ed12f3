"""Bring a database to the state that this program needs, or say why it cannot be used."""

import pkgutil
import re
from pathlib import Path

import structlog
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from quadrat.db.engine import sqlalchemy_url
from quadrat.db.locks import NAMESPACE, AdvisoryLock
from quadrat.errors import OperatorError
from quadrat.identity.permissions import DEFAULT_ROLES

_log = structlog.get_logger(__name__)

COMPATIBILITY = 1
"""Raised when a change makes the database unusable for the programs before it; they then refuse to start."""

MIN_POSTGRES = 150000
_VERSIONS = Path(__file__).parent / "versions"
_VERSION = re.compile(r"(\d{4})_\w+\.py")


class DatabaseError(OperatorError):
    """The database cannot be used; the message says why and how to mend it."""


def upgrade(url: str) -> list[str]:
    """Apply what is missing, under a lock, each version in its own transaction.

    Returns:
        The revisions that were applied.

    Raises:
        DatabaseError: Not reachable, too old, or written by a newer Quadrat.
    """
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as conn:
            _check_server(conn)
            key = (NAMESPACE, int(AdvisoryLock.MIGRATIONS))
            conn.execute(select(func.pg_advisory_lock(*key)))
            conn.commit()
            try:
                return _upgrade(conn)
            finally:
                conn.rollback()
                conn.execute(select(func.pg_advisory_unlock(*key)))
                conn.commit()
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseError(f"The database does not answer: {reason}. Check QUADRAT_DATABASE_URL.") from error
    finally:
        engine.dispose()


def pending(url: str) -> list[str]:
    """Revisions that `upgrade` would apply, oldest first."""
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as conn:
            return _missing(conn)
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseError(f"The database does not answer: {reason}. Check QUADRAT_DATABASE_URL.") from error
    finally:
        engine.dispose()


def revisions() -> list[str]:
    """All of them, oldest first: each file of a version begins with its number."""
    return sorted(found[1] for file in _VERSIONS.iterdir() if (found := _VERSION.fullmatch(file.name)))


def _upgrade(conn: Connection) -> list[str]:
    _check_compatibility(conn)
    missing = _missing(conn)
    if missing:
        _log.info("database.upgrading", revisions=missing)
        conn.execute(text("SET lock_timeout = '5s'"))
        conn.commit()
        # Loaded when there is something to apply: every other start does without it.
        pkgutil.resolve_name("quadrat.migrations.versioning:apply_all")(conn)
        conn.execute(
            text(
                "INSERT INTO public.quadrat_schema (singleton, compatibility) VALUES (true, :number) "
                "ON CONFLICT (singleton) DO UPDATE SET compatibility = excluded.compatibility"
            ),
            {"number": COMPATIBILITY},
        )
        conn.commit()
    _renew_default_roles(conn)
    return missing


def _renew_default_roles(conn: Connection) -> None:
    """The default roles are the program's; they follow its permission list."""
    conn.execute(
        text(
            "INSERT INTO identity.role (uuid, project_id, name, permissions) "
            "VALUES (gen_random_uuid(), NULL, :name, :permissions) "
            "ON CONFLICT (project_id, name) DO UPDATE SET permissions = excluded.permissions"
        ),
        [{"name": name, "permissions": sorted(held)} for name, held in DEFAULT_ROLES.items()],
    )
    conn.commit()


def _missing(conn: Connection) -> list[str]:
    known = revisions()
    if conn.execute(text("SELECT to_regclass('public.alembic_version')")).scalar_one() is None:
        return known
    current = conn.execute(text("SELECT version_num FROM public.alembic_version")).scalar_one_or_none()
    if current is None:
        return known
    if current not in known:
        raise DatabaseError(
            f"The database is at revision {current}, which this Quadrat does not know: a newer one wrote it. "
            "Install that version again."
        )
    return known[known.index(current) + 1 :]


def _check_server(conn: Connection) -> None:
    version = int(conn.execute(text("SHOW server_version_num")).scalar_one())
    if version < MIN_POSTGRES:
        raise DatabaseError(f"Quadrat needs PostgreSQL 15 or newer; this server is {version // 10000}.")


def _check_compatibility(conn: Connection) -> None:
    if conn.execute(text("SELECT to_regclass('public.quadrat_schema')")).scalar_one() is None:
        return
    number = conn.execute(text("SELECT compatibility FROM public.quadrat_schema")).scalar_one_or_none()
    if number is not None and number > COMPATIBILITY:
        raise DatabaseError(
            f"The database has compatibility number {number}, this Quadrat goes up to {COMPATIBILITY}: a newer one "
            "wrote it. Install that version again."
        )
