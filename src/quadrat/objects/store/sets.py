"""Projects as object sets: settings, counts, and which of them somebody finds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, false, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity import tables as identity
from quadrat.identity.actions.access import visible
from quadrat.identity.store.access import select_projects, to_project
from quadrat.identity.types import Caller, Project, ProjectId, UserId
from quadrat.objects.tables import project, project_taxon, user_project
from quadrat.objects.types import FreeColumns, ProjectSettings, ProjectStatus, TaxonCounts, TaxonId

_FREE = tuple(project.c[field.name] for field in fields(FreeColumns))
_PLAIN = (
    project.c.visible,
    project.c.status,
    project.c.license,
    project.c.contact_user_id,
    project.c.instrument,
    project.c.instrument_url,
    project.c.description,
    project.c.comments,
    project.c.classification_settings,
    project.c.sorted_fields,
    project.c.popover_fields,
    project.c.models_used,
    project.c.network,
    project.c.preset_taxa,
    project.c.formulae,
)


async def read_settings(tx: AsyncConnection, project_ids: Collection[ProjectId]) -> dict[ProjectId, ProjectSettings]:
    """Settings of projects; the defaults for those that have none."""
    query = select(project.c.project_id, *_PLAIN, *_FREE).where(project.c.project_id.in_(project_ids))
    found = {id_: ProjectSettings(id_) for id_ in project_ids}
    for row in await tx.execute(query):
        found[ProjectId(row[0])] = _to_settings(row)
    return found


def _to_settings(row: Sequence[Any]) -> ProjectSettings:
    values = dict(zip((column.name for column in _PLAIN), row[1 : 1 + len(_PLAIN)], strict=True))
    values["status"] = ProjectStatus(values["status"])
    values["preset_taxa"] = tuple(TaxonId(id_) for id_ in values["preset_taxa"])
    free = FreeColumns(*(tuple(names) for names in row[1 + len(_PLAIN) :]))
    return ProjectSettings(project_id=ProjectId(row[0]), free_columns=free, **values)


async def write_settings(tx: AsyncConnection, project_id: ProjectId, values: Mapping[str, Any]) -> None:
    """Set columns of a project's settings."""
    statement = insert(project).values(project_id=project_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[project.c.project_id], set_=dict(values)))


async def read_totals(tx: AsyncConnection, project_ids: Collection[ProjectId]) -> dict[ProjectId, TaxonCounts]:
    """Objects of projects by state, whatever their taxon; nothing for a project that never had any."""
    query = (
        select(
            project_taxon.c.project_id,
            func.sum(project_taxon.c.n_objects),
            func.sum(project_taxon.c.n_predicted),
            func.sum(project_taxon.c.n_validated),
            func.sum(project_taxon.c.n_dubious),
        )
        .where(project_taxon.c.project_id.in_(project_ids))
        .group_by(project_taxon.c.project_id)
    )
    return {ProjectId(row[0]): TaxonCounts(TaxonId(0), *map(int, row[1:])) for row in await tx.execute(query)}


async def read_counts(
    tx: AsyncConnection, project_ids: Collection[ProjectId], taxa: Collection[int] | None = None
) -> list[tuple[ProjectId, TaxonCounts]]:
    """Objects of projects by taxon and state, of some taxa or of all that have any."""
    query = select(
        project_taxon.c.project_id,
        project_taxon.c.taxon_id,
        project_taxon.c.n_objects,
        project_taxon.c.n_predicted,
        project_taxon.c.n_validated,
        project_taxon.c.n_dubious,
    ).where(project_taxon.c.project_id.in_(project_ids), project_taxon.c.n_objects > 0)
    if taxa is not None:
        query = query.where(project_taxon.c.taxon_id.in_(taxa))
    rows = await tx.execute(query.order_by(project_taxon.c.project_id, project_taxon.c.taxon_id))
    return [(ProjectId(row[0]), TaxonCounts(TaxonId(row[1]), *row[2:])) for row in rows]


async def find_projects(tx: AsyncConnection, project_ids: Collection[ProjectId]) -> dict[ProjectId, Project]:
    """Projects that the caller was let into already."""
    query = select_projects().where(identity.project.c.id.in_(project_ids))
    return {ProjectId(row[0]): to_project(row) for row in await tx.execute(query)}


async def find_project_number(tx: AsyncConnection, ref: str) -> ProjectId | None:
    """A project by number or name, for who runs the server."""
    by = identity.project.c.id == int(ref) if ref.isdecimal() else identity.project.c.name == ref
    found = (await tx.execute(select(identity.project.c.id).where(by))).scalar_one_or_none()
    return None if found is None else ProjectId(found)


