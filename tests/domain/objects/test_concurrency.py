"""Several people at once, and processes that are killed in the middle: no decision is lost, none is counted twice."""

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from quadrat.db.engine import Database
from quadrat.identity.actions.tokens import create_token
from quadrat.objects.actions.classification import classify, classify_auto, revert_to_history
from quadrat.objects.actions.objects import erase_objects
from quadrat.objects.actions.queries import ListRequest, list_objects
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.types import State
from support.object_sets import COUNTS, ObjectSet, add_image, make_object_set
from support.people import make_caller

WRITER = Path(__file__).parents[2] / "support" / "object_writer.py"
#: A line must begin when the one before ended: what is written is a chain of states, the present one its last.
_CHAIN = """
SELECT object_id, array_agg(taxon_id ORDER BY change), array_agg(author_id ORDER BY change),
       bool_and(entered_at > before)
FROM (SELECT *, lag(entered_at, 1, '-infinity') OVER (PARTITION BY object_id ORDER BY change) AS before
      FROM objects.history WHERE object_id = ANY(:ids)) h
GROUP BY object_id
"""


async def assert_counts(db: Database, made: ObjectSet) -> None:
    async with db.begin() as tx:
        project = {"p": made.project_id}
        kept = await tx.execute(
            text("SELECT * FROM objects.project_taxon WHERE project_id = :p AND n_objects <> 0 ORDER BY 2"), project
        )
        counted = await tx.execute(text(COUNTS + " ORDER BY 2"), project)
        assert kept.all() == counted.all()


async def test_five_people_classify_the_same_objects_one_after_the_other(
    db: Database, cache: ColumnCache, tmp_path: Path
):
    other = ColumnCache(db, tmp_path / "other", 10**7)
    async with db.begin() as tx:
        people = [await make_caller(tx, admin=True) for _ in range(5)]
        made = await make_object_set(tx, people[0], 40)
    changed = 0

    async def work(number: int) -> int:
        chance, n = random.Random(number), 0
        for _ in range(12):
            async with db.begin() as tx:
                ids = np.array(chance.sample(made.objects, 25))
                taxa = np.array([chance.choice(made.taxa) for _ in ids])
                n += await classify(tx, people[number], ids, taxa, State.VALIDATED, cache if number % 2 else other)
        return n

    changed = sum(await asyncio.gather(*(work(number) for number in range(5))))
    async with db.begin() as tx:
        rows = (await tx.execute(text(_CHAIN), {"ids": made.objects})).all()
        decided = await tx.execute(
            text("SELECT count(*) FROM objects.object WHERE id = ANY(:ids) AND state = 'V'"), {"ids": made.objects}
        )
        assert sum(len(row[1]) for row in rows) == changed - decided.scalar_one(), (
            "each change but the first leaves a line"
        )
        assert all(row[3] for row in rows)
        for reader in (cache, other):
            for taxon in made.taxa:
                found = await list_objects(tx, reader, people[0], made.project_id, ListRequest({"taxo": str(taxon)}))
                there = await tx.execute(
                    text("SELECT id FROM objects.object WHERE project_id = :p AND taxon_id = :t ORDER BY id"),
                    {"p": made.project_id, "t": taxon},
                )
                assert found.object_ids.tolist() == list(there.scalars())
    await assert_counts(db, made)
    await other.close()


async def test_different_operations_at_once_neither_fail_nor_disagree(db: Database, cache: ColumnCache):
    async with db.begin() as tx:
        person = await make_caller(tx, admin=True)
        made = await make_object_set(tx, person, 40)

    async def run(number: int) -> None:
        chance = random.Random(number)
        for _ in range(6):
            ids = np.array(chance.sample(made.objects, 10))
            taxa = np.array([chance.choice(made.taxa) for _ in ids])
            async with db.begin() as tx:
                match number % 4:
                    case 0:
                        known = await tx.execute(
                            text("SELECT id FROM objects.object WHERE id = ANY(:ids)"), {"ids": ids.tolist()}
                        )
                        there = np.array(sorted(known.scalars()), np.int64)
                        guesses = there, taxa[: len(there)], np.full(len(there), 0.5)
                        await classify_auto(tx, person, guesses, keep_log=True, cache=cache)
                    case 1:
                        await list_objects(
                            tx, cache, person, made.project_id, ListRequest({}, "obj.orig_id", "-obj.classif_when")
                        )
                    case 2:
                        await revert_to_history(
                            tx, cache, person, made.project_id, {"taxo": str(taxa[0])}, (None, False)
                        )
                    case _:
                        await list_objects(tx, cache, person, made.project_id, ListRequest({"filt_annot": "1"}))

    await asyncio.gather(*(run(number) for number in range(8)))
    async with db.begin() as tx:
        assert (await erase_objects(tx, person, np.array(made.objects[:5]))).n_objects == 5
        found = await list_objects(tx, cache, person, made.project_id, ListRequest({}))
        assert found.object_ids.tolist() == made.objects[5:]
    await assert_counts(db, made)


@pytest.mark.parametrize("work", ["classify", "erase"])
async def test_writer_that_is_killed_leaves_whole_changes_only(work: str, db: Database, database_url: str):
    async with db.begin() as tx:
        person = await make_caller(tx)
        _, token = await create_token(tx, person.user_id, "writer")
        made = await make_object_set(tx, person, 60)
        for id_ in made.objects:
            await add_image(tx, made, id_)
    taxa = [str(taxon) for taxon in made.taxa[:2]]
    for n_seen, more_s in ((1, 0.0), (2, 0.013), (3, 0.037)):
        process = subprocess.Popen(
            [sys.executable, WRITER, database_url, token, str(made.project_id), work, *taxa],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(n_seen):
            assert process.stdout.readline() == "changed\n"
        # The moment of the kill is the point: anywhere in the next change.
        time.sleep(more_s)
        process.kill()
        process.wait()
        process.stdout.close()
    async with db.begin() as tx:
        # Waits for a change that is still being rolled back.
        row = await tx.execute(
            text("SELECT last FROM objects.clock WHERE project_id = :p FOR UPDATE"), {"p": made.project_id}
        )
        n_changes = row.scalar_one() - 1
        assert n_changes >= 6
        lines = await tx.execute(
            text("SELECT count(*) FROM objects.history WHERE object_id = ANY(:ids) GROUP BY object_id"),
            {"ids": made.objects},
        )
        alive = await tx.execute(
            text("SELECT id FROM objects.object WHERE project_id = :p ORDER BY id"), {"p": made.project_id}
        )
        left = list(alive.scalars())
        if work == "classify":
            assert {row[0] for row in lines} == {n_changes - 1}
        else:
            assert left == made.objects[n_changes:]
            jobs = await tx.execute(
                text("SELECT params FROM jobs.job WHERE kind = 'objects.delete_images' AND params->>'project_id' = :p"),
                {"p": str(made.project_id)},
            )
            assert len(jobs.all()) == n_changes
        for table in ("fact", "feature", "image"):
            owners = await tx.execute(
                text(f"SELECT object_id FROM objects.{table} WHERE project_id = :p ORDER BY 1"), {"p": made.project_id}
            )
            assert list(owners.scalars()) == left
    await assert_counts(db, made)
