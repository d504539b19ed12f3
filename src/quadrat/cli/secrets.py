"""`quadrat secrets`: the key under which secrets lie at rest."""

import asyncio

import click

from quadrat.base.sealing import Sealer
from quadrat.cli.house import HouseError
from quadrat.cli.keys import KeyFile, open_sealer
from quadrat.cli.opening import open_database
from quadrat.db.engine import Database
from quadrat.db.sealed import SealedColumn, reseal_block
from quadrat.identity.audit import record
from quadrat.serving.store.sealed import SEALED
from quadrat.settings import Settings

_BLOCK = 500


@click.group()
def secrets() -> None:
    """Secrets at rest: credentials and secret environment variables."""


@secrets.command()
@click.option("--keep-key", is_flag=True, help="Only seal what an interrupted run has left under the old key.")
@click.pass_obj
def rotate(settings: Settings, *, keep_key: bool) -> None:
    """Put a new key in place of the old one and seal every secret anew, while the server runs.

    With QUADRAT_SECRET_KEY the key is yours to change: set the new one, and the old one as QUADRAT_PREVIOUS_SECRET_KEY,
    start every server again, and run this. A run that was cut off can be repeated with --keep-key. Signed addresses
    use the new key from the next start on.
    """
    if settings.secret_key is None:
        if not keep_key:
            KeyFile(settings.data_dir).renew()
    elif settings.previous_secret_key is None:
        raise HouseError("Set the new key as QUADRAT_SECRET_KEY and the old one as QUADRAT_PREVIOUS_SECRET_KEY first.")
    sealed, failed = asyncio.run(_reseal(settings))
    click.echo(f"Sealed {sealed} secret{'' if sealed == 1 else 's'} under the current key.")
    if failed:
        raise HouseError(f"{failed} could not be opened with any key; the log names them. Enter these secrets anew.")


async def _reseal(settings: Settings) -> tuple[int, int]:
    sealer = open_sealer(settings)
    async with open_database(settings) as db:
        counts = [await _reseal_column(db, sealer, column) for column in SEALED]
        sealed, failed = (sum(count) for count in zip(*counts, strict=True))
        async with db.begin() as tx:
            await record(tx, "secrets.rotated", sealed=sealed, failed=failed)
    return sealed, failed


async def _reseal_column(db: Database, sealer: Sealer, column: SealedColumn) -> tuple[int, int]:
    sealed = failed = 0
    after = None
    while True:
        async with db.begin() as tx:
            step = await reseal_block(tx, sealer, column, after, _BLOCK)
        sealed, failed, after = sealed + step.sealed, failed + step.failed, step.last
        if after is None:
            return sealed, failed
