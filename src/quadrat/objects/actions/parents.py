"""Samples, acquisitions and processes: looked at, searched, corrected."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.actions.access import open_set, open_sets
from quadrat.objects.rules import values as readers
from quadrat.objects.rules.header import Part
from quadrat.objects.rules.searching import star_pattern
from quadrat.objects.store import imports as import_store
from quadrat.objects.store import parents as store
from quadrat.objects.types import Acquisition, NetSample, Permission, Process, TaxonCounts

Named = Mapping[str, str | None]
"""Free texts by name."""

_Reader = Callable[[str], Any]


def _text(limit: int) -> _Reader:
    def read(text: str) -> str:
        if len(text) > limit:
            message = f"more than {limit} characters"
            raise ValueError(message)
        return text

    return read


def _needed(text: str) -> str:
    if not 0 < len(text) <= 255:
        message = "empty or too long"
        raise ValueError(message)
    return text


def _number_or_none(read: Callable[[str], float]) -> _Reader:
    return lambda text: read(text) if text else None


_FIXED: Mapping[str, Mapping[str, tuple[str, _Reader]]] = {
    "sample": {
        "orig_id": ("orig_id", _needed),
        "latitude": ("latitude", _number_or_none(readers.to_latitude)),
        "longitude": ("longitude", _number_or_none(readers.to_longitude)),
        "dataportal_descriptor": ("descriptor", _text(8000)),
    },
    "acquisition": {"orig_id": ("orig_id", _needed), "instrument": ("instrument", _text(255))},
    "process": {"orig_id": ("orig_id", _needed)},
}
_PARTS = {"sample": Part.SAMPLE, "acquisition": Part.ACQUISITION, "process": Part.PROCESS}


async def get_sample(tx: AsyncConnection, caller: Caller | None, sample_id: int) -> tuple[NetSample, Named]:
    """A sample with its free texts.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await store.find_sample(tx, sample_id)
    if found is None:
        raise _unknown("Sample")
    await open_set(tx, caller, found.project_id, Permission.READ)
    return found, await _named(tx, found.project_id, Part.SAMPLE, found.free_texts)


async def search_samples(
    tx: AsyncConnection, caller: Caller | None, project_ids: Collection[ProjectId], pattern: str
) -> Sequence[NetSample]:
    """Samples of projects whose name holds a text, in which stars stand for anything.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_sets(tx, caller, project_ids, Permission.READ)
    return await store.search_samples(tx, project_ids, star_pattern(pattern))


async def count_by_sample(
    tx: AsyncConnection, caller: Caller | None, sample_ids: Collection[int]
) -> Mapping[int, Sequence[TaxonCounts]]:
    """Objects of samples by taxon and state; samples without objects have none.

    Raises:
        QuadratError: not_found, forbidden.
    """
    projects = await store.projects_of(tx, "sample", sample_ids)
    if set(sample_ids) - projects.keys():
        raise _unknown("Sample")
    await open_sets(tx, caller, set(projects.values()), Permission.READ)
    found: dict[int, list[TaxonCounts]] = {id_: [] for id_ in sample_ids}
    for sample_id, counts in await store.count_by_sample(tx, sample_ids):
        found[sample_id].append(counts)
    return found


async def get_acquisition(tx: AsyncConnection, caller: Caller | None, acquisition_id: int) -> tuple[Acquisition, Named]:
    """An acquisition with its free texts.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await store.find_acquisition(tx, acquisition_id)
    if found is None:
        raise _unknown("Acquisition")
    await open_set(tx, caller, found.project_id, Permission.READ)
    return found, await _named(tx, found.project_id, Part.ACQUISITION, found.free_texts)


async def list_acquisitions(tx: AsyncConnection, caller: Caller | None, project_id: ProjectId) -> Sequence[Acquisition]:
    """Acquisitions of a project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    return await store.list_acquisitions(tx, project_id)


async def get_process(tx: AsyncConnection, caller: Caller | None, process_id: int) -> tuple[Process, Named]:
    """A process with its free texts.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await store.find_process(tx, process_id)
    if found is None:
        raise _unknown("Process")
    project_id, process = found
    await open_set(tx, caller, project_id, Permission.READ)
    return process, await _named(tx, project_id, Part.PROCESS, process.free_texts)


async def _named(
    tx: AsyncConnection, project_id: ProjectId, part: Part, texts: Sequence[str | None]
) -> dict[str, str | None]:
    book = await import_store.read_book(tx, project_id)
    return {name: texts[at] if at < len(texts) else None for at, name in enumerate(book.texts[part])}


async def update_parents(
    tx: AsyncConnection, caller: Caller, kind: str, ids: Collection[int], changes: Sequence[tuple[str, str]]
) -> int:
    """Set columns of samples, acquisitions or processes of one project to one value each; how many were set.

    Columns that cannot be set are passed over.

    Args:
        tx: The transaction.
        caller: Who asks.
        kind: ``sample``, ``acquisition`` or ``process``.
        ids: Which.
        changes: Column, or name of a free one, and text.

    Raises:
        QuadratError: not_found, forbidden; invalid values, or things of several projects.
    """
    projects = await store.projects_of(tx, kind, ids)
    if set(ids) - projects.keys():
        raise _unknown(kind.capitalize())
    if len(set(projects.values())) != 1:
        raise QuadratError(ErrorKind.INVALID, "Name at least one, and all of one project.", field="target_ids")
    [project_id] = set(projects.values())
    await open_set(tx, caller, project_id, Permission.UPDATE)
    names = (await import_store.read_book(tx, project_id)).texts[_PARTS[kind]]
    values: dict[str, Any] = {}
    texts: dict[int, str] = {}
    for column, text in changes:
        if column in _FIXED[kind]:
            name, read = _FIXED[kind][column]
            try:
                values[name] = read(text.strip())
            except ValueError as error:
                raise QuadratError(ErrorKind.INVALID, f"'{text[:100]}' does not fit {column}.", field=column) from error
        elif column in names:
            texts[names.index(column)] = text
    if "orig_id" in values and len(set(ids)) > 1 and kind != "process":
        raise QuadratError(ErrorKind.INVALID, "Two cannot have one name in a project.", field="orig_id")
    if not values and not texts:
        return 0
    async with refuse_taken(tx, f"The project has a {kind} of that name already.", field="orig_id"):
        return await store.update_parents(tx, kind, ids, values, texts)


def _unknown(kind: str) -> QuadratError:
    return QuadratError(ErrorKind.NOT_FOUND, f"{kind} not found")