async def search_projects(
    tx: AsyncConnection,
    caller: Caller | None,
    *,
    granted: bool,
    open_to_all: bool,
    title: str,
    instrument: str,
) -> list[Project]:
    """Projects by number.

    Args:
        tx: The transaction.
        caller: Who asks; None for a stranger.
        granted: Those in which the caller is somebody.
        open_to_all: Those that anyone may read, the granted ones not among them.
        title: Part of the title, or the end of the number.
        instrument: Part of the instrument's name.
    """
    mine: ColumnElement[bool] = false() if caller is None else identity.project.c.id.in_(visible(caller))
    others = func.coalesce(project.c.visible, false()) & ~mine
    wanted = [condition for condition, asked in ((mine, granted), (others, open_to_all)) if asked]
    query = (
        select_projects()
        .outerjoin(project, project.c.project_id == identity.project.c.id)
        .where(or_(false(), *wanted))
        .order_by(identity.project.c.id)
    )
    if title:
        number = cast(identity.project.c.id, Text)
        query = query.where(
            or_(identity.project.c.title.icontains(title, autoescape=True), number.endswith(title, autoescape=True))
        )
    if instrument:
        query = query.where(project.c.instrument.icontains(instrument, autoescape=True))
    return [to_project(row) for row in await tx.execute(query)]


async def list_instruments(tx: AsyncConnection, project_ids: Collection[ProjectId] | None) -> list[str]:
    """Names of instruments of projects or of all, each once."""
    statement = text(
        """
        SELECT DISTINCT instrument FROM objects.acquisition
        WHERE instrument IS NOT NULL AND (CAST(:ids AS bigint[]) IS NULL OR project_id = ANY(:ids))
        ORDER BY instrument
        """
    )
    ids = None if project_ids is None else list(project_ids)
    return list((await tx.execute(statement, {"ids": ids})).scalars())


# What a user does in projects.


async def recent_projects(tx: AsyncConnection, user_id: UserId, limit: int) -> list[tuple[ProjectId, str]]:
    """Number and title of the projects in which a user has worked last, the latest first."""
    query = (
        select(user_project.c.project_id, identity.project.c.title)
        .join(identity.project, identity.project.c.id == user_project.c.project_id)
        .where(user_project.c.user_id == user_id)
        .order_by(user_project.c.used_at.desc())
        .limit(limit)
    )
    return [(ProjectId(id_), title) for id_, title in await tx.execute(query)]


async def note_use(tx: AsyncConnection, user_id: UserId, project_id: ProjectId) -> None:
    """The user works in the project now."""
    statement = insert(user_project).values(user_id=user_id, project_id=project_id)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[user_project.c.user_id, user_project.c.project_id], set_={"used_at": func.now()}
        )
    )


async def read_preference(tx: AsyncConnection, user_id: UserId, project_id: ProjectId, key: str) -> str:
    """A text that a client's page has kept; empty when it has not."""
    query = select(user_project.c.preferences[key].astext).where(
        user_project.c.user_id == user_id, user_project.c.project_id == project_id
    )
    return (await tx.execute(query)).scalar_one_or_none() or ""


async def write_preference(tx: AsyncConnection, user_id: UserId, project_id: ProjectId, key: str, value: str) -> None:
    """Keep a text for a client's page."""
    statement = insert(user_project).values(user_id=user_id, project_id=project_id, preferences={key: value})
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[user_project.c.user_id, user_project.c.project_id],
            set_={"preferences": user_project.c.preferences.concat(statement.excluded.preferences)},
        )
    )


async def recent_taxa(tx: AsyncConnection, user_id: UserId, project_id: ProjectId) -> list[int]:
    """Taxa that the user has assigned in the project, the latest first."""
    query = select(user_project.c.recent_taxa).where(
        user_project.c.user_id == user_id, user_project.c.project_id == project_id
    )
    return list((await tx.execute(query)).scalar_one_or_none() or [])


# Emptying.

_EMPTY = (
    "DELETE FROM objects.history h USING objects.object o WHERE h.object_id = o.id AND o.project_id = :project",
    "DELETE FROM objects.prediction p USING objects.object o WHERE p.object_id = o.id AND o.project_id = :project",
    "DELETE FROM objects.fact WHERE project_id = :project",
    "DELETE FROM objects.feature WHERE project_id = :project",
    "DELETE FROM objects.vector WHERE project_id = :project",
    "DELETE FROM objects.object WHERE project_id = :project",
    "DELETE FROM objects.net_sample WHERE project_id = :project",
    "DELETE FROM objects.project_taxon WHERE project_id = :project",
    "DELETE FROM objects.loaded_file WHERE project_id = :project",
)
_REMOVE_IMAGES = text(
    """
    WITH gone AS (DELETE FROM objects.image WHERE project_id = :project RETURNING id, thumbnail_width_px)
    SELECT count(*), count(*) + count(thumbnail_width_px), coalesce(max(id), 0) FROM gone
    """
)


async def empty_project(tx: AsyncConnection, project_id: ProjectId) -> tuple[int, int, int, int]:
    """Remove all objects with all that belongs to them, in the transaction that holds the project's clock.

    Returns:
        Objects, image rows, image files, and the greatest number of an image.
    """
    n_images, n_files, last = (await tx.execute(_REMOVE_IMAGES, {"project": project_id})).one()
    n_objects = 0
    for statement in _EMPTY:
        removed = (await tx.execute(text(statement), {"project": project_id})).rowcount
        if statement.startswith("DELETE FROM objects.object "):
            n_objects = removed
    return n_objects, n_images, n_files, last
