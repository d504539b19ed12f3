"""The jobs of all four APIs and of the house in one list."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from quadrat.api.files import named
from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_job_card
from quadrat.api.pages.schemas import Answer, JobCard, JobLogLine
from quadrat.api.wire import Tx
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.store.sharing import find_people
from quadrat.identity.types import ProjectId
from quadrat.jobs import actions
from quadrat.jobs.types import JobFilter, JobId, JobState
from quadrat.storage.blobs import BlobStore

router = new_router("Jobs")


@router.get("/jobs", operation_id="page_jobs_list")
async def page_jobs_list(  # noqa: PLR0913 - one for each parameter of the query
    caller: SignedIn,
    tx: Tx,
    *,
    state: Annotated[list[JobState] | None, Query()] = None,
    project: int | None = None,
    everyone: bool = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: int | None = None,
) -> list[JobCard]:
    """Newest first; `before` continues a list; `everyone` is for platform administrators."""
    wanted = JobFilter(
        states=None if state is None else frozenset(state), project_id=None if project is None else ProjectId(project)
    )
    older = None if before is None else JobId(before)
    found = await actions.list_jobs(tx, caller, wanted, everyone=everyone, limit=limit, before=older)
    owners = {job.owner_id for job in found if job.owner_id is not None} if everyone else set()
    emails = {person.id: person.email for person in await find_people(tx, owners)}
    return [to_job_card(job, None if job.owner_id is None else emails.get(job.owner_id)) for job in found]


@router.get("/jobs/{job_id}", operation_id="page_jobs_get")
async def page_jobs_get(job_id: int, caller: SignedIn, tx: Tx) -> JobCard:
    """One job."""
    return to_job_card(await actions.get_job(tx, caller, JobId(job_id)))


@router.get("/jobs/{job_id}/log", operation_id="page_jobs_log")
async def page_jobs_log(job_id: int, caller: SignedIn, tx: Tx) -> list[JobLogLine]:
    """What the job has said so far."""
    return [JobLogLine(at=at, text=text) for at, text in await actions.read_log(tx, caller, JobId(job_id))]


@router.get("/jobs/{job_id}/file", operation_id="page_jobs_file", response_class=Response)
async def page_jobs_file(job_id: int, caller: SignedIn, request: Request, tx: Tx) -> Response:
    """The file that the job made."""
    file = (await actions.get_job(tx, caller, JobId(job_id))).result_file
    if file is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "This job has made no file.")
    blobs: BlobStore = request.state.blobs
    reader = await blobs.open(file.key)
    headers = {
        "Content-Disposition": f"attachment; {named(file.filename)}",
        "Content-Length": str(reader.facts.size_bytes),
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(reader.chunks, media_type=file.media_type, headers=headers)


@router.post("/jobs/{job_id}/cancel", operation_id="page_jobs_cancel", status_code=204)
async def page_jobs_cancel(job_id: int, caller: SignedIn, tx: Tx) -> None:
    """End a job; one that has ended stays as it is."""
    await actions.cancel(tx, caller, JobId(job_id))


@router.post("/jobs/{job_id}/retry", operation_id="page_jobs_retry", status_code=204)
async def page_jobs_retry(job_id: int, caller: SignedIn, tx: Tx) -> None:
    """Run a failed job again."""
    await actions.retry(tx, caller, JobId(job_id))


@router.post("/jobs/{job_id}/answer", operation_id="page_jobs_answer", status_code=204)
async def page_jobs_answer(job_id: int, body: Answer, caller: SignedIn, tx: Tx) -> None:
    """Answer what a job asks; it goes on."""
    await actions.answer(tx, caller, JobId(job_id), body.reply)


@router.delete("/jobs/{job_id}", operation_id="page_jobs_delete", status_code=204)
async def page_jobs_delete(job_id: int, caller: SignedIn, tx: Tx) -> None:
    """Forget a job and its file; one that runs is told to end."""
    await actions.delete(tx, caller, JobId(job_id))
