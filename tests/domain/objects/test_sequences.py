"""All operations on objects in random order, in the database, against the naive model; the columns in memory follow."""

import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.identity.types import Caller, UserId
from quadrat.objects.actions import classification
from quadrat.objects.actions.objects import correct_objects, erase_objects
from quadrat.objects.actions.queries import ListRequest, details, list_objects
from quadrat.objects.columns.cache import ColumnCache, Needs
from quadrat.objects.frames import specs
from quadrat.objects.store import listing
from quadrat.objects.types import State, TaxonId
from support.classification_model import Model
from support.object_sets import COUNTS, ObjectSet, make_object_set
from support.people import make_caller

STATES = {"V": State.VALIDATED, "D": State.DUBIOUS, "P": State.PREDICTED, "=": None}
_STATE = """
SELECT id, nullif(state, 'U'), taxon_id, author_id, decided_at, predicted_taxon_id, predicted_score, predicted_at
FROM objects.object WHERE project_id = :p ORDER BY id
"""
_HISTORY = """
SELECT h.object_id, h.state, h.taxon_id, h.author_id, h.entered_at, h.score
FROM objects.history h JOIN objects.object o ON o.id = h.object_id WHERE o.project_id = :p ORDER BY 1, h.change
"""
_STRAYS = """
SELECT count(*) FROM objects.{table} t LEFT JOIN objects.object o ON o.id = t.object_id
WHERE o.id IS NULL AND t.object_id = ANY(:ids)
"""


