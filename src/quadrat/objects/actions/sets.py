"""Projects as object sets: made, found, looked at, set up, emptied and removed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules as identity_rules
from quadrat.identity.actions import projects, sharing
from quadrat.identity.store.accesses import find_accesses
from quadrat.identity.types import Access, Caller, Project, ProjectId, UserId
from quadrat.jobs.actions import enqueue
from quadrat.objects.actions.access import forbidden, open_set
from quadrat.objects.rules.formulae import read_formulae
from quadrat.objects.store import clock
from quadrat.objects.store import imports as import_store
from quadrat.objects.store import sets as store
from quadrat.objects.store.vectors import clear_vectors
from quadrat.objects.types import ChangeKind, Permission, ProjectSettings, TaxonCounts
from quadrat.serving.actions import housekeeping

EMPTY_FOLDER = "objects.empty_folder"
LICENSES = ("CC0 1.0", "CC BY 4.0", "CC BY-NC 4.0", "Copyright", "")


class Right(IntEnum):
    """How much somebody may do in an object set."""

    NONE = 0
    VIEW = 1
    ANNOTATE = 2
    MANAGE = 3


_NEEDED = {Right.MANAGE: Permission.DELETE, Right.ANNOTATE: Permission.CLASSIFY, Right.VIEW: Permission.READ}


@dataclass(frozen=True, slots=True)
class ObjectSet:
    """A project with all that is shown of it.

    Args:
        project: Name and number.
        settings: What it is as an object set.
        team: Who works in it.
        right: What the caller may do.
        totals: Its objects by state; None before the first import.
    """

    project: Project
    settings: ProjectSettings
    team: sharing.Team
    right: Right
    totals: TaxonCounts | None


@dataclass(frozen=True, slots=True)
class SetFilter:
    """Which projects are searched for.

    Args:
        title: Part of the title, or the end of the number.
        instrument: Part of the instrument's name.
        for_managing: Only those that the caller manages.
        not_granted: Only those that are open to all and in which the caller is nobody.
        also_others: Those as well.
        subsets: Only those with "subset" in the title.
    """

    title: str = ""
    instrument: str = ""
    for_managing: bool = False
    not_granted: bool = False
    also_others: bool = False
    subsets: bool = False


@dataclass(frozen=True, slots=True)
class SetChanges:
    """What a manager sets, all at once.

    Args:
        title: Of the project.
        settings: Values of `ProjectSettings` by name.
        roles: Role of each person on the whole project.
        contact_user_id: One of the managers.
    """

    title: str
    settings: Mapping[str, Any]
    roles: Mapping[UserId, str]
    contact_user_id: UserId | None


async def create_set(
    tx: AsyncConnection,
    caller: Caller,
    title: str,
    *,
    instrument: str | None,
    is_visible: bool,
    clone_of: ProjectId | None = None,
) -> ProjectId:
    """Make a project; the caller manages it and is its contact. A clone has the settings of another.

    Raises:
        QuadratError: invalid; forbidden; not_found for the project to clone.
    """
    values: dict[str, Any] = {"instrument": instrument, "visible": is_visible, "contact_user_id": caller.user_id}
    if clone_of is not None:
        await open_set(tx, caller, clone_of, Permission.READ)
        values = _cloned((await store.read_settings(tx, [clone_of]))[clone_of]) | values
    made = await projects.create_project(tx, caller, title=title.strip())
    await store.write_settings(tx, made.id, values)
    await store.note_use(tx, caller.user_id, made.id)
    return made.id


def _cloned(settings: ProjectSettings) -> dict[str, Any]:
    return {
        "description": settings.description,
        "instrument_url": settings.instrument_url,
        "license": settings.license,
        "classification_settings": settings.classification_settings,
        "sorted_fields": settings.sorted_fields,
        "popover_fields": settings.popover_fields,
        "network": settings.network,
        "preset_taxa": list(settings.preset_taxa),
        "formulae": dict(settings.formulae),
    }


async def get_set(
    tx: AsyncConnection, caller: Caller | None, project_id: ProjectId, *, for_managing: bool = False
) -> ObjectSet:
    """One project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    found = await store.find_projects(tx, [project_id])
    [made] = await _complete(tx, caller, list(found.values()))
    if for_managing and made.right is not Right.MANAGE:
        raise forbidden()
    return made


async def search_sets(tx: AsyncConnection, caller: Caller | None, wanted: SetFilter) -> Sequence[ObjectSet]:
    """Projects by number; a stranger finds those that are open to all."""
    found = await store.search_projects(
        tx,
        caller,
        granted=caller is not None and not wanted.not_granted,
        open_to_all=caller is None or wanted.not_granted or wanted.also_others,
        title=wanted.title,
        instrument=wanted.instrument,
    )
    if wanted.subsets:
        found = [project for project in found if "subset" in project.title.lower()]
    complete = await _complete(tx, caller, found)
    if wanted.for_managing:
        return [made for made in complete if made.right is Right.MANAGE]
    return complete


