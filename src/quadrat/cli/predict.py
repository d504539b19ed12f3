"""`quadrat objects predict`: a prediction from the shell, as the job that the API makes."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.cli.opening import open_database
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import users
from quadrat.identity.actions.access import caller_in_name_of
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs import actions as jobs
from quadrat.jobs.rules import ENDED
from quadrat.jobs.types import Job, JobId, JobState
from quadrat.objects.actions.prediction import read_report, request_prediction
from quadrat.objects.prediction_types import Classifier, PredictionRequest
from quadrat.objects.store import imports as taxon_store
from quadrat.objects.store.projects import free_columns
from quadrat.objects.store.sets import find_project_number, read_counts
from quadrat.objects.types import UNCLASSIFIED_TAXON
from quadrat.settings import Settings

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class _Wanted:
    project: str
    email: str
    sources: Sequence[str]
    features: Sequence[str]
    categories: Sequence[str]
    limit: int | None
    classifier: Classifier
    deep: bool
    model: str | None


@click.command()
@click.option("--project", required=True, help="Number or name of the project whose objects are predicted.")
@click.option("--user", "email", required=True, help="E-mail address of the user who predicts.")
@click.option("--from", "sources", multiple=True, metavar="PROJECT", help="Learn from this one; may be repeated.")
@click.option("--feature", "features", multiple=True, metavar="NAME", help="Such as fre.area; all, when none is named.")
@click.option("--category", "categories", multiple=True, metavar="TAXON", help="Learn only these; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="Most objects of each category.")
@click.option("--classifier", type=click.Choice([each.value for each in Classifier]), default="random_forest")
@click.option("--deep", is_flag=True, help="Learn also from what the project's network makes of the images.")
@click.option("--model", metavar="PROJECT/MODEL/VERSION", help="Ask this served model instead of learning.")
@click.pass_obj
def predict(settings: Settings, /, **given: Any) -> None:
    """Predict the objects of a project that no person has decided on.

    It is a job like any other: the running server's workers and one of this command's own may do it, and it goes on
    there when this command is ended.
    """
    given["classifier"] = Classifier(given["classifier"])
    job, report = asyncio.run(_predict(settings, _Wanted(**given)))
    if job.state is not JobState.FINISHED:
        raise QuadratError(ErrorKind.INVALID, "; ".join(job.errors) or f"The job is {job.state}.")
    tested = report.get("accuracy")
    found = "" if tested is None else f" In cross-validation {tested:.1%} of {report['n_tested']} were right."
    click.echo(f"{job.result['rowcount']} objects predicted by job {job.id}.{found}")


async def _predict(settings: Settings, wanted: _Wanted) -> tuple[Job, dict[str, Any]]:
    async with open_database(settings) as db:
        async with db.begin() as tx:
            caller = await _caller(tx, wanted.email)
            asked = await request_prediction(tx, caller, await _request(tx, wanted))
        if asked.job_id is None:
            raise QuadratError(ErrorKind.INVALID, "; ".join(asked.errors))
        for warning in asked.warnings:
            click.echo(warning, err=True)
        async with _worker(settings):
            job = await _follow(db, caller, asked.job_id)
        report: dict[str, Any] = {}
        if job.state is JobState.FINISHED and wanted.model is None:
            async with db.begin() as tx:
                report = dict(await read_report(tx, caller, job.id))
        return job, report


async def _caller(tx: AsyncConnection, email: str) -> Caller:
    caller = await caller_in_name_of(tx, (await users.get_user_by_email(tx, email)).id)
    if caller is None:
        raise QuadratError(ErrorKind.FORBIDDEN, f"{email} may not sign in.")
    return caller


async def _request(tx: AsyncConnection, wanted: _Wanted) -> PredictionRequest:
    project_id = await _project(tx, wanted.project)
    sources = [await _project(tx, ref) for ref in wanted.sources] or [project_id]
    if wanted.model is not None:
        return PredictionRequest(project_id, {}, features=wanted.features, model=wanted.model)
    common = [set((await free_columns(tx, id_)).object_numbers) for id_ in (project_id, *sources)]
    named = (await free_columns(tx, project_id)).object_numbers
    everything = [f"fre.{name}" for name in named if all(name in names for names in common)]
    return PredictionRequest(
        project_id,
        {},
        sources,
        wanted.limit,
        list(wanted.features) or everything,
        await _categories(tx, wanted.categories, sources),
        use_network=wanted.deep,
        classifier=wanted.classifier,
    )


async def _project(tx: AsyncConnection, ref: str) -> ProjectId:
    found = await find_project_number(tx, ref)
    if found is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"There is no project {ref}.")
    return found


async def _categories(tx: AsyncConnection, names: Sequence[str], sources: Sequence[ProjectId]) -> list[int]:
    """Taxa by name or number; all that have validated objects, when none is named."""
    if not names:
        counts = [count for _, count in await read_counts(tx, sources) if count.n_validated]
        return sorted({count.taxon_id for count in counts} - {UNCLASSIFIED_TAXON})
    found = await taxon_store.find_taxa(tx, {name.lower() for name in names})
    numbers = await taxon_store.existing_taxa(tx, [int(name) for name in names if name.isdecimal()])
    taxa = []
    for name in names:
        taxon = found.get(name.lower(), int(name) if name.isdecimal() and int(name) in numbers else None)
        if taxon is None:
            raise QuadratError(ErrorKind.INVALID, f"There is no taxon {name}.")
        taxa.append(taxon)
    return taxa


@asynccontextmanager
async def _worker(settings: Settings) -> AsyncIterator[None]:
    """A worker beside those of a server, if there is one; it stops with this command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "quadrat.cli.main",
        "--data-dir",
        str(settings.data_dir.resolve()),
        "worker",
        "--stop-with-parent",
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _follow(db: Database, caller: Caller, job_id: JobId) -> Job:
    with click.progressbar(length=100, label="Predicting", show_eta=False) as bar:
        while True:
            async with db.begin() as tx:
                job = await jobs.get_job(tx, caller, job_id)
            bar.update(max(0, (job.progress_percent or 0) - bar.pos))
            if job.state in ENDED:
                return job
            await asyncio.sleep(_LOOK_S)
