"""`quadrat samples`: bring image folders and buckets in without a copy, and take datasets out."""

import asyncio
import csv
import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from quadrat.cli.opening import open_database
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import caller_in_name_of
from quadrat.identity.actions.users import get_user_by_email
from quadrat.identity.types import Caller
from quadrat.opening import open_references
from quadrat.samples.actions import datasets
from quadrat.samples.actions.imports import Imported, add_block, blocks
from quadrat.samples.actions.samples import stream_samples
from quadrat.samples.labelled import FORMATS, Labelled
from quadrat.samples.types import Dataset, DatasetKind, NewDataset, Part, SampleList
from quadrat.settings import Settings

_dataset = click.option("--dataset", "name", required=True, help="Name of the dataset.")
_user = click.option("--user", "email", help="E-mail address of its owner  [default: QUADRAT_ADMIN_EMAIL]")


@click.group()
def samples() -> None:
    """Datasets of image samples."""


@samples.command("import")
@click.argument("source")
@_dataset
@_user
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write skipped files to this CSV.")
@click.pass_obj
def import_(settings: Settings, source: str, name: str, email: str | None, report: Path | None) -> None:
    """Import the images of a folder, or of s3://bucket/prefix, without copying them.

    The dataset is made when it does not exist. Run it again to go on after an interruption, or to take in what came
    since: what is there already is left alone, files that changed are read again. Measuring and thumbnails are done by
    the workers of `quadrat serve`.
    """
    # A report names every file, however many they are.
    done = Imported() if report is None else Imported(most_named=None)
    asyncio.run(_import(settings, source, name, email, done))
    click.echo(
        f"{done.new} new, {done.known} known already, {done.changed} changed, {done.n_skipped} skipped in {name}."
    )
    if report is not None:
        with report.open("w", newline="") as file:
            csv.writer(file).writerows([("file", "reason"), *done.skipped.items()])
    elif done.skipped:
        for left_out, reason in list(done.skipped.items())[:10]:
            click.echo(f"  skipped {left_out!r}: {reason}", err=True)
        if done.n_skipped > 10:
            click.echo(f"  ... and {done.n_skipped - 10} more; --report FILE lists them", err=True)


@samples.command("export")
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@_dataset
@_user
@click.option("--format", "form", type=click.Choice(FORMATS), required=True)
@click.option("--labels", default="objects", help="Key of the custom metadata with the boxes  [default: objects]")
@click.pass_obj
def export(settings: Settings, target: Path, name: str, email: str | None, form: str, labels: str) -> None:
    """Write a dataset's file names, numbers and boxes as COCO, YOLO, Pascal VOC or CSV into a folder.

    Boxes are read from the custom metadata of each sample: under the key --labels a list of
    {"category": NAME, "bbox": [x, y, width, height]} in px.
    """
    count, boxes = asyncio.run(_export(settings, target, name, email, form, labels))
    click.echo(f"{count} samples with {boxes} boxes written to {target} as {form}.")


async def _import(settings: Settings, source: str, name: str, email: str | None, done: Imported) -> None:
    references = open_references(settings)
    async with _opened(settings, name, email, make=True) as (db, _, dataset):
        found = references.walk(source)
        with click.progressbar(
            blocks(found, done),
            label=f"Importing into {name}",
            file=sys.stderr,
            item_show_func=lambda _: f"{done.new + done.known + done.changed} images",
        ) as bar:
            for block in bar:
                async with db.begin() as tx:
                    await add_block(tx, dataset.id, block, settings.max_samples_per_dataset, done)


async def _export(
    settings: Settings, target: Path, name: str, email: str | None, form: str, labels: str
) -> tuple[int, int]:
    async with _opened(settings, name, email, make=False) as (db, _, dataset):
        found = [
            Labelled.of(sample, labels) async for sample in stream_samples(db, SampleList(dataset.id, part=Part.FULL))
        ]
    # Loaded here and nowhere else: the libraries of this command have no place in the web server, which shares the CLI.
    exporting = importlib.import_module("quadrat.samples.exporting")
    count: tuple[int, int] = await asyncio.to_thread(exporting.write_export, target, form, found)
    return count


@asynccontextmanager
async def _opened(
    settings: Settings, name: str, email: str | None, *, make: bool
) -> AsyncIterator[tuple[Database, Caller, Dataset]]:
    async with open_database(settings) as db:
        async with db.begin() as tx:
            caller = await _caller(tx, email or settings.admin_email)
            found = await datasets.list_datasets(tx, caller, shared=False, page=datasets.Page(), name=name)
            if found:
                dataset = found[0]
            elif make:
                made = await datasets.create_dataset(tx, caller, NewDataset(name, DatasetKind.IMAGES, None, None))
                dataset = await datasets.open_dataset(tx, caller, made, "samples.read")
            else:
                raise QuadratError(ErrorKind.NOT_FOUND, f"{caller.email} has no dataset called {name}.")
        yield db, caller, dataset


async def _caller(tx: Any, email: str | None) -> Caller:
    if email is None:
        raise click.UsageError("Say whose dataset it is: --user EMAIL.")
    try:
        user = await get_user_by_email(tx, email)
    except QuadratError as error:
        hint = f"Make one with `quadrat user create --email {email}`; the first `quadrat serve` makes an administrator."
        raise click.ClickException(f"{error.message} {hint}") from None
    caller = await caller_in_name_of(tx, user.id)
    if caller is None:
        raise QuadratError(ErrorKind.FORBIDDEN, f"{email} is not active.")
    return caller
