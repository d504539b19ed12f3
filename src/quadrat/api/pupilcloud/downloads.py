"""Answers that a job makes: waited for, and sent as files."""

from typing import Any

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from quadrat.api.files import named
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions import exports
from quadrat.jobs.types import Job, JobId, JobState
from quadrat.jobs.waiting import JobWaiter
from quadrat.storage.blobs import BlobStore

ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}
"""How a route that answers with a zip is documented."""


async def finished(request: Request, job_id: JobId) -> Job:
    """A job of ours that has done what it should.

    Raises:
        QuadratError: What the job refused; unavailable when it failed.
    """
    waiter: JobWaiter = request.state.job_waiter
    job = await waiter.ended(job_id)
    if job.state is not JobState.FINISHED:
        reason = job.errors[-1] if job.errors else f"The job was {job.state}."
        raise QuadratError(ErrorKind.UNAVAILABLE, reason)
    refused = job.result.get("refused")
    if refused is not None:
        raise QuadratError(ErrorKind(refused["kind"]), refused["message"], field=refused["field"])
    return job


async def send_export(request: Request, job_id: JobId, name: str) -> Response:
    """The zip that a job writes, called `name`; it goes an hour after it was sent.

    Raises:
        QuadratError: As `finished`.
    """
    job = await finished(request, job_id)
    db: Database = request.state.db
    blobs: BlobStore = request.state.blobs
    async with db.begin() as tx:
        await exports.forget_export(tx, job.uuid)
    reader = await blobs.open(exports.export_key(job.uuid))
    return StreamingResponse(
        reader.chunks,
        media_type="application/zip",
        headers={
            "Content-Length": str(reader.facts.size_bytes),
            "Content-Disposition": f"attachment; {named(name)}",
        },
    )
