"""`quadrat objects`: object sets from the shell."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.cli.choices import find_project, pair
from quadrat.cli.keys import secret_key
from quadrat.cli.object_exports import export
from quadrat.cli.opening import open_database
from quadrat.cli.predict import predict
from quadrat.cli.worker import import_processes
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import users
from quadrat.identity.types import UserId
from quadrat.objects.archive.reading import open_archive
from quadrat.objects.importing.images_scan import ImagesScan
from quadrat.objects.importing.leftovers import remove_all_leftovers
from quadrat.objects.importing.run import ImportRefusedError, MakeScan, NamesMissingError, run_import
from quadrat.objects.importing.types import Answers, Imported, ImportOptions, ImportPlace, Order, UpdateMode, Workshop
from quadrat.objects.rules.lines import is_index
from quadrat.objects.rules.simple import read_values
from quadrat.objects.store import imports as store
from quadrat.opening import open_blobs
from quadrat.settings import Settings

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class _Wanted:
    source: Path
    project: str
    email: str
    options: ImportOptions
    taxa: Sequence[tuple[str, str]]
    people: Sequence[tuple[str, str]]
    values: Sequence[tuple[str, str]]


@click.group()
def objects() -> None:
    """Object sets: images of objects that people and models classify."""


objects.add_command(predict)
objects.add_command(export)


@objects.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--project", required=True, help="Number or name of the project.")
@click.option("--user", "email", required=True, help="E-mail address of the user who imports.")
@click.option("--skip-existing", is_flag=True, help="Pass over images that the project has.")
@click.option("--skip-loaded", is_flag=True, help="Pass over index files that were imported before.")
@click.option(
    "--update",
    type=click.Choice(["facts", "classification"]),
    help="Change known objects instead: what is measured, or their classification as well.",
)
@click.option("--taxon", "taxa", multiple=True, metavar="TEXT=TAXON", help="What a category means; may be repeated.")
@click.option("--person", "people", multiple=True, metavar="NAME=E-MAIL", help="Who a person is; may be repeated.")
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="For images without an index file, what all share: imgdate, imgtime, latitude, longitude, depthmin, depthmax, "
    "taxolb, userlb, status; may be repeated.",
)
@click.pass_obj
def import_(
    settings: Settings, /, source: Path, project: str, email: str, **given: tuple[str, ...] | bool | str
) -> None:
    """Import a zip or a folder: index files ecotaxa*.tsv with their images, or plain images.

    Everything is checked first; what is wrong is named by file and line, and then nothing is imported.
    """
    mode = {None: UpdateMode.CREATE, "facts": UpdateMode.FACTS, "classification": UpdateMode.CLASSIFICATION}
    options = ImportOptions(
        skip_loaded_files=bool(given["skip_loaded"]),
        skip_existing_objects=bool(given["skip_existing"]),
        update_mode=mode[given["update"]],  # type: ignore[index] # one of the choices
    )
    pairs = {name: [pair(text) for text in given[name]] for name in ("taxa", "people", "values")}  # type: ignore[union-attr]
    done = asyncio.run(_import(settings, _Wanted(source, project, email, options, **pairs)))
    click.echo(f"{done.n_objects} objects and {done.n_images} images added, {done.n_updates} updates.")


async def _import(settings: Settings, wanted: _Wanted) -> Imported:
    async with open_database(settings) as db:
        blobs = open_blobs(settings, secret_key(settings))
        await remove_all_leftovers(db, blobs)
        async with db.begin() as tx:
            user = await users.get_user_by_email(tx, wanted.email)
            project_id = await find_project(tx, wanted.project)
            answers = await _answers(tx, wanted)
        place = ImportPlace(project_id, user.id, now())
        with click.progressbar(length=1000, label="Importing", show_eta=False) as bar:

            async def progress(percent: float, _message: str) -> None:
                bar.update(max(0, round(percent * 10) - bar.pos))

            workshop = Workshop(db, blobs, import_processes(settings), progress)
            order = Order(place, wanted.source, wanted.options, answers)
            done = await _told(workshop, order, await asyncio.to_thread(_make_scan, wanted))
            bar.update(1000 - bar.pos)
        return done


async def _told(workshop: Workshop, order: Order, make_scan: MakeScan | None) -> Imported:
    try:
        return await run_import(workshop, order, make_scan)
    except ImportRefusedError as refused:
        problems = refused.problems
        click.echo("", err=True)
        for sentence in problems.kept[:_SHOWN]:
            click.echo(sentence, err=True)
        more = f" The first {_SHOWN} are above." if problems.count > _SHOWN else ""
        raise QuadratError(ErrorKind.INVALID, f"Nothing was imported: {problems.count} mistakes.{more}") from refused
    except NamesMissingError as asked:
        lines = [f'--person "{name}=E-MAIL"' for name in asked.missing.users]
        lines += [f'--taxon "{name}=TAXON"' for name in asked.missing.taxa]
        raise QuadratError(
            ErrorKind.INVALID, "Nothing was imported: say who or what these are:\n" + "\n".join(lines)
        ) from asked


def _make_scan(wanted: _Wanted) -> MakeScan | None:
    """Plain images, where there is no index file."""
    if any(is_index(name) for name in open_archive(wanted.source).names()):
        return None
    same, problems = read_values(dict(wanted.values))
    if problems:
        raise QuadratError(ErrorKind.INVALID, "; ".join(problems))
    return lambda archive, _book, _loaded: ImagesScan(archive, same)


async def _answers(tx: AsyncConnection, wanted: _Wanted) -> Answers:
    taxa = await store.find_taxa(tx, {taxon.lower() for _, taxon in wanted.taxa})
    for _, taxon in wanted.taxa:
        if taxon.lower() not in taxa:
            raise QuadratError(ErrorKind.INVALID, f"There is no taxon {taxon}.")
    people: dict[str, UserId] = {}
    for name, email in wanted.people:
        people[name.lower()] = (await users.get_user_by_email(tx, email)).id
    return Answers(people, {text.lower(): taxa[taxon.lower()] for text, taxon in wanted.taxa})
