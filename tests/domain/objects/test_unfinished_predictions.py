"""What a prediction by a served model leaves behind when nobody goes on with it."""

from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs import actions as jobs
from quadrat.jobs.types import Job
from quadrat.objects.actions.prediction import PREDICT
from quadrat.objects.store import learning as store
from support.people import make_caller, make_project

pytestmark = pytest.mark.anyio


async def ask(tx: AsyncConnection, caller: Caller, project_id: ProjectId) -> Job:
    job_id = await jobs.enqueue(tx, PREDICT, {}, owner_id=caller.user_id, project_id=project_id)
    return await jobs.get_job(tx, caller, job_id)


async def begin(tx: AsyncConnection, job: Job) -> set[UUID]:
    """A job that has asked a model about one block of two."""
    ids = np.array([1, 2], np.int64)
    training = await store.insert_training(tx, job, {}, [(ids, None, None), (ids + 2, None, None)])
    requests = [uuid4(), uuid4()]
    await store.note_requests(tx, training.id, 0, ids, requests)
    return set(requests)


async def test_next_prediction_of_the_project_gets_what_the_last_one_asked(db: Database):
    async with db.begin() as tx:
        caller = await make_caller(tx)
        first, second = [await make_project(tx, caller) for _ in range(2)]
        lost, elsewhere = [await ask(tx, caller, project.id) for project in (first, second)]
        asked = await begin(tx, lost)
        await begin(tx, elsewhere)
        assert await store.forget_unfinished(tx, lost) == [], "its own"
        following = await ask(tx, caller, first.id)
        assert set(await store.forget_unfinished(tx, following)) == asked
        assert await store.find_training(tx, lost.id) is None
        assert await store.find_training(tx, elsewhere.id) is not None


async def test_purge_leaves_alone_what_a_job_still_works_on(db: Database):
    async with db.begin() as tx:
        caller = await make_caller(tx)
        project = await make_project(tx, caller)
        waiting, cancelled = [await ask(tx, caller, project.id) for _ in range(2)]
        await begin(tx, waiting)
        asked = await begin(tx, cancelled)
        await jobs.cancel(tx, caller, cancelled.id)
        assert set(await store.forget_unfinished(tx)) >= asked
        assert await store.find_training(tx, waiting.id) is not None
