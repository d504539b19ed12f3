"""All SQL of jobs, the call that puts one into procrastinate's queue among it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, insert, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.notify import notify
from quadrat.identity.types import ProjectId, UserId
from quadrat.jobs.rules import ENDED, WAITS
from quadrat.jobs.tables import job, job_log
from quadrat.jobs.types import Job, JobFilter, JobId, JobState, ResultFile, WorkerSeen

TASK = "quadrat.run_job"
ENDED_CHANNEL = "quadrat_job_ended"

# Queue, task, priority, lock, queueing lock, arguments, not before.
_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(j.queue, CAST(:task AS varchar), 0, j.lock, NULL, "
    "jsonb_build_object('job_id', j.id), CAST(:scheduled_at AS timestamptz))::procrastinate_job_to_defer_v1]) "
    "FROM jobs.job j WHERE j.id = :job_id"
)

_WORKERS = text(
    "SELECT w.id, w.last_heartbeat, count(q.id) FROM procrastinate_workers w "
    "LEFT JOIN procrastinate_jobs q ON q.worker_id = w.id AND q.status = 'doing' GROUP BY w.id ORDER BY w.id"
)

# What a lost worker held becomes a new entry: should that worker only have been slow, it has nothing left to end, and
# the insertion wakes the others at once. A job that has another entry already goes on through that one.
_REQUEUE_LOST = text(
    """
    WITH lost AS (
        DELETE FROM procrastinate_jobs WHERE id IN (
            SELECT q.id FROM procrastinate_jobs q
            WHERE q.status = 'doing' AND q.task_name = :task AND NOT EXISTS (
                SELECT FROM procrastinate_workers w
                WHERE w.id = q.worker_id AND w.last_heartbeat >= now() - make_interval(secs => :stalled_after_s)
            )
            FOR UPDATE OF q SKIP LOCKED
        )
        RETURNING id, CAST(args ->> 'job_id' AS bigint) AS job_id, coalesce(CAST(args ->> 'lost' AS int), 0) AS times
    )
    SELECT j.id, procrastinate_defer_jobs_v1(ARRAY[ROW(
        j.queue, CAST(:task AS varchar), 0, j.lock, NULL,
        jsonb_build_object('job_id', j.id, 'lost', lost.times + CAST(j.state = 'running' AS int)),
        NULL
    )::procrastinate_job_to_defer_v1])
    FROM lost JOIN jobs.job j ON j.id = lost.job_id
    WHERE j.state IN ('pending', 'running') AND NOT EXISTS (
        SELECT FROM procrastinate_jobs other
        WHERE other.status IN ('todo', 'doing') AND CAST(other.args ->> 'job_id' AS bigint) = j.id
            AND other.id NOT IN (SELECT id FROM lost)
    )
    """
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
        job.c.started_at,
        job.c.finished_at,
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
        started_at=row[20],
        finished_at=row[21],
    )


async def insert_job(  # noqa: PLR0913 - one for each column that is not made here
    tx: AsyncConnection,
    uuid: UUID,
    kind: str,
    queue: str,
    params: Mapping[str, Any],
    place: tuple[UserId | None, ProjectId | None],
    *,
    lock: str | None = None,
    message: str = WAITS,
) -> JobId:
    """A new pending job; `place` is its owner and its project, `message` says what it waits for."""
    owner_id, project_id = place
    values = {
        "uuid": uuid,
        "kind": kind,
        "queue": queue,
        "lock": lock,
        "params": dict(params),
        "owner_id": owner_id,
        "project_id": project_id,
        "state": JobState.PENDING,
        "progress_message": message,
    }
    return JobId((await tx.execute(insert(job).values(values).returning(job.c.id))).scalar_one())


async def hold_waiting(
    tx: AsyncConnection, kind: str, params: Mapping[str, Any], place: tuple[UserId | None, ProjectId | None]
) -> JobId | None:
    """A job like this that waits and, until the end of this transaction, is kept from starting."""
    owner_id, project_id = place
    query = (
        select(job.c.id)
        .where(
            job.c.kind == kind,
            job.c.state == JobState.PENDING,
            job.c.params == dict(params),
            job.c.owner_id.is_not_distinct_from(owner_id),
            job.c.project_id.is_not_distinct_from(project_id),
        )
        .limit(1)
        .with_for_update(read=True)
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    return None if found is None else JobId(found)


async def defer(tx: AsyncConnection, job_id: JobId, *, scheduled_at: datetime | None = None) -> None:
    """Put a job into the queue within this transaction; the queue's trigger wakes the workers when it commits."""
    await tx.execute(_DEFER, {"task": TASK, "job_id": job_id, "scheduled_at": scheduled_at})


