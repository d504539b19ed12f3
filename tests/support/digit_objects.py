"""Handwritten digits as objects: real features of real classes, for predictions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs import store as job_store
from quadrat.jobs.registry import JobContext, JobRefusedError
from quadrat.jobs.types import JobId, JobState
from quadrat.objects.store.classification import EPOCH
from quadrat.objects.tasks import HANDLERS
from support.object_sets import COUNTS, make_taxa
from support.people import make_project

PIXELS = 64
FEATURES = [f"fre.p{i}" for i in range(PIXELS)]


@dataclass
class Digits:
    """A project of digits.

    Args:
        project_id: Its first objects are validated, the rest is unclassified.
        taxa: Taxon of each digit.
        validated: Numbers of objects.
        targets: Numbers of objects.
        truth: What each object is.
    """

    project_id: ProjectId
    taxa: list[int]
    validated: list[int]
    targets: list[int]
    truth: dict[int, int]

    def request(self, **changes: Any) -> dict[str, Any]:
        """The body of a prediction of this project from itself."""
        made = {
            "project_id": self.project_id,
            "source_project_ids": [self.project_id],
            "features": FEATURES,
            "categories": self.taxa,
            "pre_mapping": {},
        }
        return {"filters": {}, "request": {**made, **changes}}


async def make_digits(tx: AsyncConnection, owner: Caller, n_validated: int = 200, n_targets: int = 60) -> Digits:
    """A project of the owner with real digits; features are pixels, a constant, and one often missing."""
    digits = load_digits()
    project = await make_project(tx, owner)
    taxa = (await make_taxa(tx, 10))[1:]
    p = {"p": project.id}
    names = [f"p{i}" for i in range(PIXELS)] + ["constant", "gappy"]
    await tx.execute(
        text("INSERT INTO objects.project (project_id, object_numbers) VALUES (:p, :names)"), {**p, "names": names}
    )
    place = (
        await tx.execute(
            text(
                "WITH s AS (INSERT INTO objects.net_sample (project_id, orig_id) VALUES (:p, 's') RETURNING id) "
                "INSERT INTO objects.acquisition (project_id, sample_id, orig_id) SELECT :p, id, 'a' FROM s "
                "RETURNING sample_id, id"
            ),
            p,
        )
    ).one()
    await tx.execute(text("INSERT INTO objects.clock (project_id, last, horizon) VALUES (:p, 1, 1)"), p)
    n = n_validated + n_targets
    ids = []
    for i in range(n):
        taxon = taxa[int(digits.target[i])]
        decided = {"taxon": taxon, "author": owner.user_id, "at": EPOCH, "state": "V"}
        open_ = {"taxon": None, "author": None, "at": None, "state": "U"}
        row = await tx.execute(
            text(
                "INSERT INTO objects.object (project_id, sample_id, acquisition_id, taxon_id, state, author_id, "
                "decided_at) VALUES (:p, :s, :a, :taxon, :state, :author, :at) RETURNING id"
            ),
            {**p, "s": place[0], "a": place[1], **(decided if i < n_validated else open_)},
        )
        ids.append(row.scalar_one())
    extra = np.column_stack([digits.data[:n], np.ones(n), np.where(np.arange(n) % 3, 1.0, np.nan)])
    await tx.execute(
        text(
            "INSERT INTO objects.feature (object_id, project_id, numbers) "
            "VALUES (:id, :p, array_replace(CAST(:numbers AS float8[]), 'NaN', NULL))"
        ),
        [{**p, "id": id_, "numbers": row.tolist()} for id_, row in zip(ids, extra, strict=True)],
    )
    await tx.execute(
        text("INSERT INTO objects.fact (object_id, project_id, orig_id, random_value) VALUES (:id, :p, :name, 0)"),
        [{**p, "id": id_, "name": f"digit {i}"} for i, id_ in enumerate(ids)],
    )
    await tx.execute(text(f"INSERT INTO objects.project_taxon {COUNTS}"), p)
    truth = {id_: taxa[int(digit)] for id_, digit in zip(ids, digits.target[:n], strict=True)}
    return Digits(project.id, taxa, ids[:n_validated], ids[n_validated:], truth)


async def run_job(db: Database, job_id: int, resources: Any = None) -> dict[str, Any]:
    """Run a job of object sets here and now as a worker does; its result."""
    async with db.begin() as tx:
        job = await job_store.begin_attempt(tx, JobId(job_id))
    assert job is not None
    [handler] = [handler for handler in HANDLERS if handler.kind == job.kind]
    try:
        result = dict(await handler.run(JobContext(job, db, resources), job.params) or {})
    except JobRefusedError as refused:
        async with db.begin() as tx:
            await job_store.change(tx, job.id, state=JobState.FAILED, errors=list(refused.errors))
        raise
    async with db.begin() as tx:
        await job_store.change(tx, job.id, state=JobState.FINISHED, result=result, progress_percent=100)
    return result