async def _complete(tx: AsyncConnection, caller: Caller | None, found: Sequence[Project]) -> list[ObjectSet]:
    ids = [project.id for project in found]
    settings = await store.read_settings(tx, ids)
    totals = await store.read_totals(tx, ids)
    teams = await sharing.teams_of(tx, ids)
    accesses = {} if caller is None else await find_accesses(tx, caller, ids)
    return [
        ObjectSet(
            project,
            settings[project.id],
            teams[project.id],
            Right.NONE if caller is None else _right(caller, accesses[project.id]),
            totals.get(project.id),
        )
        for project in found
    ]


def _right(caller: Caller, access: Access) -> Right:
    held = (right for right, needed in _NEEDED.items() if identity_rules.allows(caller, access, needed))
    return next(held, Right.NONE)


async def update_set(tx: AsyncConnection, caller: Caller, project_id: ProjectId, changes: SetChanges) -> None:
    """Set everything that a manager sets.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    await open_set(tx, caller, project_id, Permission.DELETE)
    managers = {id_ for id_, name in changes.roles.items() if name == sharing.SHARED_ROLES[0]}
    if not managers:
        raise QuadratError(ErrorKind.INVALID, "A project needs at least one manager.", field="managers")
    if changes.contact_user_id is not None and changes.contact_user_id not in managers:
        raise QuadratError(ErrorKind.INVALID, "The contact person has to be one of the managers.", field="contact")
    if not changes.title:
        raise QuadratError(ErrorKind.INVALID, "A project needs a title.", field="title")
    _check_formulae(changes.settings.get("formulae", {}))
    await projects.update_project(tx, caller, project_id, title=changes.title)
    unknown = sorted(
        set(changes.settings.get("preset_taxa", ()))
        - await import_store.existing_taxa(tx, changes.settings.get("preset_taxa", ()))
    )
    if unknown:
        raise QuadratError(ErrorKind.INVALID, f"Taxon {unknown[0]} does not exist.", field="init_classif_list")
    before = (await store.read_settings(tx, [project_id]))[project_id].network
    if changes.settings.get("network", before) != before:
        await clear_vectors(tx, project_id)
    await store.write_settings(tx, project_id, {**changes.settings, "contact_user_id": changes.contact_user_id})
    await sharing.set_team(tx, caller, project_id, changes.roles)


def _check_formulae(given: Mapping[str, str]) -> None:
    """Refuse what no export could use later."""
    try:
        read_formulae(given)
    except QuadratError as error:
        raise QuadratError(error.kind, error.message, field="bodc_variables") from error


async def set_prediction_settings(tx: AsyncConnection, caller: Caller, project_id: ProjectId, settings: str) -> None:
    """Keep what a client's page was last asked to predict with.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.CLASSIFY)
    await store.write_settings(tx, project_id, {"classification_settings": settings})


async def erase_set(
    tx: AsyncConnection, caller: Caller, project_id: ProjectId, *, only_objects: bool
) -> tuple[int, int, int]:
    """Remove all objects, samples, acquisitions and processes, and the project itself unless told otherwise.

    Returns:
        Objects, image rows, image files.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.DELETE)
    number = await clock.tick(tx, project_id)
    n_objects, n_images, n_files, last = await store.empty_project(tx, project_id)
    await clock.note_change(tx, project_id, number, ChangeKind.REMOVED, None)
    if n_images:
        # Of no project: the bytes have to go also when the project goes first.
        await enqueue(tx, EMPTY_FOLDER, {"project_id": project_id, "last_id": last})
    if not only_objects:
        await housekeeping.remove_project(tx, project_id)
    return n_objects, n_images, n_files


async def list_instruments(
    tx: AsyncConnection, caller: Caller | None, project_ids: Collection[ProjectId] | None
) -> Sequence[str]:
    """Instruments of projects, or of all that the caller may read.

    Raises:
        QuadratError: not_found, forbidden.
    """
    if project_ids is None:
        everything = await search_sets(tx, caller, SetFilter(also_others=True))
        return await store.list_instruments(tx, [made.project.id for made in everything])
    for project_id in project_ids:
        await open_set(tx, caller, project_id, Permission.READ)
    return await store.list_instruments(tx, project_ids)


async def read_preference(tx: AsyncConnection, caller: Caller, project_id: ProjectId, key: str) -> str:
    """A text that a client's page has kept for the caller.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    return await store.read_preference(tx, caller.user_id, project_id, key)


async def write_preference(tx: AsyncConnection, caller: Caller, project_id: ProjectId, key: str, value: str) -> None:
    """Keep a text for a client's page.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_set(tx, caller, project_id, Permission.READ)
    await store.write_preference(tx, caller.user_id, project_id, key, value)
