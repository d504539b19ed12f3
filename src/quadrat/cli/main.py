"""The `quadrat` command."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import click

from quadrat import log
from quadrat.cli import serve as serving
from quadrat.cli import worker as working
from quadrat.cli.audit import audit
from quadrat.cli.doctor import doctor
from quadrat.cli.house import HouseError, database_url, embedded, hold_data_dir
from quadrat.cli.objects import objects
from quadrat.cli.samples import samples
from quadrat.cli.secrets import secrets
from quadrat.cli.taxa import taxa
from quadrat.cli.tokens import token
from quadrat.cli.users import user
from quadrat.db.embedded import EmbeddedPostgresError
from quadrat.errors import QuadratError
from quadrat.migrations.upgrade import DatabaseError, upgrade
from quadrat.settings import Settings, SettingsError

_EXPECTED = (HouseError, EmbeddedPostgresError, DatabaseError, SettingsError, QuadratError)


class _Group(click.Group):
    """Turns the errors that an operator can mend into one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _EXPECTED as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the embedded database, stored bytes, environments and keys  [default: ./quadrat-data]",
)
@click.pass_context
def main(ctx: click.Context, data_dir: Path | None) -> None:
    """Quadrat: from raw image samples to labelled objects, measured regions and served models.

    Every option can be set as an environment variable QUADRAT_<NAME> as well; docs/settings.md lists them all.
    """
    ctx.obj = Settings.load(data_dir=data_dir)
    # What a command prints is its own; warnings go to stderr.
    log.configure(level="warning", format=ctx.obj.log_format, process="cli")


@main.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="As before the command.")
@click.option("--host", help="Address to listen on  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one  [default: 8000]")
@click.option("--workers", type=click.IntRange(0, 64), help="Job worker processes to start  [default: 1]")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="[default: info]")
@click.pass_obj
def serve(settings: Settings, /, **options: Any) -> None:
    """Start everything: database, workers, the four APIs and the pages.

    On an empty data directory this makes the first administrator and prints its token once. Ctrl-C finishes what is
    running and stops cleanly.
    """
    chosen = settings.with_options(**options)
    log.configure(level=chosen.log_level, format=chosen.log_format, process="web")
    serving.run(chosen)


@main.command()
@click.option("--stop-with-parent", is_flag=True, hidden=True, help="End when standard input is closed.")
@click.option("--concurrency", "worker_concurrency", type=click.IntRange(1, 64), help="Jobs at a time  [default: 2]")
@click.pass_obj
def worker(settings: Settings, /, stop_with_parent: bool, **options: Any) -> None:
    """Run jobs (imports, builds, clean-up) beside a server, on this machine or another with the same database."""
    chosen = settings.with_options(**options)
    log.configure(level=chosen.log_level, format=chosen.log_format, process="worker")
    working.run(chosen, stop_with_parent=stop_with_parent)


@main.group()
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


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(f"quadrat {installed_version('quadrat')}")


main.add_command(user)
main.add_command(token)
main.add_command(samples)
main.add_command(doctor)
main.add_command(objects)
main.add_command(taxa)
main.add_command(secrets)
main.add_command(audit)

if __name__ == "__main__":
    main()
