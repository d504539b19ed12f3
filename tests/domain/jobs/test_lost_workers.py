"""Workers that are killed, stopped, frozen or cut off: every job ends once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import procrastinate
import pytest

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import Database
from quadrat.jobs import store
from quadrat.jobs.registry import Registry
from quadrat.jobs.types import JobState
from quadrat.jobs.worker import Worker
from quadrat.migrations.upgrade import upgrade
from support.jobs import House, starting_workers

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("jobs")]
NEVER_S = 3600.0


async def _kill(worker) -> None:
    worker.send_signal(signal.SIGKILL)
    await asyncio.to_thread(worker.wait, 30)


async def test_worker_killed_in_the_middle_another_finishes_the_job(house, start_worker) -> None:
    first = start_worker()
    job_id = await house.enqueue("test.hang_once")
    await house.until_hanging(job_id)
    await _kill(first)
    # The next one hears of the job: it is not found by looking.
    start_worker(poll_s=NEVER_S)
    job = await house.until(job_id, JobState.FINISHED)
    assert (job.attempt, job.result) == (2, {"attempt": 2})
    assert [line.startswith("hanging in") for line in await house.log(job_id)] == [True]


async def test_worker_told_to_stop_while_it_opens_its_connections_stops(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, opening = procrastinate.App.open_async, asyncio.Event()

    async def open_and_forget_to_stop(app: procrastinate.App) -> None:
        await opened(app)
        opening.set()
        with suppress(asyncio.CancelledError):  # as `asyncio.wait_for` of Python 3.11 does at the wrong moment
            await asyncio.Event().wait()

    monkeypatch.setattr(procrastinate.App, "open_async", open_and_forget_to_stop)
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(house.db, Registry([]), None, concurrency=1).run(stop))
    await opening.wait()
    stop.set()
    ended, _ = await asyncio.wait({running}, timeout=20)
    running.cancel()
    assert ended == {running}


async def test_job_that_kills_each_worker_is_given_up(house, start_worker) -> None:
    job_id = await house.enqueue("test.die")
    for _ in range(2):
        await asyncio.to_thread(start_worker().wait, 60)
    start_worker()
    job = await house.until(job_id, JobState.FAILED)
    assert job.errors == ("The server was lost 2 times while it ran this job.",)
    assert await house.log(job_id) == ["dying", "dying"]


async def test_worker_frozen_and_thawed_leaves_the_job_to_its_successor(house, start_worker) -> None:
    frozen = start_worker()
    job_id = await house.enqueue("test.hang_once")
    await house.until_hanging(job_id)
    frozen.send_signal(signal.SIGSTOP)
    successor = start_worker()
    job = await house.until(job_id, JobState.FINISHED)
    await _kill(successor)
    frozen.send_signal(signal.SIGCONT)
    after = await house.enqueue("test.double", number=4)
    assert (await house.until(after, JobState.FINISHED)).result == {"number": 8}
    assert await house.look(job_id) == job
    assert (job.attempt, job.result) == (2, {"attempt": 2})


async def test_worker_that_was_thought_lost_ends_its_job_without_a_word(house, start_worker, tmp_path) -> None:
    log = tmp_path / "log"
    late = start_worker(log=log)
    jobs = [await house.enqueue("test.wait_for_file", path=str(tmp_path / name)) for name in ("ends", "again")]
    for job_id in jobs:
        await house.until_hanging(job_id)
    # What another worker does for one that was silent; this one is not cancelled, as its job's attempt is the same.
    house.sql("DELETE FROM procrastinate_jobs WHERE args ->> 'job_id' = %s", str(jobs[0]))
    (tmp_path / "ends").touch()
    assert (await house.until(jobs[0], JobState.FINISHED)).attempt == 1
    await _until_in(log, "job.entry_gone")
    house.sql("DELETE FROM procrastinate_jobs WHERE args ->> 'job_id' = %s", str(jobs[1]))
    late.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(late.wait, 30) == 0
    assert log.read_text().count("job.entry_gone") == 2
    assert "Traceback" not in log.read_text()


async def test_worker_stopped_gives_the_job_back(house, start_worker) -> None:
    first = start_worker()
    job_id = await house.enqueue("test.hang_once")
    await house.until_hanging(job_id)
    first.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, 30) == 0
    assert (await house.look(job_id)).state is JobState.PENDING
    start_worker()
    assert (await house.until(job_id, JobState.FINISHED)).attempt == 2


async def test_worker_whose_connections_are_cut_goes_on(house, start_worker) -> None:
    start_worker()
    hanging = await house.enqueue("test.hang_once")
    await house.until_hanging(hanging)
    house.sql(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    second = await house.enqueue("test.double", number=2)
    assert (await house.until(second, JobState.FINISHED)).result == {"number": 4}


async def test_requeue_lost_by_several_at_once_puts_the_job_back_once(house) -> None:
    job_id = await house.enqueue("test.nothing")
    house.sql("UPDATE procrastinate_jobs SET status = 'doing' WHERE args ->> 'job_id' = %s", str(job_id))
    async with house.db.begin() as one, house.db.begin() as other:
        assert job_id in await store.requeue_lost(one, 10)
        assert job_id not in await store.requeue_lost(other, 10)
    async with house.db.begin() as tx:
        assert job_id not in await store.requeue_lost(tx, 10)
    assert house.queued(job_id) == [("todo",)]


async def test_requeue_lost_leaves_a_job_to_the_entry_that_it_has(house) -> None:
    job_id = await house.enqueue("test.nothing")
    house.sql("UPDATE procrastinate_jobs SET status = 'doing' WHERE args ->> 'job_id' = %s", str(job_id))
    async with house.db.begin() as tx:
        await store.defer(tx, job_id)
        assert job_id not in await store.requeue_lost(tx, 10)
    assert house.queued(job_id) == [("todo",)]


async def test_requeue_lost_forgets_a_job_that_ended(house) -> None:
    job_id = await house.enqueue("test.nothing")
    house.sql("UPDATE procrastinate_jobs SET status = 'doing' WHERE args ->> 'job_id' = %s", str(job_id))
    async with house.db.begin() as tx:
        await store.change(tx, job_id, state=JobState.FINISHED)
        assert job_id not in await store.requeue_lost(tx, 10)
    assert house.queued(job_id) == []


@pytest.fixture
async def own_server(tmp_path) -> AsyncIterator[tuple[EmbeddedPostgres, House]]:
    """A database server that a test may stop."""
    server = EmbeddedPostgres(tmp_path / "data")
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(upgrade, server.url)
    db = Database(server.url, pool_size=3)
    yield server, House(db)
    await db.close()
    await asyncio.to_thread(server.stop)


async def test_database_restarted_unnoticed_running_and_new_jobs_end_well(own_server, tmp_path) -> None:
    server, house = own_server
    with starting_workers(server.url) as start:
        start()
        go = tmp_path / "go"
        running = await house.enqueue("test.wait_for_file", path=str(go))
        await house.until_hanging(running)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        new = await house.enqueue("test.double", number=3)
        assert (await house.until(new, JobState.FINISHED)).result == {"number": 6}
        go.touch()
        # A worker that did not miss the database goes on; one that did begins again.
        job = await house.until(running, JobState.FINISHED)
        assert job.result == {"attempt": job.attempt}
        await house.until_dequeued(running)


async def test_database_away_until_the_worker_gives_up_its_jobs_run_again(own_server, tmp_path) -> None:
    server, house = own_server
    with starting_workers(server.url) as start:
        worker = start(log=tmp_path / "log")
        hanging = await house.enqueue("test.hang_once")
        await house.until_hanging(hanging)
        await asyncio.to_thread(server.stop)
        await _until_in(tmp_path / "log", "worker.interrupted")
        await asyncio.to_thread(server.start)
        job = await house.until(hanging, JobState.FINISHED)
        assert (job.attempt, job.result) == (2, {"attempt": 2})
        await house.until_dequeued(hanging)
        assert worker.poll() is None


async def _until_in(log: Path, words: str) -> None:
    async with asyncio.timeout(60):
        while words not in log.read_text():
            await asyncio.sleep(0.05)


async def test_stop_while_the_database_is_away_ends_the_worker() -> None:
    db = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1)
    stop = asyncio.Event()
    worker = asyncio.create_task(Worker(db, Registry([]), None, concurrency=1).run(stop))
    stop.set()
    async with asyncio.timeout(10):
        await worker
    await db.close()
