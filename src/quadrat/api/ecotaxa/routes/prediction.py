"""Predictions of object sets, and what they were learned from."""

import asyncio
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.convert import prediction as convert
from quadrat.api.ecotaxa.own_jobs import OwnJob
from quadrat.api.ecotaxa.routes.object_sets import Columns, Project
from quadrat.api.ecotaxa.schemas.object_sets import ProjectFilters
from quadrat.api.ecotaxa.schemas.prediction import PredictionReport, PredictionRsp, PredictObjectSetBody
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.objects.actions import prediction, suggestions
from quadrat.objects.learning.picture import draw

router = new_router("objects")


@router.post("/object_set/predict", operation_id="predict_object_set")
async def predict_object_set(tx: Tx, caller: SignedIn, body: PredictObjectSetBody) -> PredictionRsp:
    """Have the objects predicted that nobody has decided on, by a job."""
    return convert.asked(await prediction.request_prediction(tx, caller, convert.request(body)))


@router.post("/object_set/{project_id}/suggest", operation_id="suggest_object_set")
async def suggest_object_set(
    tx: Tx,
    columns: Columns,
    caller: SignedIn,
    project_id: Project,
    body: ProjectFilters,
    n: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[int]:
    """The predicted objects under filters whose review would help most, the first first: an addition of this server."""
    chosen: list[int] = (await suggestions.suggest(tx, columns, caller, project_id, body.model_dump(), n)).tolist()
    return chosen


@router.get("/jobs/{job_id}/report", operation_id="get_job_report")
async def get_job_report(tx: Tx, caller: SignedIn, job_id: OwnJob) -> PredictionReport:
    """What a prediction has learned, and how well: an addition of this server."""
    return PredictionReport.model_validate(await prediction.read_report(tx, caller, job_id))


@router.get("/jobs/{job_id}/report.svg", operation_id="get_job_report_picture", response_class=Response)
async def get_job_report_picture(tx: Tx, caller: SignedIn, job_id: OwnJob) -> Response:
    """The same as a picture: an addition of this server."""
    report = await prediction.read_report(tx, caller, job_id)
    return Response(await asyncio.to_thread(draw, report), media_type="image/svg+xml")
