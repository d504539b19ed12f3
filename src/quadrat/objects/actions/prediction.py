"""Asking for predictions, and what they were learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.jobs import actions as jobs
from quadrat.jobs.types import JobId, Queueing
from quadrat.objects.actions.access import open_set, open_sets
from quadrat.objects.actions.queries import read_selection
from quadrat.objects.asking import open_served
from quadrat.objects.prediction_types import PredictionRequest
from quadrat.objects.rules.answers import plan_input
from quadrat.objects.store import learning as store
from quadrat.objects.store.objects import unknown_taxa
from quadrat.objects.store.sets import note_use, read_settings
from quadrat.objects.types import Permission, ProjectStatus

PREDICT = "objects.predict"


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for a prediction.

    Args:
        job_id: The job; None when there is none because of the errors.
        errors: Why not.
        warnings: What will be done otherwise than asked.
    """

    job_id: JobId | None
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


async def request_prediction(tx: AsyncConnection, caller: Caller, request: PredictionRequest) -> Asked:
    """Have the undecided objects of a project predicted by a job.

    Raises:
        QuadratError: not_found, forbidden; invalid filters, or nothing to learn from.
    """
    await open_set(tx, caller, request.project_id, Permission.PREDICT)
    await open_sets(tx, caller, list(request.source_project_ids), Permission.READ)
    await read_selection(tx, caller, request.project_id, request.filters)
    if request.model is None:
        _refuse_empty(request)
    settings = (await read_settings(tx, [request.project_id]))[request.project_id]
    if settings.status is ProjectStatus.ANNOTATE_WITHOUT_PREDICTION:
        return Asked(None, ("Predictions are switched off in the settings of this project.",))
    if request.model is not None:
        try:
            plan_input((await open_served(tx, caller, request.model)).input, request.features)
        except QuadratError as error:
            return Asked(None, (error.message,))
        await _refuse_unknown(tx, [taxon for _, taxon in request.labels])
    unknown = await unknown_taxa(tx, np.array([after for _, after in request.mapping], np.int64))
    warnings = [f"There is no taxon {taxon}: its entries in pre_mapping are ignored." for taxon in sorted(unknown)]
    known = [(before, after) for before, after in request.mapping if after not in unknown]
    await note_use(tx, caller.user_id, request.project_id)
    job_id = await jobs.enqueue(
        tx,
        PREDICT,
        msgspec.to_builtins(replace(request, mapping=known)),
        owner_id=caller.user_id,
        project_id=request.project_id,
        queueing=Queueing(lock=f"objects.predict:{request.project_id}"),
    )
    return Asked(job_id, (), tuple(warnings))


async def read_report(tx: AsyncConnection, caller: Caller, job_id: JobId) -> Mapping[str, Any]:
    """What one of the caller's predictions has learned, and how well.

    Raises:
        QuadratError: not_found, also before anything is learned.
    """
    await jobs.get_job(tx, caller, job_id)
    report = await store.find_report(tx, job_id)
    if not report:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Job {job_id} has no report: it has not learned anything, or not yet.")
    return report


async def _refuse_unknown(tx: AsyncConnection, taxa: Sequence[int]) -> None:
    unknown = await unknown_taxa(tx, np.array(taxa, np.int64))
    if unknown:
        raise QuadratError(ErrorKind.INVALID, f"There is no taxon {min(unknown)}.", field="labels")


def _refuse_empty(request: PredictionRequest) -> None:
    for field, values in (
        ("source_project_ids", request.source_project_ids),
        ("features", request.features),
        ("categories", request.categories),
    ):
        if not values:
            raise QuadratError(ErrorKind.INVALID, "Name at least one.", field=field)
