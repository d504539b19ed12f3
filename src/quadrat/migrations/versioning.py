"""Alembic, as it is used here: without an ini file, on a connection that others have opened."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

_HERE = Path(__file__).parent


def config(conn: Connection | None = None) -> Config:
    """Alembic's configuration."""
    made = Config()
    made.set_main_option("script_location", str(_HERE))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = conn
    return made


def apply_all(conn: Connection) -> None:
    """Run the versions that the database lacks, each in its own transaction."""
    command.upgrade(config(conn), "head")