async def requeue_lost(tx: AsyncConnection, stalled_after_s: float) -> list[JobId]:
    """Put back what workers held that have been silent for this long, or are gone; also when several do this at once.

    Returns:
        The jobs that are going to run again.
    """
    rows = await tx.execute(_REQUEUE_LOST, {"task": TASK, "stalled_after_s": stalled_after_s})
    return [JobId(job_id) for job_id, _ in rows]


async def list_known(tx: AsyncConnection, uuids: Collection[UUID]) -> set[UUID]:
    """Those of the ids that are jobs'."""
    return set((await tx.execute(select(job.c.uuid).where(job.c.uuid.in_(uuids)))).scalars())


async def find_job(tx: AsyncConnection, job_id: JobId, *, for_update: bool = False) -> Job | None:
    """The job, locked until the end of the transaction when asked."""
    query = _select_jobs().where(job.c.id == job_id)
    row = (await tx.execute(query.with_for_update() if for_update else query)).one_or_none()
    return None if row is None else _to_job(row)


async def list_jobs(
    tx: AsyncConnection, owner_id: UserId | None, wanted: JobFilter, *, limit: int, before: JobId | None
) -> list[Job]:
    """Newest first; of one owner, or of all."""
    query = _select_jobs().order_by(job.c.id.desc()).limit(limit)
    if wanted.kinds is not None:
        query = query.where(job.c.kind.in_(wanted.kinds))
    if wanted.states is not None:
        query = query.where(job.c.state.in_(wanted.states))
    if wanted.project_id is not None:
        query = query.where(job.c.project_id == wanted.project_id)
    if wanted.changed_after is not None:
        query = query.where(job.c.updated_at > wanted.changed_after)
    if wanted.about is not None:
        query = query.where(job.c.params.contains(dict(wanted.about)))
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
        .values(
            state=JobState.RUNNING,
            attempt=job.c.attempt + 1,
            updated_at=func.now(),
            started_at=func.coalesce(job.c.started_at, func.now()),
        )
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
    if "state" in values:
        statement = statement.values(finished_at=func.now() if values["state"] in ENDED else None)
    if attempt is not None:
        statement = statement.where(job.c.attempt == attempt, job.c.state == JobState.RUNNING)
    changed = (await tx.execute(statement.returning(job.c.id))).one_or_none() is not None
    if changed and values.get("state") in ENDED:
        await notify(tx, ENDED_CHANNEL, str(job_id))
    return changed


async def is_cancel_requested(tx: AsyncConnection, job_id: JobId) -> bool:
    """Whether someone wants the job to end; True also when it was deleted."""
    found = (await tx.execute(select(job.c.cancel_requested).where(job.c.id == job_id))).scalar_one_or_none()
    return found is None or found


async def list_unwanted(tx: AsyncConnection, runs: Collection[tuple[JobId, int]]) -> set[tuple[JobId, int]]:
    """Which of these runs, each an attempt of a job, are to end: cancelled, deleted, or taken over by another."""
    query = select(job.c.id, job.c.attempt).where(
        tuple_(job.c.id, job.c.attempt).in_(runs), job.c.state == JobState.RUNNING, ~job.c.cancel_requested
    )
    return set(runs) - {(JobId(job_id), attempt) for job_id, attempt in await tx.execute(query)}


async def append_log(tx: AsyncConnection, job_id: JobId, lines: Sequence[str]) -> None:
    """Add lines to a job's log; a job that is gone takes none."""
    known = select(job.c.id).where(job.c.id == job_id)
    if lines and (await tx.execute(known)).one_or_none() is not None:
        await tx.execute(insert(job_log), [{"job_id": job_id, "line": storable(line)} for line in lines])


def storable(line: str) -> str:
    """The text without what PostgreSQL cannot hold."""
    return line.replace("\0", "").encode(errors="replace").decode()


async def read_log(tx: AsyncConnection, job_id: JobId) -> list[tuple[datetime, str]]:
    """A job's log from its beginning."""
    query = select(job_log.c.at, job_log.c.line).where(job_log.c.job_id == job_id).order_by(job_log.c.id)
    return [(at, line) for at, line in await tx.execute(query)]


async def delete_job(tx: AsyncConnection, job_id: JobId) -> None:
    """Remove a job and its log."""
    await tx.execute(delete(job).where(job.c.id == job_id))


async def list_workers(tx: AsyncConnection) -> list[WorkerSeen]:
    """Workers that have said something lately, and what each does."""
    return [WorkerSeen(*row) for row in await tx.execute(_WORKERS)]


async def count_states(tx: AsyncConnection) -> dict[JobState, int]:
    """How many jobs are in each state."""
    rows = await tx.execute(select(job.c.state, func.count()).group_by(job.c.state))
    return {JobState(state): count for state, count in rows}
