"""What can be done with jobs: ask for one, look at it, answer it, cancel it, try it again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.db.notify import notify
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId, UserId
from quadrat.jobs import rules, store
from quadrat.jobs.types import Job, JobFilter, JobId, JobState, Queueing, WorkerSeen

CANCEL_CHANNEL = "quadrat_job_cancel"
DELETE_FILE = "jobs.delete_file"
_MAX_PAGE = 1000
_NEXT = Queueing()
_ALL = JobFilter()


async def enqueue(
    tx: AsyncConnection,
    kind: str,
    params: Mapping[str, Any],
    *,
    owner_id: UserId | None = None,
    project_id: ProjectId | None = None,
    queueing: Queueing = _NEXT,
) -> JobId:
    """Ask for a job within the caller's transaction: it exists and runs when that commits, and not otherwise.

    Args:
        tx: The caller's transaction.
        kind: Name of a handler that some worker knows.
        params: JSON values for the handler.
        owner_id: Whose job it is.
        project_id: The project that it belongs to, and ends with.
        queueing: When and beside what; as soon as a worker is free.

    Returns:
        The job; the one that waits already, when `queueing` says so.
    """
    place = (owner_id, project_id)
    if queueing.once and (waiting := await store.hold_waiting(tx, kind, params, place)) is not None:
        return waiting
    until = None if queueing.after is None else now() + queueing.after
    message = rules.waits(until)
    job_id = await store.insert_job(
        tx, new_uuid(), kind, queueing.queue, params, place, lock=queueing.lock, message=message
    )
    await store.defer(tx, job_id, scheduled_at=until)
    return job_id


async def get_job(tx: AsyncConnection, caller: Caller, job_id: JobId, *, for_update: bool = False) -> Job:
    """One job of the caller's; a platform admin sees all.

    Raises:
        QuadratError: not_found.
    """
    found = await store.find_job(tx, job_id, for_update=for_update)
    if found is None or not _may_see(caller, found):
        raise QuadratError(ErrorKind.NOT_FOUND, f"Job {job_id} does not exist.")
    return found


async def may_see(tx: AsyncConnection, caller: Caller, job_id: JobId) -> bool | None:
    """Whether the caller may see a job, for doors that tell somebody else's from one that is not there (None)."""
    found = await store.find_job(tx, job_id)
    return None if found is None else _may_see(caller, found)


async def list_missing(tx: AsyncConnection, uuids: Collection[UUID]) -> Sequence[UUID]:
    """Those of the ids under which there is no job any more."""
    known = await store.list_known(tx, uuids)
    return sorted(set(uuids) - known)


async def list_jobs(
    tx: AsyncConnection,
    caller: Caller,
    wanted: JobFilter = _ALL,
    *,
    everyone: bool = False,
    limit: int = 100,
    before: JobId | None = None,
) -> Sequence[Job]:
    """The caller's jobs, newest first.

    Args:
        tx: The transaction.
        caller: Who asks.
        wanted: Which of them.
        everyone: All users' jobs, for a platform admin.
        limit: Most jobs, up to 1000.
        before: Only older ones than this.

    Raises:
        QuadratError: forbidden.
    """
    if everyone and not caller.is_platform_admin:
        raise QuadratError(ErrorKind.FORBIDDEN, "You can't do this.")
    owner_id = None if everyone else caller.user_id
    return await store.list_jobs(tx, owner_id, wanted, limit=min(limit, _MAX_PAGE), before=before)


async def list_work(tx: AsyncConnection, wanted: JobFilter, limit: int) -> Sequence[Job]:
    """Jobs of anyone, newest first, for a domain that has decided who may see its own."""
    return await store.list_jobs(tx, None, wanted, limit=min(limit, _MAX_PAGE), before=None)


async def look_at_workers(tx: AsyncConnection) -> tuple[Sequence[WorkerSeen], Mapping[JobState, int]]:
    """Every worker that lives, and how many jobs are in each state; for who runs this server."""
    return await store.list_workers(tx), await store.count_states(tx)


async def read_log(tx: AsyncConnection, caller: Caller, job_id: JobId) -> Sequence[tuple[datetime, str]]:
    """The log of one of the caller's jobs."""
    await get_job(tx, caller, job_id)
    return await store.read_log(tx, job_id)


async def cancel(tx: AsyncConnection, caller: Caller, job_id: JobId) -> None:
    """End a job: at once when it waits, as soon as its handler hears of it when it runs. An ended one stays ended."""
    found = await get_job(tx, caller, job_id, for_update=True)
    if found.state in rules.ENDED:
        return
    if found.state is JobState.RUNNING:
        await store.change(tx, job_id, cancel_requested=True)
        await notify(tx, CANCEL_CHANNEL, str(job_id))
    else:
        await store.change(tx, job_id, state=JobState.CANCELLED, cancel_requested=True, progress_message="Cancelled")


async def retry(tx: AsyncConnection, caller: Caller, job_id: JobId) -> None:
    """Run a failed job again.

    Raises:
        QuadratError: wrong_state.
    """
    found = await get_job(tx, caller, job_id, for_update=True)
    rules.require_state(found.state, JobState.FAILED, to="started again")
    await _back_to_pending(tx, job_id, errors=[], cancel_requested=False, progress_percent=None)


async def answer(tx: AsyncConnection, caller: Caller, job_id: JobId, reply: Mapping[str, Any]) -> None:
    """Answer what a job asks; it goes on.

    Raises:
        QuadratError: wrong_state.
    """
    found = await get_job(tx, caller, job_id, for_update=True)
    rules.require_state(found.state, JobState.ASKING, to="answered")
    await _back_to_pending(tx, job_id, reply={**found.reply, **reply}, question={})


async def delete(tx: AsyncConnection, caller: Caller, job_id: JobId) -> None:
    """Forget a job and the file that it made; one that runs is told to end."""
    await cancel(tx, caller, job_id)
    found = await get_job(tx, caller, job_id)
    await store.delete_job(tx, job_id)
    if found.result_file is not None:
        # Of no project: the file has to go also when the project goes first.
        await enqueue(tx, DELETE_FILE, {"key": found.result_file.key})


def _may_see(caller: Caller, job: Job) -> bool:
    return caller.is_platform_admin or job.owner_id == caller.user_id


async def _back_to_pending(tx: AsyncConnection, job_id: JobId, **values: Any) -> None:
    await store.change(tx, job_id, state=JobState.PENDING, progress_message=rules.WAITS, **values)
    await store.defer(tx, job_id)
