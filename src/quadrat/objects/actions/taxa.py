"""Looking at the taxonomy, searching it, adding to it."""

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import Queueing
from quadrat.objects.actions.access import forbidden, open_set
from quadrat.objects.actions.sets import Right, SetFilter, search_sets
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.rules.searching import search_parts, search_pattern
from quadrat.objects.store import sets as set_store
from quadrat.objects.store import taxa as store
from quadrat.objects.types import Permission, Taxon, TaxonId, TaxonKind

RECOUNT = "objects.recount_taxa"
_RECOUNT_EVERY = timedelta(hours=1)
_MOST_FOUND = 200
_SHORTEST_SEARCH = 3
_TRIES = 3  # to see a tree that does not change meanwhile
_NAME = re.compile(r"[^\x00-\x1f\x7f<>]{1,200}")


@dataclass(frozen=True, slots=True)
class TaxonView:
    """A taxon as it is shown.

    Args:
        taxon: Itself.
        lineage: Names from itself to its root.
        children: Numbers.
    """

    taxon: Taxon
    lineage: Sequence[str]
    children: Sequence[int]


@dataclass(frozen=True, slots=True)
class NewTaxon:
    """A taxon to be made.

    Args:
        name: Its own.
        parent_id: Below which.
        kind: Organism or form.
        creator_email: Who made it up.
        source_url: Where it is described.
        source_description: How.
    """

    name: str
    parent_id: int
    kind: TaxonKind
    creator_email: str
    source_url: str | None = None
    source_description: str | None = None


async def list_roots(tx: AsyncConnection) -> Sequence[TaxonView]:
    """Taxa without a parent."""
    return await _viewed(tx, await store.list_roots(tx))


async def get_taxa(tx: AsyncConnection, ids: Collection[int]) -> Sequence[TaxonView]:
    """Those of the numbers that are taxa, in the order of the numbers given."""
    found = await store.find_taxa(tx, ids)
    return await _viewed(tx, [found[id_] for id_ in dict.fromkeys(ids) if id_ in found])


async def _viewed(tx: AsyncConnection, taxa: Sequence[Taxon]) -> list[TaxonView]:
    above = await store.find_taxa(tx, {id_ for taxon in taxa for id_ in taxon.path})
    children = await store.children_of(tx, [taxon.id for taxon in taxa])
    return [
        TaxonView(taxon, [above[id_].name for id_ in reversed(taxon.path)], children.get(taxon.id, []))
        for taxon in taxa
    ]


async def search(
    tx: AsyncConnection, cache: ColumnCache, caller: Caller | None, query: str, project_id: ProjectId | None
) -> Sequence[tuple[Taxon, bool]]:
    """Taxa whose display name begins so, and whether each is in the project's preset, which comes first.

    Fewer than three characters find what the caller has used in the project last, and nothing for others.

    Args:
        tx: The transaction.
        cache: What is held in memory.
        caller: Who searches.
        query: What was typed; spaces and stars stand for anything.
        project_id: Where the caller works.

    Raises:
        QuadratError: not_found, forbidden, for the project.
    """
    preset: Sequence[TaxonId] = ()
    if project_id is not None:
        await open_set(tx, caller, project_id, Permission.READ)
        preset = (await set_store.read_settings(tx, [project_id]))[project_id].preset_taxa
    if len(query.strip()) < _SHORTEST_SEARCH:
        if caller is None or project_id is None:
            return []
        recent = await set_store.recent_taxa(tx, caller.user_id, project_id)
        taxa = await store.find_taxa(tx, recent)
        found = [taxa[id_] for id_ in recent if id_ in taxa]
        begins = query.strip().lower()
        return [(taxon, taxon.id in preset) for taxon in found if taxon.display_name.lower().startswith(begins)]
    parts = search_parts(query)
    taxa_found = None
    if not parts[0] and "\0" not in query:
        taxa_found = await _search_names(tx, cache, parts, preset)
    if taxa_found is None:
        taxa_found = await store.search_taxa(tx, parts[0], search_pattern(parts), preset, _MOST_FOUND)
    return [(taxon, taxon.id in preset) for taxon in taxa_found]


async def _search_names(
    tx: AsyncConnection, cache: ColumnCache, parts: Sequence[str], preset: Collection[int]
) -> Sequence[Taxon] | None:
    """What has the parts anywhere, for which the database would look at every name; None to have it do so."""
    names = cache.names
    for _ in range(_TRIES):
        if names is None:
            names = await store.read_names(tx)
            if names is None:
                return None
        ids = await asyncio.to_thread(names.search, parts, preset, _MOST_FOUND)
        found = await store.find_if_unchanged(tx, names.content, ids)
        if found is not None:
            cache.names = names
            return found
        names = None
    return None


async def add_taxon(tx: AsyncConnection, caller: Caller, new: NewTaxon) -> TaxonId:
    """Make a taxon, for all; whoever manages a project may.

    Raises:
        QuadratError: forbidden; invalid name or parent; already_exists.
    """
    if not caller.is_platform_admin and not await _manages_any(tx, caller):
        raise forbidden()
    name = new.name.strip()
    if _NAME.fullmatch(name) is None:
        raise QuadratError(ErrorKind.INVALID, "A name has 1 to 200 characters, none of them < or >.", field="name")
    await store.lock_names(tx)
    parent = (await store.find_taxa(tx, [new.parent_id])).get(new.parent_id)
    if parent is None:
        raise QuadratError(ErrorKind.INVALID, f"Taxon {new.parent_id} does not exist.", field="parent_id")
    candidates = (name, f"{name}<{parent.name}")
    taken = await store.display_names_like(tx, candidates)
    free = next((candidate for candidate in candidates if candidate.lower() not in taken), None)
    if free is None:
        raise QuadratError(
            ErrorKind.ALREADY_EXISTS, f"There is {name} below {parent.display_name} already.", field="name"
        )
    values = {
        "name": name,
        "display_name": free,
        "kind": new.kind,
        "status": "new",
        "creator_email": new.creator_email,
        "source_url": new.source_url,
        "source_description": new.source_description,
    }
    return TaxonId(await store.insert_taxon(tx, parent, values))


async def _manages_any(tx: AsyncConnection, caller: Caller) -> bool:
    if caller.is_service:
        return False
    return any(made.right is Right.MANAGE for made in await search_sets(tx, caller, SetFilter()))


async def last_change(tx: AsyncConnection) -> datetime | None:
    """When the tree last changed."""
    found: datetime | None = await store.last_change(tx)
    return found


async def list_usage(tx: AsyncConnection, caller: Caller | None, taxon_id: int) -> Sequence[tuple[ProjectId, str, int]]:
    """Projects that the caller may read with validated objects of the taxon: number, title, how many."""
    return await store.list_usage(tx, caller, taxon_id)


async def list_reclassifications(
    tx: AsyncConnection, caller: Caller, project_id: ProjectId
) -> Sequence[tuple[int, int, str]]:
    """Which taxon was turned into which in the whole project: from, to, the name of the latter; oldest first.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    return await store.list_reclassifications(tx, project_id)


async def recount(tx: AsyncConnection) -> None:
    """Renew how many validated objects of all projects each taxon has, and have it done again an hour later."""
    await store.recount(tx)
    await recount_later(tx, _RECOUNT_EVERY)


async def recount_later(tx: AsyncConnection, after: timedelta) -> None:
    """Have the objects of all taxa counted; nothing new while such a job waits."""
    await enqueue(tx, RECOUNT, {}, queueing=Queueing(once=True, lock=RECOUNT, after=after))
