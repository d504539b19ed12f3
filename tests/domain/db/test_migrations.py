import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from quadrat.db.engine import psycopg_dsn, sqlalchemy_url
from quadrat.identity.permissions import DEFAULT_ROLES
from quadrat.migrations.upgrade import COMPATIBILITY, DatabaseError, pending, revisions, upgrade
from quadrat.migrations.versioning import config


def test_numbers_of_files_are_the_revisions_in_their_order() -> None:
    found = [revision.revision for revision in ScriptDirectory.from_config(config()).walk_revisions("base", "head")]
    assert revisions() == found[::-1]


def test_upgrade_twice_applies_everything_once(new_database: Callable[[], str]) -> None:
    url = new_database()
    expected = pending(url)
    assert expected
    assert upgrade(url) == expected
    assert upgrade(url) == []
    assert pending(url) == []


def test_upgrade_of_several_processes_at_once_applies_everything_once(new_database: Callable[[], str]) -> None:
    url = new_database()
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(upgrade, [url] * 4))
    assert sorted(len(revisions) for revisions in applied)[:3] == [0, 0, 0]


def test_upgrade_leaves_exactly_the_tables_that_the_program_declares(new_database: Callable[[], str]) -> None:
    url = new_database()
    upgrade(url)
    engine = create_engine(sqlalchemy_url(url))
    with engine.connect() as conn:
        command.check(config(conn))
    engine.dispose()


def test_upgrade_renews_the_default_roles(database_url: str) -> None:
    with psycopg.connect(psycopg_dsn(database_url)) as conn:
        rows = conn.execute("SELECT name, permissions FROM identity.role WHERE project_id IS NULL").fetchall()
    stored = {name: frozenset(permissions) for name, permissions in rows if name in DEFAULT_ROLES}
    assert stored == DEFAULT_ROLES


def test_upgrade_database_of_a_newer_program_is_refused(new_database: Callable[[], str]) -> None:
    url = new_database()
    upgrade(url)
    with psycopg.connect(psycopg_dsn(url), autocommit=True) as conn:
        conn.execute("UPDATE public.quadrat_schema SET compatibility = %s", (COMPATIBILITY + 1,))
    with pytest.raises(DatabaseError, match="newer one wrote it"):
        upgrade(url)


def test_upgrade_unknown_revision_is_refused(new_database: Callable[[], str]) -> None:
    url = new_database()
    upgrade(url)
    with psycopg.connect(psycopg_dsn(url), autocommit=True) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="9999"):
        upgrade(url)


def test_upgrade_without_a_server_says_where_to_look() -> None:
    with pytest.raises(DatabaseError, match="QUADRAT_DATABASE_URL"):
        upgrade("postgresql://nobody@127.0.0.1:1/none")


def test_upgrade_runs_outside_the_event_loop(new_database: Callable[[], str]) -> None:
    """`serve` calls it before its loop starts; commands call it in a thread of theirs."""
    url = new_database()
    assert asyncio.run(asyncio.to_thread(upgrade, url))
