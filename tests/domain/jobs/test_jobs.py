from datetime import UTC, datetime, timedelta

import pytest

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, UserId
from quadrat.jobs import actions, store, tasks
from quadrat.jobs.registry import Handler, JobContext, Registry
from quadrat.jobs.types import JobFilter, JobState, Queueing, ResultFile
from quadrat.storage.blobs import BlobStore

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("jobs")]


class Resources:
    def __init__(self, blobs: BlobStore) -> None:
        self.blobs = blobs


async def test_enqueue_runs_after_commit_and_keeps_result_and_log(house, start_worker) -> None:
    start_worker()
    job_id = await house.enqueue("test.double", number=21)
    job = await house.until(job_id, JobState.FINISHED)
    assert (job.result, job.progress_percent, job.progress_message, job.attempt) == ({"number": 42}, 100, "Done", 1)
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at
    assert await house.log(job_id) == ["doubling 21"]


async def test_enqueue_wakes_a_worker_that_never_looks_by_itself(house, start_worker) -> None:
    start_worker(poll_s=3600.0)
    for number in range(3):
        job_id = await house.enqueue("test.double", number=number)
        assert (await house.until(job_id, JobState.FINISHED)).result == {"number": 2 * number}


async def test_enqueue_rolled_back_leaves_nothing_to_run(house) -> None:
    with pytest.raises(ZeroDivisionError):
        async with house.db.begin() as tx:
            job_id = await actions.enqueue(tx, "test.double", {"number": 1}, owner_id=house.caller.user_id)
            raise ZeroDivisionError
    with pytest.raises(QuadratError):
        await house.look(job_id)
    assert house.queued(job_id) == []


