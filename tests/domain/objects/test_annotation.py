"""Batches of decisions: sent twice they count once, taken back they leave nothing behind."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.objects.actions import annotation, classification
from quadrat.objects.actions.annotation import Decisions
from quadrat.objects.types import State
from support.object_sets import COUNTS, ObjectSet, add_objects, make_object_set, random_row
from support.people import make_caller

pytestmark = pytest.mark.anyio


async def _everything(tx: AsyncConnection, made: ObjectSet) -> list[Sequence[Any]]:
    """States, history and counts of a project."""
    found: list[Sequence[Any]] = []
    for query in (
        "SELECT * FROM objects.object WHERE project_id = :p ORDER BY id",
        "SELECT h.* FROM objects.history h JOIN objects.object o ON o.id = h.object_id WHERE o.project_id = :p "
        "ORDER BY h.object_id, h.change",
        "SELECT * FROM objects.project_taxon WHERE project_id = :p AND n_objects > 0 ORDER BY taxon_id",
    ):
        found += (await tx.execute(text(query), {"p": made.project_id})).all()
    return found


def _decisions(object_ids: Sequence[int], taxa: Sequence[int], state: State = State.VALIDATED) -> Decisions:
    return Decisions(np.array(object_ids, np.int64), np.array(taxa, np.int64), state)


async def _make(tx: AsyncConnection, seed: int = 0) -> tuple[Caller, Caller, ObjectSet]:
    owner, other = await make_caller(tx), await make_caller(tx)
    made = await make_object_set(tx, owner, 0)
    chance = random.Random(seed)
    rows = [random_row(chance, made, [owner.user_id, other.user_id]) for _ in range(20)]
    await add_objects(tx, made, rows)
    return owner, other, made


@pytest.mark.parametrize("seed", range(5))
async def test_undo_puts_everything_back_as_it_was(tx: AsyncConnection, seed: int) -> None:
    owner, _, made = await _make(tx, seed)
    chance = random.Random(seed)
    before = await _everything(tx, made)
    some = chance.sample(made.objects, 12)
    taxa = [chance.choice([-1, *made.taxa]) for _ in some]
    batch_id = uuid4()
    n = await annotation.annotate(
        tx, owner, batch_id, _decisions(some, taxa, chance.choice([State.VALIDATED, State.DUBIOUS]))
    )
    assert n > 0
    assert await _everything(tx, made) != before
    assert await annotation.undo_annotation(tx, owner, batch_id) == (n, n)
    assert await _everything(tx, made) == before
    counted = (await tx.execute(text(f"{COUNTS} ORDER BY 2"), {"p": made.project_id})).all()
    assert counted == [row for row in before if row in counted]


async def test_undo_twice_is_refused_and_changes_nothing(tx: AsyncConnection) -> None:
    owner, _, made = await _make(tx)
    batch_id = uuid4()
    await annotation.annotate(tx, owner, batch_id, _decisions(made.objects[:3], [made.taxa[1]] * 3))
    await annotation.undo_annotation(tx, owner, batch_id)
    before = await _everything(tx, made)
    with pytest.raises(QuadratError, match="already") as refused:
        await annotation.undo_annotation(tx, owner, batch_id)
    assert refused.value.kind is ErrorKind.WRONG_STATE
    assert await _everything(tx, made) == before


async def test_undo_leaves_alone_what_others_have_decided_since(tx: AsyncConnection) -> None:
    owner, _, made = await _make(tx)
    first, second = made.objects[:2]
    batch_id = uuid4()
    await annotation.annotate(tx, owner, batch_id, _decisions([first, second], [made.taxa[1]] * 2))
    later = np.array([second], np.int64), np.array([made.taxa[2]], np.int64)
    await classification.classify(tx, owner, *later, State.DUBIOUS)
    assert (await annotation.undo_annotation(tx, owner, batch_id))[0] == 1
    row = (await tx.execute(text("SELECT taxon_id, state FROM objects.object WHERE id = :i"), {"i": second})).one()
    assert tuple(row) == (made.taxa[2], "D")


async def test_batches_are_undone_from_the_newest_to_the_oldest(tx: AsyncConnection) -> None:
    owner, _, made = await _make(tx)
    before = await _everything(tx, made)
    batches: list[UUID] = []
    for taxon in made.taxa[1:5]:
        batches.append(uuid4())
        await annotation.annotate(tx, owner, batches[-1], _decisions(made.objects[:6], [taxon] * 6))
    for batch_id in reversed(batches):
        undone, changed = await annotation.undo_annotation(tx, owner, batch_id)
        assert undone == changed
    assert await _everything(tx, made) == before


async def test_batch_sent_again_changes_nothing_and_answers_the_same(tx: AsyncConnection) -> None:
    owner, _, made = await _make(tx)
    batch_id, wanted = uuid4(), _decisions(made.objects[:4], [made.taxa[1]] * 4)
    n = await annotation.annotate(tx, owner, batch_id, wanted)
    before = await _everything(tx, made)
    assert await annotation.annotate(tx, owner, batch_id, wanted) == n
    assert await _everything(tx, made) == before


async def test_batch_of_someone_else_is_neither_repeated_nor_undone(tx: AsyncConnection) -> None:
    owner, other, made = await _make(tx)
    batch_id, wanted = uuid4(), _decisions(made.objects[:4], [made.taxa[1]] * 4)
    await annotation.annotate(tx, owner, batch_id, wanted)
    with pytest.raises(QuadratError) as refused:
        await annotation.undo_annotation(tx, other, batch_id)
    assert refused.value.kind is ErrorKind.NOT_FOUND
    with pytest.raises(QuadratError) as refused:
        await annotation.annotate(tx, other, uuid4(), wanted)
    assert refused.value.kind in (ErrorKind.FORBIDDEN, ErrorKind.NOT_FOUND)


async def test_same_batch_from_two_tabs_at_once_counts_once(db: Database) -> None:
    async with db.begin() as tx:
        owner, _, made = await _make(tx)
    batch_id, wanted = uuid4(), _decisions(made.objects[:8], [made.taxa[1]] * 8)

    async def send() -> int:
        async with db.begin() as tx:
            return await annotation.annotate(tx, owner, batch_id, wanted)

    assert len(set(await asyncio.gather(*(send() for _ in range(4))))) == 1
    async with db.begin() as tx:
        query = text("SELECT count(*) FROM objects.annotation_batch WHERE id = :i")
        assert (await tx.execute(query, {"i": batch_id})).scalar_one() == 1
