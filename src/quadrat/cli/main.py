"""The `quadrat` command."""

import pkgutil
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import click

from quadrat import log
from quadrat.errors import OperatorError, QuadratError
from quadrat.settings import Settings, SettingsError

_EXPECTED = (OperatorError, SettingsError, QuadratError)
# The whole program takes seconds to load; each command loads what it needs.
_COMMANDS = {
    "audit": "quadrat.cli.audit:audit",
    "db": "quadrat.cli.database:db",
    "doctor": "quadrat.cli.doctor:doctor",
    "objects": "quadrat.cli.objects:objects",
    "samples": "quadrat.cli.samples:samples",
    "secrets": "quadrat.cli.secrets:secrets",
    "serve": "quadrat.cli.serve:serve",
    "taxa": "quadrat.cli.taxa:taxa",
    "token": "quadrat.cli.tokens:token",
    "user": "quadrat.cli.users:user",
    "worker": "quadrat.cli.worker:worker",
}


class _Group(click.Group):
    """Loads commands when they are asked for, and turns the errors that an operator can mend into one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = pkgutil.resolve_name(_COMMANDS[cmd_name])
        return command

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
def version() -> None:
    """Print the version."""
    click.echo(f"quadrat {installed_version('quadrat')}")


if __name__ == "__main__":
    main()
