"""The job that a path names, for those who may see it."""

from typing import Annotated

from fastapi import Depends

from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.numbers import Number
from quadrat.api.wire import Tx
from quadrat.jobs import actions as jobs
from quadrat.jobs.types import JobId
from quadrat.objects.actions.access import forbidden, not_found


async def _own_job(tx: Tx, caller: SignedIn, job_id: Number) -> JobId:
    # Source: spec of the object-set API, section 7: somebody else's job is forbidden here, not unknown.
    may_see = await jobs.may_see(tx, caller, JobId(job_id))
    if may_see is None:
        raise not_found()
    if not may_see:
        raise forbidden()
    return JobId(job_id)


OwnJob = Annotated[JobId, Depends(_own_job)]
"""The caller's job, or anyone's for an administrator; else the request ends with 404 or 403."""