async def test_enqueue_for_later_waits_and_runs_then(house, start_worker) -> None:
    start_worker()
    far = await house.enqueue("test.double", queueing=Queueing(after=timedelta(hours=1)), number=1)
    near = await house.enqueue("test.double", queueing=Queueing(after=timedelta(seconds=1)), number=2)
    job = await house.until(near, JobState.FINISHED)
    assert job.started_at - job.created_at >= timedelta(seconds=1)
    waiting = await house.look(far)
    assert waiting.attempt == 0
    starts_at = datetime.strptime(waiting.progress_message, "Waits until %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    assert abs(starts_at - waiting.created_at - timedelta(hours=1)) < timedelta(seconds=30)


async def test_enqueue_with_the_same_lock_runs_one_at_a_time(house, start_worker) -> None:
    start_worker()
    import_lock = Queueing(lock=f"import:{new_uuid()}")
    first = await house.enqueue("test.hang_once", queueing=import_lock)
    await house.until_hanging(first)
    second = await house.enqueue("test.double", queueing=import_lock, number=1)
    beside = await house.enqueue("test.double", number=2)
    await house.until(beside, JobState.FINISHED)
    assert (await house.look(second)).attempt == 0
    async with house.db.begin() as tx:
        await actions.cancel(tx, house.caller, first)
    await house.until(second, JobState.FINISHED)


async def test_enqueue_once_takes_the_same_job_that_waits(house) -> None:
    once = Queueing(once=True)
    waiting = await house.enqueue("test.once", queueing=once, number=1)
    assert await house.enqueue("test.once", queueing=once, number=1) == waiting
    assert house.queued(waiting) == [("todo",)]
    assert await house.enqueue("test.once", queueing=once, number=2) != waiting
    async with house.db.begin() as tx:
        assert await actions.enqueue(tx, "test.once", {"number": 1}, queueing=once) != waiting
        await store.begin_attempt(tx, waiting)
    assert await house.enqueue("test.once", queueing=once, number=1) != waiting


async def test_enqueue_once_keeps_the_job_from_starting_before_the_commit(house, start_worker) -> None:
    once = Queueing(once=True)
    job_id = await house.enqueue("test.double", queueing=once, number=1)
    async with house.db.begin() as tx:
        assert (
            await actions.enqueue(tx, "test.double", {"number": 1}, owner_id=house.caller.user_id, queueing=once)
            == job_id
        )
        start_worker()
        other = await house.enqueue("test.double", number=2)
        await house.until(other, JobState.FINISHED)
        assert (await house.look(job_id)).attempt == 0
    await house.until(job_id, JobState.FINISHED)


async def test_failure_is_tried_again_and_then_told_without_details(house, start_worker) -> None:
    start_worker()
    recovers = await house.enqueue("test.fail", times=1)
    fails = await house.enqueue("test.fail", times=9)
    assert (await house.until(recovers, JobState.FINISHED)).attempt == 2
    job = await house.until(fails, JobState.FAILED)
    assert (job.attempt, job.errors) == (2, ("The job failed inside the server; see its log.",))
    assert (await house.log(fails)).count("RuntimeError: secret detail") == 2


async def test_refusal_fails_at_once_with_its_sentence_and_can_be_retried(house, start_worker) -> None:
    start_worker()
    job_id = await house.enqueue("test.fail", refuse=True, times=0)
    job = await house.until(job_id, JobState.FAILED)
    assert (job.attempt, job.errors) == (1, ("The file has no header.",))
    async with house.db.begin() as tx:
        await actions.retry(tx, house.caller, job_id)
        pending = await actions.get_job(tx, house.caller, job_id)
    assert (pending.state, pending.errors, pending.finished_at) == (JobState.PENDING, (), None)
    job = await house.until(job_id, lambda job: job.state is JobState.FAILED and job.attempt == 2)
    assert job.errors == ("The file has no header.",)


@pytest.mark.parametrize("ask", [False, True])
async def test_result_or_question_that_cannot_be_stored_is_a_failure(house, start_worker, ask) -> None:
    start_worker()
    job_id = await house.enqueue("test.leave_unstorable", ask=ask)
    job = await house.until(job_id, JobState.FAILED)
    assert job.attempt == 1
    assert (await house.log(job_id))[0] == "attempt 1 failed"


async def test_question_waits_for_its_answer(house, start_worker) -> None:
    start_worker()
    job_id = await house.enqueue("test.ask")
    job = await house.until(job_id, JobState.ASKING)
    assert job.question == {"missing": ["name"]}
    async with house.db.begin() as tx:
        await actions.answer(tx, house.caller, job_id, {"name": "Ada"})
    job = await house.until(job_id, JobState.FINISHED)
    assert (job.result, job.question) == ({"hello": "Ada"}, {})
    with pytest.raises(QuadratError, match="cannot be answered"):
        async with house.db.begin() as tx:
            await actions.answer(tx, house.caller, job_id, {"name": "Bob"})


async def test_cancel_pending_job_never_runs(house, start_worker) -> None:
    job_id = await house.enqueue("test.double", number=1)
    async with house.db.begin() as tx:
        await actions.cancel(tx, house.caller, job_id)
    start_worker()
    later = await house.enqueue("test.double", number=2)
    await house.until(later, JobState.FINISHED)
    job = await house.look(job_id)
    assert (job.state, job.attempt) == (JobState.CANCELLED, 0)
    assert job.finished_at is not None


@pytest.mark.parametrize("kind", ["test.hang_once", "test.stumble"])
async def test_cancel_running_job_ends_it(house, start_worker, kind) -> None:
    start_worker()
    job_id = await house.enqueue(kind)
    await house.until_hanging(job_id)
    async with house.db.begin() as tx:
        await actions.cancel(tx, house.caller, job_id)
    job = await house.until(job_id, JobState.CANCELLED)
    assert job.attempt == 1


async def test_cancel_whose_message_was_lost_ends_the_job_all_the_same(house, start_worker) -> None:
    start_worker()
    job_id = await house.enqueue("test.hang_once")
    await house.until_hanging(job_id)
    house.sql("UPDATE jobs.job SET cancel_requested = true WHERE id = %s", job_id)
    assert (await house.until(job_id, JobState.CANCELLED)).attempt == 1


async def test_delete_running_job_frees_its_worker(house, start_worker) -> None:
    start_worker()
    lock = Queueing(lock=f"import:{new_uuid()}")
    job_id = await house.enqueue("test.hang_once", queueing=lock)
    await house.until_hanging(job_id)
    async with house.db.begin() as tx:
        await actions.delete(tx, house.caller, job_id)
    after = await house.enqueue("test.double", queueing=lock, number=1)
    await house.until(after, JobState.FINISHED)
    with pytest.raises(QuadratError):
        await house.look(job_id)


async def test_delete_removes_the_file_by_a_job_of_its_own(house, tmp_path) -> None:
    blobs = BlobStore.on_disk(tmp_path / "store", b"s" * 32)
    await blobs.put("exports/1", b"a,b")
    job_id = await house.enqueue("test.export")
    file = ResultFile("exports/1", "export.csv", "text/csv")
    async with house.db.begin() as tx:
        await store.change(
            tx, job_id, state=JobState.FINISHED, result_key=file.key, result_filename=file.filename,
            result_media_type=file.media_type,
        )  # fmt: skip
        assert (await actions.get_job(tx, house.caller, job_id)).result_file == file
        await actions.delete(tx, house.caller, job_id)
    [(removing,)] = house.sql(
        "SELECT id FROM jobs.job WHERE kind = %s AND params = %s::jsonb", "jobs.delete_file", '{"key": "exports/1"}'
    )
    async with house.db.begin() as tx:
        job = await store.begin_attempt(tx, removing)
    handler = Registry(tasks.HANDLERS).find("jobs.delete_file")
    for _ in range(2):
        await handler.run(JobContext(job, house.db, Resources(blobs)), job.params)
    assert not await blobs.exists("exports/1")


async def test_get_job_of_someone_else_is_not_found(house) -> None:
    job_id = await house.enqueue("test.nothing")
    stranger = Caller(UserId(house.caller.user_id + 10**9), new_uuid(), "s@example.org", False, None, new_uuid())
    for call in (actions.get_job, actions.cancel, actions.retry, actions.delete, actions.read_log):
        with pytest.raises(QuadratError) as refused:
            async with house.db.begin() as tx:
                await call(tx, stranger, job_id)
        assert refused.value.kind is ErrorKind.NOT_FOUND
    async with house.db.begin() as tx:
        with pytest.raises(QuadratError) as refused:
            await actions.answer(tx, stranger, job_id, {})
        assert refused.value.kind is ErrorKind.NOT_FOUND
        assert await actions.list_jobs(tx, stranger) == []
        assert [job.id for job in await actions.list_jobs(tx, house.caller)] == [job_id]
        with pytest.raises(QuadratError):
            await actions.list_jobs(tx, stranger, everyone=True)


async def test_list_jobs_keeps_to_what_is_wanted(house) -> None:
    one = await house.enqueue("test.one")
    two = await house.enqueue("test.two")
    async with house.db.begin() as tx:
        await actions.cancel(tx, house.caller, two)
    assert await house.list_ids(JobFilter()) == [two, one]
    assert await house.list_ids(JobFilter(kinds=frozenset({"test.one"}))) == [one]
    assert await house.list_ids(JobFilter(states=frozenset({JobState.CANCELLED}))) == [two]
    assert await house.list_ids(JobFilter(kinds=frozenset({"test.one"}), states=frozenset({JobState.CANCELLED}))) == []


async def test_list_jobs_administrator_sees_everyones_and_any_one(house) -> None:
    job_id = await house.enqueue("test.nothing")
    admin = Caller(UserId(house.caller.user_id + 10**9), new_uuid(), "a@example.org", True, None, new_uuid())
    async with house.db.begin() as tx:
        assert job_id in [job.id for job in await actions.list_jobs(tx, admin, everyone=True)]
        assert await actions.list_jobs(tx, admin) == []
        assert (await actions.get_job(tx, admin, job_id)).id == job_id


async def test_run_taken_over_changes_nothing(house) -> None:
    job_id = await house.enqueue("test.nothing")
    async with house.db.begin() as tx:
        lost = await store.begin_attempt(tx, job_id)
        current = await store.begin_attempt(tx, job_id)
        assert lost is not None
        assert current is not None
        assert not await store.change(tx, job_id, attempt=lost.attempt, state=JobState.FAILED)
        runs = [(job_id, lost.attempt), (job_id, current.attempt)]
        assert await store.list_unwanted(tx, runs) == {(job_id, lost.attempt)}
        assert await store.change(tx, job_id, attempt=current.attempt, state=JobState.FINISHED)
        assert await store.begin_attempt(tx, job_id) is None


def test_registry_two_handlers_of_one_kind_are_refused() -> None:
    handler = tasks.HANDLERS[0]
    with pytest.raises(ValueError, match=r"jobs\.delete_file"):
        Registry([handler, Handler(handler.kind, handler.run)])
