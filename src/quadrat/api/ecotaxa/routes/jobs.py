"""Jobs: how far they are, what they ask, what they made."""

from typing import Annotated, Any

from fastapi import Body, Request
from starlette.responses import PlainTextResponse, Response

from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.convert import jobs as convert
from quadrat.api.ecotaxa.downloads import send_blob
from quadrat.api.ecotaxa.own_jobs import OwnJob
from quadrat.api.ecotaxa.schemas.jobs import JobModel
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.jobs import actions as jobs
from quadrat.jobs.types import JobState
from quadrat.objects.actions.access import not_found
from quadrat.objects.actions.imports import answer_import

router = new_router("jobs")
_MOST_LISTED = 1000


@router.get("/jobs/", operation_id="list_jobs")
async def list_jobs(tx: Tx, caller: SignedIn, *, for_admin: bool = False) -> list[JobModel]:
    """The caller's jobs, or everyone's for administrators, newest first."""
    return [convert.job(job) for job in await jobs.list_jobs(tx, caller, everyone=for_admin, limit=_MOST_LISTED)]


# Both forms by hand: with the other method each of the two paths is there, so neither is looked for in its other form.
@router.get("/jobs/{job_id}", include_in_schema=False)
@router.get("/jobs/{job_id}/", operation_id="get_job")
async def get_job(tx: Tx, caller: SignedIn, job_id: OwnJob) -> JobModel:
    """One job."""
    return convert.job(await jobs.get_job(tx, caller, job_id))


@router.get("/jobs/{job_id}/log", operation_id="get_job_log_file", response_class=PlainTextResponse)
async def get_job_log_file(tx: Tx, caller: SignedIn, job_id: OwnJob) -> Response:
    """What a job has written while it ran."""
    lines = await jobs.read_log(tx, caller, job_id)
    return PlainTextResponse("".join(f"{at:%Y-%m-%d %H:%M:%S} {line}\n" for at, line in lines))


@router.get("/jobs/{job_id}/file", operation_id="get_job_file", response_class=Response)
async def get_job_file(request: Request, tx: Tx, caller: SignedIn, job_id: OwnJob) -> Response:
    """The file that a job made."""
    found = (await jobs.get_job(tx, caller, job_id)).result_file
    if found is None:
        raise not_found()
    return await send_blob(request, found.key, found.media_type, file_name=found.filename)


@router.post("/jobs/{job_id}/answer", operation_id="reply_job_question")
async def reply_job_question(tx: Tx, caller: SignedIn, job_id: OwnJob, body: Annotated[dict[str, Any], Body()]) -> None:
    """Say which users and taxa are meant; the job goes on."""
    await answer_import(tx, caller, job_id, body)


@router.get("/jobs/{job_id}/restart", operation_id="restart_job")
async def restart_job(tx: Tx, caller: SignedIn, job_id: OwnJob) -> None:
    """Run a job again that has failed; nothing for another."""
    if (await jobs.get_job(tx, caller, job_id, for_update=True)).state is JobState.FAILED:
        await jobs.retry(tx, caller, job_id)


@router.delete("/jobs/{job_id}/", include_in_schema=False)
@router.delete("/jobs/{job_id}", operation_id="erase_job")
async def erase_job(tx: Tx, caller: SignedIn, job_id: OwnJob) -> None:
    """Forget a job with its file; one that runs is told to end."""
    await jobs.delete(tx, caller, job_id)
