"""Decisions that arrive at the same time become one change, and each is still its own."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.authenticator import Authenticator
from quadrat.objects.actions.objects import erase_objects
from quadrat.objects.actions.queries import ListRequest, list_objects
from quadrat.objects.columns.cache import ColumnCache, Needs
from quadrat.objects.door import Door
from quadrat.objects.frames.specs import TAXON
from quadrat.objects.intake import Intake
from quadrat.objects.store.clock import KEPT_CHANGES, read_clock
from quadrat.objects.types import State
from support.object_sets import COUNTS, make_object_set
from support.people import make_caller


@pytest.fixture
async def intake(db: Database, cache: ColumnCache) -> AsyncIterator[Intake]:
    listener = Listener(db.dsn)
    authenticator = Authenticator(db, listener)
    await listener.start()
    yield Intake(db, Door(db, authenticator), cache)
    await listener.stop()


async def test_decisions_at_once_leave_a_line_for_each_state(
    db: Database, cache: ColumnCache, intake: Intake, tmp_path: Path
):
    async with db.begin() as tx:
        people = [await make_caller(tx, admin=True) for _ in range(3)]
        made = await make_object_set(tx, people[0], 60)
        await list_objects(tx, cache, people[0], made.project_id, ListRequest({}, None, "obj.classif_who"))

    async def work(number: int) -> int:
        chance, n = random.Random(number), 0
        for _ in range(10):
            ids = np.array(chance.sample(made.objects, 12))
            taxa = np.array([chance.choice([*made.taxa, -1]) for _ in ids])
            state = chance.choice([State.VALIDATED, State.DUBIOUS, State.PREDICTED, None])
            n += await intake.classify(people[number % 3], ids, taxa, state)
        return n

    async with db.begin() as tx:
        classified = await _n_classified(tx, made.project_id)
    changed = sum(await asyncio.gather(*(work(number) for number in range(12))))
    async with db.begin() as tx:
        lines = await tx.execute(
            text("SELECT count(*) FROM objects.history WHERE object_id = ANY(:ids)"), {"ids": made.objects}
        )
        grown = await _n_classified(tx, made.project_id) - classified
        assert changed == lines.scalar_one() + grown
        project = {"p": made.project_id}
        kept = await tx.execute(
            text("SELECT * FROM objects.project_taxon WHERE project_id = :p AND n_objects <> 0 ORDER BY 2"), project
        )
        assert kept.all() == (await tx.execute(text(COUNTS + " ORDER BY 2"), project)).all()
        fresh = ColumnCache(db, tmp_path / "fresh", 10**7)
        orders = ("obj.classif_who", "obj.classif_when", "obj.classif_auto_when", "obj.classif_auto_id")
        for filters in ({}, *({"taxo": str(taxon)} for taxon in made.taxa), {"statusfilter": "V"}):
            for order in orders:
                asked = ListRequest(filters, None, order)
                held, read = [
                    await list_objects(tx, columns, people[0], made.project_id, asked) for columns in (cache, fresh)
                ]
                assert held.object_ids.tolist() == read.object_ids.tolist(), (filters, order)
        await fresh.close()


async def test_decisions_that_wait_share_a_change(db: Database, cache: ColumnCache, intake: Intake):
    async with db.begin() as tx:
        person = await make_caller(tx, admin=True)
        made = await make_object_set(tx, person, 60)
        await list_objects(tx, cache, person, made.project_id, ListRequest({}, None, "obj.classif_who"))
    clock = text("SELECT last FROM objects.clock WHERE project_id = :p FOR UPDATE")
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND :pid = ANY(pg_blocking_pids(pid))")

    async def decide(part: int) -> int:
        ids = np.array(made.objects[part * 12 : part * 12 + 12])
        return await intake.classify(person, ids, np.full(12, made.taxa[part % 2]), State.VALIDATED)

    await decide(0)  # what it looks up once is known from here on
    async with db.begin() as holder:
        before = (await holder.execute(clock, {"p": made.project_id})).scalar_one()
        pid = (await holder.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        decisions = [asyncio.create_task(decide(part)) for part in range(5)]
        async with asyncio.timeout(20):
            while not (await holder.execute(waiting, {"pid": pid})).scalar_one():
                await asyncio.sleep(0.01)
    counts = await asyncio.gather(*decisions)
    assert counts[1:] == [12, 12, 12, 12]
    async with db.begin() as tx:
        after = (await tx.execute(clock, {"p": made.project_id})).scalar_one()
    assert after - before == 2, "the first alone, and all who came while it waited"


async def _n_classified(tx, project_id: int) -> int:
    rows = await tx.execute(
        text("SELECT count(*) FROM objects.object WHERE project_id = :p AND state <> 'U'"), {"p": project_id}
    )
    return int(rows.scalar_one())


async def test_decision_on_an_object_that_is_gone_is_refused_alone(db: Database, cache: ColumnCache, intake: Intake):
    async with db.begin() as tx:
        person = await make_caller(tx, admin=True)
        made = await make_object_set(tx, person, 30)
        await list_objects(tx, cache, person, made.project_id, ListRequest({}))
    async with db.begin() as tx:
        await erase_objects(tx, person, np.array(made.objects[:1]))
    taxon = np.full(10, made.taxa[1])
    recent = text("SELECT recent_taxa FROM objects.user_project WHERE user_id = :a AND project_id = :p")
    me = {"a": person.user_id, "p": made.project_id}
    with pytest.raises(QuadratError):
        await intake.classify(person, np.array(made.objects[:10]), np.full(10, made.taxa[3]), State.VALIDATED)
    async with db.begin() as tx:
        assert (await tx.execute(recent, me)).scalar_one_or_none() in (None, [])
    answers = await asyncio.gather(
        *(
            intake.classify(person, np.array(made.objects[start : start + 10]), taxon, State.VALIDATED)
            for start in (10, 0, 20)
        ),
        return_exceptions=True,
    )
    assert isinstance(answers[1], QuadratError)
    assert answers[1].kind is ErrorKind.NOT_FOUND
    assert all(isinstance(answer, int) for answer in (answers[0], answers[2]))
    async with db.begin() as tx:
        decided = await tx.execute(
            text(
                "SELECT id FROM objects.object WHERE project_id = :p AND author_id = :a AND taxon_id = :t ORDER BY id"
            ),
            {"p": made.project_id, "a": person.user_id, "t": made.taxa[1]},
        )
        found = set(decided.scalars())
    assert set(made.objects[10:]) <= found
    assert not found & set(made.objects[1:10]), "nothing of a refused decision is kept"


async def test_latest_taxa_of_each_author_come_first(db: Database, cache: ColumnCache, intake: Intake):
    async with db.begin() as tx:
        people = [await make_caller(tx, admin=True) for _ in range(2)]
        made = await make_object_set(tx, people[0], 30)
        await list_objects(tx, cache, people[0], made.project_id, ListRequest({}))
    first, second, third = made.taxa[:3]
    for person in people:  # who may and what there is have been looked up by then, so that the order below is kept
        await intake.classify(person, np.array(made.objects[20:23]), np.array(made.taxa[:3]), State.DUBIOUS)
    given = [(people[0], 0, first), (people[1], 5, third), (people[0], 10, second), (people[0], 15, first)]
    await asyncio.gather(
        *(
            intake.classify(person, np.array(made.objects[at : at + 5]), np.full(5, taxon), State.VALIDATED)
            for person, at, taxon in given
        )
    )
    async with db.begin() as tx:
        rows = await tx.execute(
            text("SELECT user_id, recent_taxa FROM objects.user_project WHERE project_id = :p"), {"p": made.project_id}
        )
        recent = {row[0]: row[1] for row in rows}
    assert recent[people[0].user_id][:3] == [first, second, third]
    assert recent[people[1].user_id][:3] == [third, first, second]


async def test_decisions_on_the_same_objects_are_made_one_after_the_other(
    db: Database, cache: ColumnCache, intake: Intake
):
    async with db.begin() as tx:
        person = await make_caller(tx, admin=True)
        made = await make_object_set(tx, person, 30)
        await list_objects(tx, cache, person, made.project_id, ListRequest({}))
    await intake.classify(person, np.array(made.objects[:1]), np.array(made.taxa[:1]), State.VALIDATED)
    async with db.begin() as tx:
        await erase_objects(tx, person, np.array(made.objects[29:]))
    parts = [(0, 10), (5, 15), (25, 30), (0, 10)]  # each beside the one before, the third with one that is gone
    answers = await asyncio.gather(
        *(
            intake.classify(
                person, np.array(made.objects[first:last]), np.full(last - first, made.taxa[number]), State.DUBIOUS
            )
            for number, (first, last) in enumerate(parts)
        ),
        return_exceptions=True,
    )
    assert [answers[0], answers[1], answers[3]] == [10, 10, 10]
    assert isinstance(answers[2], QuadratError)
    async with db.begin() as tx:
        rows = await tx.execute(
            text("SELECT taxon_id FROM objects.object WHERE project_id = :p ORDER BY id"), {"p": made.project_id}
        )
        assert [row[0] for row in rows] == [made.taxa[3]] * 10 + [made.taxa[1]] * 5 + [None] * 14


async def test_former_changes_are_forgotten_and_columns_that_know_less_read_anew(
    db: Database, cache: ColumnCache, intake: Intake, tmp_path: Path
):
    late, slow = (ColumnCache(db, tmp_path / name, 10**7) for name in ("late", "slow"))
    async with db.begin() as tx:
        person = await make_caller(tx, admin=True)
        made = await make_object_set(tx, person, 30)
        for columns in (cache, late, slow):
            await list_objects(tx, columns, person, made.project_id, ListRequest({}))
        seen = await read_clock(tx, made.project_id)
    given = {}
    for number in range(KEPT_CHANGES + 64):
        object_id, taxon = made.objects[1 + number % 29], made.taxa[number // 29 % 2]
        if number == 0:  # what is told of this one is forgotten
            object_id, taxon = made.objects[0], made.taxa[3]
        await intake.classify(person, np.array([object_id]), np.array([taxon]), State.VALIDATED)
        given[object_id] = taxon
    async with db.begin() as tx:
        project = {"p": made.project_id}
        last, horizon = (
            await tx.execute(text("SELECT last, horizon FROM objects.clock WHERE project_id = :p"), project)
        ).one()
        oldest = await tx.execute(text("SELECT min(number) FROM objects.change WHERE project_id = :p"), project)
        assert (horizon % 32, last - KEPT_CHANGES - horizon < 32) == (0, True)
        assert oldest.scalar_one() == horizon + 1
        found = await list_objects(tx, late, person, made.project_id, ListRequest({"taxo": str(made.taxa[0])}))
        expected = [given[id_] for id_ in made.objects]
        assert found.object_ids.tolist() == [id_ for id_ in made.objects if given[id_] == made.taxa[0]]
        # Somebody looked at the clock before the first of these changes, and asks what happened after the last.
        one_more = replace(seen, last=seen.last + 1)
        async with slow.reading(tx, made.project_id, Needs(), clock=one_more) as reading:
            assert reading.view.values[TAXON].tolist() == expected
    for columns in (late, slow):
        await columns.close()
