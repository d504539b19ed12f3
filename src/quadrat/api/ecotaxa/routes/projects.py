"""Projects: the same as in the other APIs, with what they are as object sets."""

from typing import Annotated

from fastapi import Query

from quadrat.api.ecotaxa.auth import Anyone, SignedIn
from quadrat.api.ecotaxa.convert import projects as convert
from quadrat.api.ecotaxa.numbers import Number
from quadrat.api.ecotaxa.schemas.projects import (
    CreateProjectReq,
    ProjectModel,
    ProjectSetColumnStatsModel,
    ProjectTaxoStatsModel,
    ProjectUserStatsModel,
)
from quadrat.api.guard import new_router
from quadrat.api.wire import Tx
from quadrat.identity.types import ProjectId
from quadrat.objects.actions import sets, statistics
from quadrat.objects.rules.searching import listed_ids

router = new_router("projects")
_ALL = "all"
_MOST_LISTED = 10_000


@router.post("/projects/create", operation_id="create_project")
async def create_project(tx: Tx, caller: SignedIn, body: CreateProjectReq) -> int:
    """Make a project; the caller manages it. Answers its number."""
    return await sets.create_set(
        tx,
        caller,
        body.title,
        instrument=body.instrument,
        is_visible=body.visible is not False and body.access != "0",
        clone_of=None if body.clone_of_id is None else ProjectId(body.clone_of_id),
    )


@router.get("/projects/search", operation_id="search_projects")
async def search_projects(  # noqa: PLR0913 - one for each parameter of the query
    tx: Tx,
    caller: Anyone,
    *,
    also_others: bool = False,
    not_granted: bool = False,
    for_managing: bool = False,
    title_filter: str = "",
    instrument_filter: str = "",
    filter_subset: bool = False,
    order_field: str | None = None,
    window_start: Annotated[int | None, Query(ge=0)] = None,
    window_size: Annotated[int | None, Query(ge=0)] = None,
    summary: bool | None = None,
) -> list[ProjectModel]:
    """Projects by title, instrument and right."""
    del summary  # all of it costs little
    wanted = sets.SetFilter(title_filter, instrument_filter, for_managing, not_granted, also_others, filter_subset)
    found = [convert.project(made) for made in await sets.search_sets(tx, caller, wanted)]
    if order_field in ProjectModel.model_fields:
        found.sort(key=lambda project: _sort_key(getattr(project, order_field)))
    start = window_start or 0
    return found[start : start + (_MOST_LISTED if window_size is None else window_size)]


@router.get("/projects/{project_id}", operation_id="project_query")
async def project_query(tx: Tx, caller: Anyone, project_id: Number, *, for_managing: bool = False) -> ProjectModel:
    """One project."""
    return convert.project(await sets.get_set(tx, caller, ProjectId(project_id), for_managing=for_managing))


@router.put("/projects/{project_id}", operation_id="update_project")
async def update_project(tx: Tx, caller: SignedIn, project_id: Number, body: ProjectModel) -> None:
    """Set everything that a manager sets."""
    await sets.update_set(tx, caller, ProjectId(project_id), convert.changes(body))


@router.delete("/projects/{project_id}", operation_id="erase_project")
async def erase_project(tx: Tx, caller: SignedIn, project_id: Number, *, only_objects: bool = False) -> list[int]:
    """Remove a project or empty it. Answers objects, 0, image rows and image files."""
    n_objects, n_images, n_files = await sets.erase_set(tx, caller, ProjectId(project_id), only_objects=only_objects)
    return [n_objects, 0, n_images, n_files]


@router.get("/projects/{project_id}/check", operation_id="project_check")
async def project_check(tx: Tx, caller: SignedIn, project_id: Number) -> list[str]:
    """What does not fit together."""
    return await statistics.check(tx, caller, ProjectId(project_id))


@router.get("/projects/{project_id}/stats", operation_id="project_stats")
async def project_stats(tx: Tx, caller: SignedIn, project_id: Number) -> list[str]:
    """The project in numbers."""
    return await statistics.describe(tx, caller, ProjectId(project_id))


@router.post("/projects/{project_id}/recompute_sunpos", operation_id="project_recompute_sunpos")
async def project_recompute_sunpos(tx: Tx, caller: SignedIn, project_id: Number) -> int:
    """Find out anew where the sun stood. Answers for how many objects that changed."""
    return await statistics.recompute_sun(tx, caller, ProjectId(project_id))


@router.put("/projects/{project_id}/prediction_settings", operation_id="set_project_predict_settings")
async def set_project_predict_settings(tx: Tx, caller: SignedIn, project_id: Number, settings: str) -> None:
    """Keep what a page predicts with."""
    await sets.set_prediction_settings(tx, caller, ProjectId(project_id), settings)


@router.get("/project_set/taxo_stats", operation_id="project_set_get_stats")
async def project_set_get_stats(tx: Tx, caller: Anyone, ids: str, taxa_ids: str = "") -> list[ProjectTaxoStatsModel]:
    """Objects by state, for each project or for each project and taxon."""
    taxa = listed_taxa(taxa_ids) if taxa_ids and taxa_ids != _ALL else None
    rows = await statistics.count_taxa(tx, caller, _projects(ids), taxa)
    return convert.taxo_stats(rows, by_taxon=bool(taxa_ids))


@router.get("/project_set/user_stats", operation_id="project_set_get_user_stats")
async def project_set_get_user_stats(tx: Tx, caller: SignedIn, ids: str) -> list[ProjectUserStatsModel]:
    """Who has classified."""
    found = await statistics.list_activity(tx, caller, _projects(ids))
    return [convert.user_stats(id_, activities) for id_, activities in found.items()]


@router.get("/project_set/column_stats", operation_id="project_set_get_column_stats")
async def project_set_get_column_stats(
    tx: Tx,
    caller: Anyone,
    ids: str,
    names: str,
    limit: Annotated[int | None, Query(ge=0, le=2**31)] = None,
    categories: str | None = None,
) -> ProjectSetColumnStatsModel:
    """How full and how varied columns are."""
    columns = [name.strip() for name in names.split(",") if name.strip()][:1000]
    taxa = listed_ids(categories) if categories else None
    found = await statistics.column_statistics(tx, caller, _projects(ids), columns, taxa=taxa, limit=limit)
    return ProjectSetColumnStatsModel(
        proj_ids=_projects(ids),
        total=found.total,
        columns=columns,
        counts=list(found.counts),
        variances=list(found.variances),
    )


def listed_taxa(text: str) -> list[int]:
    """Numbers of taxa, -1 for no taxon among them."""
    return listed_ids(text.replace("-1", "")) + ([-1] if "-1" in text else [])


def _projects(ids: str) -> list[ProjectId]:
    return [ProjectId(id_) for id_ in dict.fromkeys(listed_ids(ids))]


def _sort_key(value: object) -> tuple[bool, float | str]:
    """Nothing last; numbers by size, everything else by its text."""
    if isinstance(value, int | float):
        return (False, float(value))
    return (value is None, "" if value is None else str(value).lower())
