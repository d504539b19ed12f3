"""Known objects that an import changes: facts and features."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.importing.rows import Update
from quadrat.objects.rules.sun import sun_position
from quadrat.objects.store import clock
from quadrat.objects.store import import_updates as store
from quadrat.objects.types import ChangeKind, ObjectId

Value = TypeVar("Value")


async def write_updates(tx: AsyncConnection, project_id: ProjectId, number: int, updates: Sequence[Update]) -> None:
    """Change a block of objects.

    Args:
        tx: The transaction that holds the project's clock.
        project_id: Theirs.
        number: Of this change.
        updates: What changes of each; of several lines of one object a later one wins.
    """
    await store.update_facts(tx, [(row.object_id, msgspec.structs.asdict(row.facts)) for row in updates])
    ids = sorted({row.object_id for row in updates})
    positions = [(id_, sun_position(*moment)) for id_, *moment in await store.read_moments(tx, ids)]
    await store.set_sun_positions(tx, positions)
    await _write_features(tx, updates)
    await clock.note_change(tx, project_id, number, ChangeKind.CONTENT, [ObjectId(id_) for id_ in ids])


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
