import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database, psycopg_dsn
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, UserId
from quadrat.jobs import actions, store
from quadrat.jobs.types import Job, JobId, JobState
from quadrat.migrations.upgrade import upgrade

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("jobs")]
TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def jobs_url(new_database: Callable[[], str]) -> str:
    """A database of its own: workers take every job that they find."""
    url = new_database()
    upgrade(url)
    return url


@pytest.fixture
async def jobs_db(jobs_url: str) -> AsyncIterator[Database]:
    db = Database(jobs_url, pool_size=3)
    yield db
    await db.close()


@pytest.fixture
def caller(jobs_url: str) -> Caller:
    with psycopg.connect(psycopg_dsn(jobs_url), autocommit=True) as conn:
        row = conn.execute(
            'INSERT INTO identity."user" (uuid, email, status) VALUES (%s, %s, %s) RETURNING id, uuid, email',
            (uuid4(), f"{uuid4().hex}@example.org", "active"),
        ).fetchone()
    assert row is not None
    return Caller(UserId(row[0]), row[1], row[2], False, None, new_uuid())


@pytest.fixture
def start_worker(jobs_url: str) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        worker = subprocess.Popen([sys.executable, "-m", "support.job_worker", jobs_url], env=environment)
        running.append(worker)
        return worker

    yield start
    for worker in running:
        worker.kill()
        worker.wait()


async def _look(db: Database, caller: Caller, job_id: JobId) -> Job:
    async with db.begin() as tx:
        return await actions.get_job(tx, caller, job_id)


async def _wait(db: Database, caller: Caller, job_id: JobId, reached: Callable[[Job], bool]) -> Job:
    async with asyncio.timeout(60):
        while not reached(job := await _look(db, caller, job_id)):
            await asyncio.sleep(0.05)
    return job


async def _enqueue(db: Database, caller: Caller, kind: str, **params: object) -> JobId:
    async with db.begin() as tx:
        return await actions.enqueue(tx, kind, params, owner_id=caller.user_id)


async def test_enqueue_runs_after_commit_and_keeps_result_and_log(jobs_db, caller, start_worker) -> None:
    start_worker()
    job_id = await _enqueue(jobs_db, caller, "test.double", number=21)
    job = await _wait(jobs_db, caller, job_id, lambda job: job.state is JobState.FINISHED)
    assert (job.result, job.progress_percent, job.progress_message, job.attempt) == ({"number": 42}, 100, "Done", 1)
    async with jobs_db.begin() as tx:
        assert [line for _at, line in await actions.read_log(tx, caller, job_id)] == ["doubling 21"]


async def test_enqueue_rolled_back_leaves_nothing_to_run(jobs_db, caller) -> None:
    with pytest.raises(ZeroDivisionError):
        async with jobs_db.begin() as tx:
            job_id = await actions.enqueue(tx, "test.double", {"number": 1}, owner_id=caller.user_id)
            raise ZeroDivisionError
    with pytest.raises(QuadratError):
        await _look(jobs_db, caller, job_id)
    with psycopg.connect(psycopg_dsn(jobs_db.url)) as conn:
        query = "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'job_id' = %s"
        assert conn.execute(query, (str(job_id),)).fetchone() == (0,)


async def test_worker_killed_in_the_middle_another_finishes_the_job(jobs_db, caller, start_worker) -> None:
    first = start_worker()
    job_id = await _enqueue(jobs_db, caller, "test.hang_once")
    await _wait(jobs_db, caller, job_id, lambda job: job.progress_percent == 10)
    first.send_signal(signal.SIGKILL)
    first.wait()
    start_worker()
    job = await _wait(jobs_db, caller, job_id, lambda job: job.state is JobState.FINISHED)
    assert (job.attempt, job.result) == (2, {"attempt": 2})


async def test_worker_stopped_gives_the_job_back(jobs_db, caller, start_worker) -> None:
    first = start_worker()
    job_id = await _enqueue(jobs_db, caller, "test.hang_once")
    await _wait(jobs_db, caller, job_id, lambda job: job.progress_percent == 10)
    first.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, 30) == 0
    assert (await _look(jobs_db, caller, job_id)).state is JobState.PENDING
    start_worker()
    job = await _wait(jobs_db, caller, job_id, lambda job: job.state is JobState.FINISHED)
    assert job.attempt == 2


