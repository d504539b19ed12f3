"""`quadrat taxa`: the taxonomy."""

import asyncio
from pathlib import Path

import click

from quadrat.cli.opening import open_database
from quadrat.objects.actions.taxa_import import TakenIn, import_taxa
from quadrat.settings import Settings


@click.group()
def taxa() -> None:
    """The taxonomy."""


@taxa.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--under", type=int, help="Number of the taxon below which the file's roots go; else they stay roots.")
@click.pass_obj
def import_(settings: Settings, file: Path, under: int | None) -> None:
    """Add the taxa of a file: of WoRMS or GBIF (Darwin Core, taxonID, parentNameUsageID, scientificName), or with the
    columns id, parent_id, name, taxotype and display_name, whose numbers and display names are kept where they are
    free.

    UTF-8 text with tabs between the columns, whose names stand in the first line. Taxa that an earlier file has brought
    stay as they are, so that a newer edition can be taken in.
    """  # noqa: D205 - click's help
    done = asyncio.run(_import(settings, file, under))
    click.echo(f"{done.n_made} taxa added, {done.n_known} were there already.")
    if done.n_renumbered:
        click.echo(f"{done.n_renumbered} of them got a new number, since theirs belonged to another taxon.")


async def _import(settings: Settings, file: Path, under: int | None) -> TakenIn:
    async with open_database(settings) as db, db.begin() as tx:
        return await import_taxa(tx, file, under=under)
