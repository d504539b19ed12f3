"""All SQL of jobs, the call that puts one into procrastinate's queue among it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId, UserId
from quadrat.jobs.tables import job, job_log
from quadrat.jobs.types import Job, JobId, JobState, ResultFile

TASK = "quadrat.run_job"

_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(CAST(:queue AS varchar), CAST(:task AS varchar), 0, "
    "NULL, NULL, CAST(:args AS jsonb), CAST(:scheduled_at AS timestamptz))"
    "::procrastinate_job_to_defer_v1])"
)


def _select_jobs() -> Select[Any]:
    return select(
        job.c.id,
        job.c.uuid,
        job.c.kind,
        job.c.owner_id,
        job.c.project_id,
        job.c.state,
        job.c.progress_percent,
        job.c.progress_message,
        job.c.params,
        job.c.result,
        job.c.errors,
        job.c.question,
        job.c.reply,
        job.c.result_key,
        job.c.result_filename,
        job.c.result_media_type,
        job.c.attempt,
        job.c.cancel_requested,
        job.c.created_at,
        job.c.updated_at,
    )


def _to_job(row: Sequence[Any]) -> Job:
    key, filename, media_type = row[13:16]
    return Job(
        id=JobId(row[0]),
        uuid=row[1],
        kind=row[2],
        owner_id=row[3],
        project_id=row[4],
        state=JobState(row[5]),
        progress_percent=row[6],
        progress_message=row[7],
        params=row[8],
        result=row[9],
        errors=tuple(row[10]),
        question=row[11],
        reply=row[12],
        result_file=None if key is None else ResultFile(key, filename, media_type),
        attempt=row[16],
        cancel_requested=row[17],
        created_at=row[18],
        updated_at=row[19],
    )


async def insert_job(
    tx: AsyncConnection,
    uuid: UUID,
    kind: str,
    queue: str,
    params: Mapping[str, Any],
    place: tuple[UserId | None, ProjectId | None],
) -> JobId:
    """A new pending job; `place` is its owner and its project."""
    owner_id, project_id = place
    values = {
        "uuid": uuid,
        "kind": kind,
        "queue": queue,
        "params": dict(params),
        "owner_id": owner_id,
        "project_id": project_id,
        "state": JobState.PENDING,
        "progress_message": "Waiting for a slot",
    }
    return JobId((await tx.execute(insert(job).values(values).returning(job.c.id))).scalar_one())


async def defer(tx: AsyncConnection, job_id: JobId, queue: str, *, scheduled_at: datetime | None = None) -> None:
    """Put a job into the queue within this transaction; the queue's trigger wakes the workers when it commits."""
    values = {
        "queue": queue,
        "task": TASK,
        "args": json.dumps({"job_id": job_id}),
        "scheduled_at": scheduled_at,
    }
    await tx.execute(_DEFER, values)


async def find_job(tx: AsyncConnection, job_id: JobId, *, for_update: bool = False) -> Job | None:
    """The job, locked until the end of the transaction when asked."""
    query = _select_jobs().where(job.c.id == job_id)
    row = (await tx.execute(query.with_for_update() if for_update else query)).one_or_none()
    return None if row is None else _to_job(row)


async def find_queue(tx: AsyncConnection, job_id: JobId) -> str:
    """The queue that a job runs in."""
    return (await tx.execute(select(job.c.queue).where(job.c.id == job_id))).scalar_one()


async def list_jobs(tx: AsyncConnection, owner_id: UserId | None, *, limit: int, before: JobId | None) -> list[Job]:
    """Newest first; of one owner, or of all."""
    query = _select_jobs().order_by(job.c.id.desc()).limit(limit)
    if owner_id is not None:
        query = query.where(job.c.owner_id == owner_id)
    if before is not None:
        query = query.where(job.c.id < before)
    return [_to_job(row) for row in await tx.execute(query)]


async def begin_attempt(tx: AsyncConnection, job_id: JobId) -> Job | None:
    """Take a job that is to run; None when it is not (cancelled, finished by a run thought lost, deleted)."""
    statement = (
        update(job)
        .where(job.c.id == job_id, or_(job.c.state == JobState.PENDING, job.c.state == JobState.RUNNING))
        .values(state=JobState.RUNNING, attempt=job.c.attempt + 1, updated_at=func.now())
        .returning(job.c.id)
    )
    if (await tx.execute(statement)).one_or_none() is None:
        return None
    return await find_job(tx, job_id)


async def change(tx: AsyncConnection, job_id: JobId, *, attempt: int | None = None, **values: Any) -> bool:
    """Set columns of a job.

    Args:
        tx: The transaction.
        job_id: The job.
        attempt: When given, only while the job is in this very attempt: a run that was thought lost and another has
            taken over must change nothing.
        **values: New values by column.
    """
    statement = update(job).where(job.c.id == job_id).values(updated_at=func.now(), **values)
    if attempt is not None:
        statement = statement.where(job.c.attempt == attempt, job.c.state == JobState.RUNNING)
    return (await tx.execute(statement.returning(job.c.id))).one_or_none() is not None


async def is_cancel_requested(tx: AsyncConnection, job_id: JobId) -> bool:
    """Whether someone wants the job to end; True also when it was deleted."""
    found = (await tx.execute(select(job.c.cancel_requested).where(job.c.id == job_id))).scalar_one_or_none()
    return found is None or found


async def append_log(tx: AsyncConnection, job_id: JobId, lines: Sequence[str]) -> None:
    """Add lines to a job's log; a job that is gone takes none."""
    known = select(job.c.id).where(job.c.id == job_id)
    if lines and (await tx.execute(known)).one_or_none() is not None:
        await tx.execute(insert(job_log), [{"job_id": job_id, "line": line.replace("\0", "")} for line in lines])


async def read_log(tx: AsyncConnection, job_id: JobId) -> list[tuple[datetime, str]]:
    """A job's log from its beginning."""
    query = select(job_log.c.at, job_log.c.line).where(job_log.c.job_id == job_id).order_by(job_log.c.id)
    return [(at, line) for at, line in await tx.execute(query)]


async def delete_job(tx: AsyncConnection, job_id: JobId) -> None:
    """Remove a job and its log."""
    await tx.execute(delete(job).where(job.c.id == job_id))
