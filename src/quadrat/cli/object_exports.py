"""`quadrat objects export`: object sets as files, from the shell."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from quadrat.base.clock import now
from quadrat.cli.choices import find_project, pair
from quadrat.cli.keys import secret_key
from quadrat.cli.opening import open_database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import users
from quadrat.objects.exporting.run import run_export
from quadrat.objects.exporting.types import (
    BACKUP,
    Exporter,
    ExportOrder,
    Images,
    Measure,
    Split,
    SummaryPlan,
    TablePlan,
    file_of,
)
from quadrat.objects.rules.filters import read_filters
from quadrat.opening import open_blobs
from quadrat.settings import Settings
from quadrat.storage.full import disk_full, is_disk_full


@dataclass(frozen=True, slots=True)
class _Wanted:
    target: Path
    project: str
    email: str | None
    filters: Mapping[str, str]
    plan: TablePlan | SummaryPlan


@click.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--project", required=True, help="Number or name of the project.")
@click.option("--user", "email", help="E-mail address of the user whom filters such as statusfilter=VM mean.")
@click.option(
    "--filter", "filters", multiple=True, metavar="NAME=VALUE", help="As in the API, e.g. statusfilter=V; repeatable."
)
@click.option("--backup", is_flag=True, help="A zip that can be imported again.")
@click.option(
    "--summary",
    type=click.Choice([Measure.ABUNDANCE.value, Measure.CONCENTRATION.value, Measure.BIOVOLUME.value]),
    help="A table of sums instead of objects.",
)
@click.option(
    "--by",
    type=click.Choice([split.value for split in Split]),
    help="One table for each of these; in a summary, what is summed up.",
)
@click.option("--images", type=click.Choice([images.value for images in Images]), default="none", help="Images to add.")
@click.option("--internal-ids", is_flag=True, help="The server's own numbers as well.")
@click.option("--types", is_flag=True, help="A second line with the types of the columns.")
@click.option(
    "--formula",
    "formulae",
    multiple=True,
    metavar="NAME=FORMULA",
    help="For a summary: total_water_volume, subsample_coef, individual_volume; those of the project otherwise.",
)
@click.pass_obj
def export(settings: Settings, /, target: Path, project: str, email: str | None, **given: object) -> None:
    """Export objects into a file, or into a folder under the usual name.

    Without options a zip with one table of everything.
    """
    filters = dict(pair(str(text)) for text in _many(given["filters"]))
    wanted = _Wanted(target, project, email, filters, _plan(given))
    path, n_lines = asyncio.run(_export(settings, wanted))
    click.echo(f"{n_lines} lines in {path}.")


def _many(given: object) -> Sequence[object]:
    return given if isinstance(given, tuple) else ()


def _plan(given: Mapping[str, object]) -> TablePlan | SummaryPlan:
    if given["backup"] and given["summary"]:
        raise click.UsageError("--backup and --summary exclude each other.")
    by = None if given["by"] is None else Split(str(given["by"]))
    if given["summary"] is not None:
        if by is Split.TAXON:
            raise click.UsageError("A summary is by sample, acquisition or none: it has a line for each taxon anyway.")
        formulae = dict(pair(str(text)) for text in _many(given["formulae"]))
        return SummaryPlan(Measure(str(given["summary"])), by or Split.SAMPLE, formulae=formulae)
    if given["backup"]:
        return BACKUP
    images = Images(str(given["images"]))
    return TablePlan(
        split=by or Split.NONE,
        images=images,
        with_bytes=images is not Images.NONE,
        internal_ids=bool(given["internal_ids"]),
        types_row=bool(given["types"]),
    )


async def _export(settings: Settings, wanted: _Wanted) -> tuple[Path, int]:
    read_filters(wanted.filters)
    async with open_database(settings) as db:
        async with db.begin() as tx:
            project_id = await find_project(tx, wanted.project)
            user_id = None if wanted.email is None else (await users.get_user_by_email(tx, wanted.email)).id
        at = now()
        name = file_of(wanted.plan, project_id, at).name
        path = wanted.target / name if wanted.target.is_dir() else wanted.target
        log: list[str] = []

        async def note(line: str) -> None:
            log.append(f"{now():%Y-%m-%d %H:%M:%S} {line}\n")

        async def read_log() -> str:
            return "".join(log)

        order = ExportOrder(project_id, user_id, wanted.filters, at, "export.log", read_log)
        with click.progressbar(length=1000, label="Exporting", show_eta=False) as bar:

            async def progress(percent: float, _message: str) -> None:
                bar.update(max(0, round(percent * 10) - bar.pos))

            exporter = Exporter(db, open_blobs(settings, secret_key(settings)), progress, note)
            n_lines = await run_export(exporter, order, wanted.plan, lambda pieces: _write(path, pieces))
            bar.update(1000 - bar.pos)
    return path, n_lines


async def _write(path: Path, pieces: AsyncIterator[bytes]) -> None:
    """The file appears whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(part.replace, path)
    except OSError as error:
        if is_disk_full(error):
            raise disk_full() from error
        raise QuadratError(ErrorKind.INVALID, f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