async def test_worker_whose_connections_are_cut_goes_on(jobs_db, caller, start_worker) -> None:
    start_worker()
    first = await _enqueue(jobs_db, caller, "test.double", number=1)
    await _wait(jobs_db, caller, first, lambda job: job.state is JobState.FINISHED)
    with psycopg.connect(psycopg_dsn(jobs_db.url), autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    second = await _enqueue(jobs_db, caller, "test.double", number=2)
    job = await _wait(jobs_db, caller, second, lambda job: job.state is JobState.FINISHED)
    assert job.result == {"number": 4}


async def test_failure_is_tried_again_and_then_told_without_details(jobs_db, caller, start_worker) -> None:
    start_worker()
    recovers = await _enqueue(jobs_db, caller, "test.fail", times=1)
    fails = await _enqueue(jobs_db, caller, "test.fail", times=9)
    job = await _wait(jobs_db, caller, recovers, lambda job: job.state is JobState.FINISHED)
    assert job.attempt == 2
    job = await _wait(jobs_db, caller, fails, lambda job: job.state is JobState.FAILED)
    assert (job.attempt, job.errors) == (2, ("The job failed inside the server; see its log.",))
    async with jobs_db.begin() as tx:
        lines = [line for _at, line in await actions.read_log(tx, caller, fails)]
    assert lines.count("RuntimeError: secret detail") == 2


async def test_refusal_fails_at_once_with_its_sentence_and_can_be_retried(jobs_db, caller, start_worker) -> None:
    start_worker()
    job_id = await _enqueue(jobs_db, caller, "test.fail", refuse=True, times=0)
    job = await _wait(jobs_db, caller, job_id, lambda job: job.state is JobState.FAILED)
    assert (job.attempt, job.errors) == (1, ("The file has no header.",))
    async with jobs_db.begin() as tx:
        await actions.retry(tx, caller, job_id)
    job = await _wait(jobs_db, caller, job_id, lambda job: job.state is JobState.FAILED and job.attempt == 2)
    assert job.errors == ("The file has no header.",)


async def test_question_waits_for_its_answer(jobs_db, caller, start_worker) -> None:
    start_worker()
    job_id = await _enqueue(jobs_db, caller, "test.ask")
    job = await _wait(jobs_db, caller, job_id, lambda job: job.state is JobState.ASKING)
    assert job.question == {"missing": ["name"]}
    async with jobs_db.begin() as tx:
        await actions.answer(tx, caller, job_id, {"name": "Ada"})
    job = await _wait(jobs_db, caller, job_id, lambda job: job.state is JobState.FINISHED)
    assert (job.result, job.question) == ({"hello": "Ada"}, {})
    with pytest.raises(QuadratError, match="cannot be answered"):
        async with jobs_db.begin() as tx:
            await actions.answer(tx, caller, job_id, {"name": "Bob"})


async def test_cancel_pending_job_never_runs(jobs_db, caller, start_worker) -> None:
    job_id = await _enqueue(jobs_db, caller, "test.double", number=1)
    async with jobs_db.begin() as tx:
        await actions.cancel(tx, caller, job_id)
    start_worker()
    later = await _enqueue(jobs_db, caller, "test.double", number=2)
    await _wait(jobs_db, caller, later, lambda job: job.state is JobState.FINISHED)
    job = await _look(jobs_db, caller, job_id)
    assert (job.state, job.attempt) == (JobState.CANCELLED, 0)


async def test_cancel_running_job_ends_it(jobs_db, caller, start_worker) -> None:
    start_worker()
    job_id = await _enqueue(jobs_db, caller, "test.hang_once")
    await _wait(jobs_db, caller, job_id, lambda job: job.progress_percent == 10)
    async with jobs_db.begin() as tx:
        await actions.cancel(tx, caller, job_id)
    job = await _wait(jobs_db, caller, job_id, lambda job: job.state is JobState.CANCELLED)
    assert job.attempt == 1


async def test_get_job_of_someone_else_is_not_found(jobs_db, caller) -> None:
    job_id = await _enqueue(jobs_db, caller, "test.nothing")
    stranger = Caller(UserId(caller.user_id + 10**9), new_uuid(), "s@example.org", False, None, new_uuid())
    for call in (actions.get_job, actions.cancel, actions.retry, actions.delete, actions.read_log):
        with pytest.raises(QuadratError) as refused:
            async with jobs_db.begin() as tx:
                await call(tx, stranger, job_id)
        assert refused.value.kind is ErrorKind.NOT_FOUND
    async with jobs_db.begin() as tx:
        assert await actions.list_jobs(tx, stranger) == []
        assert [job.id for job in await actions.list_jobs(tx, caller)] == [job_id]
        with pytest.raises(QuadratError):
            await actions.list_jobs(tx, stranger, everyone=True)


async def test_run_taken_over_changes_nothing(jobs_db, caller) -> None:
    job_id = await _enqueue(jobs_db, caller, "test.nothing")
    async with jobs_db.begin() as tx:
        lost = await store.begin_attempt(tx, job_id)
        current = await store.begin_attempt(tx, job_id)
        assert lost is not None
        assert current is not None
        assert not await store.change(tx, job_id, attempt=lost.attempt, state=JobState.FAILED)
        assert await store.change(tx, job_id, attempt=current.attempt, state=JobState.FINISHED)
        assert await store.begin_attempt(tx, job_id) is None