class Walk:
    """One random sequence of operations by three people."""

    def __init__(self, chance: random.Random, made: ObjectSet, people: list[Caller], cache: ColumnCache) -> None:
        self.chance, self.made, self.people, self.cache = chance, made, people, cache
        self.model = Model()
        self.times: dict[int, Any] = {}
        for id_ in made.objects:
            self.model.add(id_)

    async def step(self, tx: AsyncConnection, number: int) -> None:
        weights = {"classify": 6, "auto": 4, "reclassify": 2, "reset": 2, "revert": 4, "erase": 1, "correct": 2}
        weights["rename"] = 1
        name = self.chance.choices(list(weights), list(weights.values()))[0]
        await getattr(self, name)(tx, number)

    def some(self) -> list[int]:
        alive = sorted(self.model.objects)
        return self.chance.sample(alive, self.chance.randint(1, len(alive)))

    def filtered(self) -> tuple[dict[str, str], list[int]]:
        """A filter with what it selects."""
        if self.chance.random() < 0.5:
            letter = self.chance.choice("VDP")
            return {"statusfilter": letter}, [id_ for id_, o in self.model.objects.items() if o["qual"] == letter]
        taxon = self.chance.choice(self.made.taxa)
        return {"taxo": str(taxon)}, [id_ for id_, o in self.model.objects.items() if o["id"] == taxon]

    async def classify(self, tx: AsyncConnection, number: int) -> None:
        ids = self.some() + self.some()
        taxa = [self.chance.choice([-1, *self.made.taxa]) for _ in ids]
        qual, who = self.chance.choice("VVVDP="), self.chance.choice(self.people)
        n = await classification.classify(tx, who, np.array(ids), np.array(taxa), STATES[qual], self.cache)
        assert n == self.model.classify(dict(zip(ids, taxa, strict=True)), qual, who.user_id, number)

    async def auto(self, tx: AsyncConnection, number: int) -> None:
        ids = self.some()
        taxa = [self.chance.choice(self.made.taxa) for _ in ids]
        scores = [self.chance.randrange(5) / 4 for _ in ids]
        keep_log = self.chance.random() < 0.5
        guesses = np.array(ids), np.array(taxa), np.array(scores)
        n = await classification.classify_auto(tx, self.people[0], guesses, keep_log=keep_log, cache=self.cache)
        assert n == len(ids)
        rows = zip(ids, zip(taxa, scores, strict=True), strict=True)
        self.model.classify_auto(dict(rows), keep_log, number)

    async def reclassify(self, tx: AsyncConnection, number: int) -> None:
        filters, ids = self.filtered()
        into, who = self.chance.choice(self.made.taxa), self.chance.choice(self.people)
        n = await classification.reclassify(tx, self.cache, who, self.made.project_id, filters, (TaxonId(into), "W"))
        assert n == len(ids)
        self.model.classify(dict.fromkeys(ids, into), "=", who.user_id, number)

    async def reset(self, tx: AsyncConnection, number: int) -> None:
        filters, ids = self.filtered()
        await classification.reset_to_predicted(tx, self.cache, self.people[0], self.made.project_id, filters)
        self.model.reset(ids, number)

    async def revert(self, tx: AsyncConnection, _number: int) -> None:
        filters, ids = self.filtered()
        target = self.chance.choice([None, None, *(person.user_id for person in self.people)])
        not_by = None
        if self.chance.random() < 0.3:
            not_by = self.chance.choice(self.people).user_id
            filters["filt_last_annot"] = str(not_by)
            ids = [id_ for id_ in ids if self.model.objects[id_]["who"] == not_by]
        project_id = self.made.project_id
        dry = await classification.revert_to_history(
            tx, self.cache, self.people[0], project_id, filters, (target, True)
        )
        real = await classification.revert_to_history(
            tx, self.cache, self.people[0], project_id, filters, (target, False)
        )
        np.testing.assert_equal(asdict(dry.objects), asdict(real.objects))
        assert real.names == {}
        listed = self.model.revert(sorted(ids), None if target is None else UserId(target), not_by)
        assert real.objects.object_ids.tolist() == listed

    async def erase(self, tx: AsyncConnection, _number: int) -> None:
        if len(self.model.objects) < 4:
            return
        gone = self.chance.sample(sorted(self.model.objects), 1)
        assert (await erase_objects(tx, self.people[0], np.array(gone))).n_objects == 1
        self.model.erase(gone[0])

    async def correct(self, tx: AsyncConnection, number: int) -> None:
        given = self.chance.choice(
            [[("area", str(number))], [("depth_min", str(number))], [("note", f"note {number}")]]
        )
        ids = np.array(self.some())
        assert await correct_objects(tx, self.cache, self.people[0], ids, given) == len(ids)

    async def rename(self, tx: AsyncConnection, number: int) -> None:
        new = {"id": self.chance.choice(self.made.taxa), "name": f"{self.made.project_id} {number}"}
        await tx.execute(text("UPDATE objects.taxon SET display_name = :name WHERE id = :id"), new)

    def same_time(self, token: Any, at: Any) -> bool:
        if token is None or at is None:
            return token is None and at is None
        return self.times.setdefault(token, at) == at

    async def compare(self, tx: AsyncConnection) -> None:
        project = {"p": self.made.project_id}
        rows = (await tx.execute(text(_STATE), project)).all()
        assert [row[0] for row in rows] == sorted(self.model.objects)
        for id_, *found in rows:
            o = self.model.objects[id_]
            assert (found[0], found[1], found[2], found[4], found[5]) == (
                o["qual"],
                o["id"],
                o["who"],
                o["auto_id"],
                o["auto_score"],
            )
            assert self.same_time(o["when"], found[3])
            assert self.same_time(o["auto_when"], found[6])
        lines = (await tx.execute(text(_HISTORY), project)).all()
        expected = [(id_, line) for id_ in sorted(self.model.history) for line in self.model.history[id_]]
        assert [(row[0], row[1], row[2], row[3], row[5]) for row in lines] == [
            (id_, line["qual"], line["id"], line["who"], line["score"]) for id_, line in expected
        ]
        assert all(self.same_time(line["when"], row[4]) for (_, line), row in zip(expected, lines, strict=True))
        kept = await tx.execute(
            text("SELECT * FROM objects.project_taxon WHERE project_id = :p AND n_objects <> 0 ORDER BY 2"), project
        )
        counted = await tx.execute(text(COUNTS + " ORDER BY 2"), project)
        assert kept.all() == counted.all()
        for table in ("history", "fact", "feature"):
            assert (await tx.execute(text(_STRAYS.format(table=table)), {"ids": self.made.objects})).scalar_one() == 0

    async def compare_shown(self, tx: AsyncConnection) -> None:
        """What lists show from memory is what the tables hold."""
        asked = ListRequest({}, "obj.classif_qual,txo.display_name,fre.area,obj.depth_min,txp.name,fre.note,obj.objid")
        found = await list_objects(tx, self.cache, self.people[0], self.made.project_id, asked)
        shown = await details(tx, self.cache, found)
        held = await listing.details(tx, found.object_ids, found.fields)
        assert [tuple(row) for row in shown] == [held[id_] for id_ in sorted(self.model.objects)]

    async def compare_columns(self, tx: AsyncConnection) -> None:
        columns = {specs.AUTHOR, specs.PREDICTED_SCORE, specs.DECIDED_AT, specs.PREDICTED_TAXON}
        async with self.cache.reading(tx, self.made.project_id, Needs(frozenset(columns), annotations=True)) as reading:
            view = reading.view
            assert view.ids.tolist() == sorted(self.model.objects)
            for position, id_ in enumerate(view.ids.tolist()):
                o = self.model.objects[id_]
                assert chr(view.values[specs.STATE][position]) == (o["qual"] or "U")
                assert view.values[specs.TAXON][position] == (-1 if o["id"] is None else o["id"])
                assert view.values[specs.AUTHOR][position] == (-1 if o["who"] is None else o["who"])
                score = view.values[specs.PREDICTED_SCORE][position]
                assert (None if np.isnan(score) else score) == o["auto_score"]
            assert view.annotations is not None
            pairs = zip(view.ids[view.annotations.positions].tolist(), view.annotations.authors.tolist(), strict=True)
            assert set(pairs) == {
                (id_, line["who"]) for id_, lines in self.model.history.items() for line in lines if line["who"]
            }


@pytest.mark.parametrize("seed", range(4))
async def test_operations_in_any_order_do_what_the_naive_model_does(
    seed: int, db: Database, cache: ColumnCache, tmp_path: Path
):
    chance = random.Random(seed)
    # Two caches stand for two server processes: one follows every step, the other only now and then.
    other = ColumnCache(db, tmp_path / "other", 64 * 1024**2)
    async with db.begin() as tx:
        people = [await make_caller(tx, admin=True) for _ in range(3)]
        made = await make_object_set(tx, people[0], 12)
    walk = Walk(chance, made, people, cache)
    for number in range(45):
        async with db.begin() as tx:
            await walk.step(tx, number)
        async with db.begin() as tx:
            await walk.compare(tx)
            await walk.compare_columns(tx)
            await walk.compare_shown(tx)
            if number % 7 == 0:
                walk.cache = other
                await walk.compare_columns(tx)
                await walk.compare_shown(tx)
                walk.cache = cache
    async with db.begin() as tx:
        found = await list_objects(tx, other, people[0], made.project_id, ListRequest({}))
    assert found.object_ids.tolist() == sorted(walk.model.objects)
    await other.close()
