"""Databases whose server has no extensions to offer."""

import psycopg
import pytest
from psycopg import sql

from quadrat.db.engine import psycopg_dsn
from quadrat.migrations.upgrade import upgrade


def without_extensions(url: str) -> str:
    """Keep what the server has installed from an empty database, and bring it up to date."""
    with psycopg.connect(psycopg_dsn(url), autocommit=True) as conn:
        if conn.info.server_version < 180_000:
            pytest.skip("before PostgreSQL 18 an extension that is installed cannot be kept from a database")
        name = sql.Identifier(conn.info.dbname)
        conn.execute(sql.SQL("ALTER DATABASE {} SET extension_control_path = '/nowhere'").format(name))
    upgrade(url)
    return url
