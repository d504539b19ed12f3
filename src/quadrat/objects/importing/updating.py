"""Known objects that an import changes: facts, features, and classification with its history."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.importing.rows import Update
from quadrat.objects.rules.sun import sun_position
from quadrat.objects.store import classification, clock
from quadrat.objects.store import import_updates as store
from quadrat.objects.types import ChangeKind, State

Value = TypeVar("Value")


async def write_updates(
    tx: AsyncConnection, project_id: ProjectId, number: int, updates: Sequence[Update], importer_id: UserId
) -> None:
    """Change a block of objects.

    Args:
        tx: The transaction that holds the project's clock.
        project_id: Theirs.
        number: Of this change.
        updates: What changes of each; of several lines of one object a later one wins.
        importer_id: Who predicts.
    """
    await store.update_facts(tx, [(row.object_id, msgspec.structs.asdict(row.facts)) for row in updates])
    ids = sorted({row.object_id for row in updates})
    positions = [(id_, sun_position(*moment)) for id_, *moment in await store.read_moments(tx, ids)]
    await store.set_sun_positions(tx, positions)
    await _write_features(tx, updates)
    await clock.note_change(tx, project_id, number, ChangeKind.CONTENT, np.array(ids, np.int64))
    await _classify(tx, project_id, updates, importer_id)


async def _write_features(tx: AsyncConnection, updates: Sequence[Update]) -> None:
    changing = [row for row in updates if row.numbers or row.texts]
    features = await store.read_features(tx, [row.object_id for row in changing])
    for row in changing:
        numbers, texts = features[row.object_id]
        for position, number in row.numbers.items():
            _set(numbers, position, number)
        for position, text in row.texts.items():
            _set(texts, position, text)
    await store.write_features(tx, features)


def _set(values: list[Value | None], position: int, value: Value) -> None:
    values += [None] * (position + 1 - len(values))
    values[position] = value


async def _classify(tx: AsyncConnection, project_id: ProjectId, updates: Sequence[Update], importer_id: UserId) -> None:
    """Classify as people would have: those with one author, time and state at once."""
    groups: dict[tuple[dt.datetime, str, int | None], dict[int, int]] = defaultdict(dict)
    for row in updates:
        if row.state is not None:
            key = (row.state.at, row.state.letter, row.state.author_id)
            groups[key][row.object_id] = row.state.taxon_id
    for (at, letter, author_id), taxa in groups.items():
        change = classification.Change(project_id, await clock.tick(tx, project_id), at)
        author = importer_id if author_id is None else UserId(author_id)
        given = (np.array(list(taxa), np.int64), np.array(list(taxa.values()), np.int64))
        await classification.decide(tx, change, given, State(letter), author)
