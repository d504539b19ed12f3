"""Numbers about projects, and their repair."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.store.sharing import find_people
from quadrat.identity.types import Caller, ProjectId, User, UserId
from quadrat.objects.actions.access import open_set, open_sets
from quadrat.objects.rules.sun import sun_position
from quadrat.objects.store import clock, import_updates
from quadrat.objects.store import imports as import_store
from quadrat.objects.store import sets as set_store
from quadrat.objects.store import statistics as store
from quadrat.objects.types import ChangeKind, Permission, TaxonCounts

_BLOCK = 5000
# As many as an object may have, and its facts; a row of the database has no place for many more.
_MOST_COLUMNS = 600
_FACTS = {"depth_min": "depth_min", "depth_max": "depth_max", "latitude": "latitude", "longitude": "longitude"}
_SENTENCES = {
    "counts": "{} taxa are counted wrongly",
    "taxa": "{} objects are in a taxon that does not exist",
    "images": "{} objects have no image",
    "facts": "{} objects have lost their facts",
    "duplicates": "{} object names are there more than once",
    "samples": "{} samples have no object",
}


@dataclass(frozen=True, slots=True)
class Activity:
    """What a user has done in a project.

    Args:
        user: Who.
        n_actions: How often.
        last_at: When last.
    """

    user: User
    n_actions: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """How full and how varied columns are.

    Args:
        total: Objects.
        counts: Of these, how many have a value, by column.
        variances: Of the values, by column.
    """

    total: int
    counts: Sequence[int]
    variances: Sequence[float]


async def count_taxa(
    tx: AsyncConnection,
    caller: Caller | None,
    project_ids: Sequence[ProjectId],
    taxa: Collection[int] | None,
) -> Sequence[tuple[ProjectId, TaxonCounts]]:
    """Objects of projects by taxon and state; of some taxa, or all.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_sets(tx, caller, project_ids, Permission.READ)
    return await set_store.read_counts(tx, project_ids, taxa)


async def list_activity(
    tx: AsyncConnection, caller: Caller, project_ids: Sequence[ProjectId]
) -> dict[ProjectId, list[Activity]]:
    """Who has decided on objects of projects, for those who manage them.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_sets(tx, caller, project_ids, Permission.DELETE)
    rows = await store.read_activity(tx, project_ids)
    users = {user.id: user for user in await find_people(tx, {UserId(row[1]) for row in rows})}
    found: dict[ProjectId, list[Activity]] = {id_: [] for id_ in project_ids}
    for project_id, user_id, count, last in rows:
        if UserId(user_id) in users:
            found[project_id].append(Activity(users[UserId(user_id)], count, last))
    return found


async def column_statistics(
    tx: AsyncConnection,
    caller: Caller | None,
    project_ids: Sequence[ProjectId],
    names: Sequence[str],
    *,
    taxa: Sequence[int] | None,
    limit: int | None,
) -> ColumnStatistics:
    """How full and how varied numeric columns of objects are; nothing for a column that there is not.

    Args:
        tx: The transaction.
        caller: Who asks.
        project_ids: Whose objects, all together.
        names: ``fre.area`` for a free column, ``obj.depth_min`` for another.
        taxa: Of these only.
        limit: At most so many objects of each taxon.

    Raises:
        QuadratError: not_found, forbidden; invalid for too many columns.
    """
    await open_sets(tx, caller, project_ids, Permission.READ)
    if len(names) > _MOST_COLUMNS:
        raise QuadratError(ErrorKind.INVALID, f"At most {_MOST_COLUMNS} columns at once.", field="names")
    if not project_ids:
        return ColumnStatistics(0, [0] * len(names), [0.0] * len(names))
    sources = []
    for project_id in project_ids:
        numbers = (await import_store.read_book(tx, project_id)).numbers
        sources.append((project_id, [_column(name, numbers) for name in names]))
    total, moments = await store.column_moments(tx, sources, taxa, limit)
    return ColumnStatistics(total, [count for count, _ in moments], [variance for _, variance in moments])


def _column(name: str, numbers: Sequence[str]) -> int | str | None:
    prefix, _, column = name.partition(".")
    if prefix == "fre":
        return numbers.index(column) if column in numbers else None
    if column == "classif_auto_score":
        return "score"
    return _FACTS.get(column)


async def describe(tx: AsyncConnection, caller: Caller, project_id: ProjectId) -> list[str]:
    """The project in numbers, as lines of text.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    project = (await set_store.find_projects(tx, [project_id]))[project_id]
    totals = (await set_store.read_totals(tx, [project_id])).get(project_id)
    book = await import_store.read_book(tx, project_id)
    lines = [f"Project {project_id}: {project.title}"]
    if totals is None:
        return [*lines, "No objects"]
    return [
        *lines,
        f"Objects: {totals.n_objects}",
        f"Validated: {totals.n_validated}",
        f"Dubious: {totals.n_dubious}",
        f"Predicted: {totals.n_predicted}",
        f"Free columns of objects: {len(book.numbers)} numbers",
    ]


async def check(tx: AsyncConnection, caller: Caller, project_id: ProjectId) -> list[str]:
    """What does not fit together in the project, as sentences; none when all does.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    found = await store.run_checks(tx, project_id)
    return [_SENTENCES[what].format(count) for what, count in found.items() if count]


async def recompute_sun(tx: AsyncConnection, caller: Caller, project_id: ProjectId) -> int:
    """Find out anew where the sun stood over every object; for how many that changed.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.DELETE)
    number = await clock.tick(tx, project_id)
    changed, last = 0, 0
    while rows := await store.next_moments(tx, project_id, last, _BLOCK):
        new = await asyncio.to_thread(_moved, rows)
        await import_updates.set_sun_positions(tx, new)
        changed += len(new)
        last = rows[-1][0]
    if changed:
        await clock.note_change(tx, project_id, number, ChangeKind.CONTENT, None)
    return changed


def _moved(rows: Sequence[tuple]) -> list[tuple[int, str]]:  # type: ignore[type-arg]
    computed = [(row[0], sun_position(*row[1:5]), row[5]) for row in rows]
    return [(id_, position) for id_, position, before in computed if position != before]
