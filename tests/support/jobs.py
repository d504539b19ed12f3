"""Jobs as an API asks for them, and workers that are processes of their own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database, psycopg_dsn
from quadrat.identity.types import Caller, UserId
from quadrat.jobs import actions
from quadrat.jobs.types import Job, JobFilter, JobId, JobState, Queueing

TESTS = Path(__file__).parents[1]
StartWorker = Callable[..., "subprocess.Popen[bytes]"]


class House:
    """Jobs of one new user, asked for and looked at as an API does."""

    def __init__(self, db: Database) -> None:
        self.db = db
        with psycopg.connect(psycopg_dsn(db.url), autocommit=True) as conn:
            row = conn.execute(
                'INSERT INTO identity."user" (uuid, email, status) VALUES (%s, %s, %s) RETURNING id, uuid, email',
                (uuid4(), f"{uuid4().hex}@example.org", "active"),
            ).fetchone()
        assert row is not None
        self.caller = Caller(UserId(row[0]), row[1], row[2], False, None, new_uuid())

    async def enqueue(self, kind: str, *, queueing: Queueing | None = None, **params: object) -> JobId:
        async with self.db.begin() as tx:
            return await actions.enqueue(
                tx, kind, params, owner_id=self.caller.user_id, queueing=queueing or Queueing()
            )

    async def look(self, job_id: JobId) -> Job:
        async with self.db.begin() as tx:
            return await actions.get_job(tx, self.caller, job_id)

    async def until(self, job_id: JobId, reached: JobState | Callable[[Job], bool]) -> Job:
        """The job once it is in a state, or once something else holds."""
        async with asyncio.timeout(60):
            while True:
                job = await self.look(job_id)
                if job.state is reached if isinstance(reached, JobState) else reached(job):
                    return job
                await asyncio.sleep(0.05)

    async def until_hanging(self, job_id: JobId) -> Job:
        return await self.until(job_id, lambda job: job.progress_percent == 10)

    async def list_ids(self, wanted: JobFilter) -> list[JobId]:
        async with self.db.begin() as tx:
            return [job.id for job in await actions.list_jobs(tx, self.caller, wanted)]

    async def log(self, job_id: JobId) -> list[str]:
        async with self.db.begin() as tx:
            return [line for _at, line in await actions.read_log(tx, self.caller, job_id)]

    async def until_dequeued(self, job_id: JobId) -> None:
        """Nothing is left in the queue that could run the job once more."""
        async with asyncio.timeout(60):
            while self.queued(job_id):
                await asyncio.sleep(0.05)

    def sql(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Behind the back of everything; for what the actions do not show."""
        with psycopg.connect(psycopg_dsn(self.db.url), autocommit=True) as conn:
            cursor = conn.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def queued(self, job_id: JobId) -> list[tuple[object, ...]]:
        """States of the queue's entries for a job."""
        return self.sql("SELECT status FROM procrastinate_jobs WHERE args ->> 'job_id' = %s", str(job_id))


@contextmanager
def starting_workers(url: str) -> Iterator[StartWorker]:
    """Gives what starts workers, and ends them all; `poll_s` is how often they look at the queue unasked."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*, poll_s: float = 1.0, log: Path | None = None) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        command = [sys.executable, "-m", "support.job_worker", url, str(poll_s)]
        with ExitStack() as opened:
            output = None if log is None else opened.enter_context(log.open("ab"))
            worker = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        running.append(worker)
        return worker

    try:
        yield start
    finally:
        for worker in running:
            worker.kill()
            worker.wait()
