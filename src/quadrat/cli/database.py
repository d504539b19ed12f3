"""`quadrat db`: the database's schema."""

import click

from quadrat.cli.house import database_url, embedded, hold_data_dir
from quadrat.migrations.upgrade import upgrade
from quadrat.settings import Settings


@click.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@click.pass_obj
def db_upgrade(settings: Settings) -> None:
    """Bring the database to the state that this version needs (serve does it at every start)."""
    server = embedded(settings)
    if server is None:
        applied = upgrade(database_url(settings, None))
    else:
        with hold_data_dir(settings.data_dir):
            try:
                server.start()
                applied = upgrade(server.url)
            finally:
                server.stop()
    click.echo(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")
