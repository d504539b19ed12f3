"""Projects in the words of the object-set API."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from quadrat.api.ecotaxa.convert.times import wire_time
from quadrat.api.ecotaxa.convert.users import full_name, min_user
from quadrat.api.ecotaxa.schemas.projects import (
    MinimalUser,
    ProjectModel,
    ProjectTaxoStatsModel,
    ProjectUserStatsModel,
    UserActivity,
)
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.permissions import PROJECT_ADMIN, PROJECT_ANNOTATOR, PROJECT_VIEWER
from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.actions.sets import ObjectSet, Right, SetChanges
from quadrat.objects.actions.statistics import Activity
from quadrat.objects.rules.columns import physical_name
from quadrat.objects.types import UNCLASSIFIED_TAXON, FreeColumns, ProjectStatus, TaxonCounts

_STATUS = {
    ProjectStatus.ANNOTATE: "Annotate",
    ProjectStatus.ANNOTATE_WITHOUT_PREDICTION: "Annotate No Prediction",
    ProjectStatus.EXPLORE: "ExploreOnly",
}
_RIGHT = {Right.NONE: "", Right.VIEW: "View", Right.ANNOTATE: "Annotate", Right.MANAGE: "Manage"}
_QUANTITIES = ("subsample_coef", "total_water_volume", "individual_volume")


def project(made: ObjectSet) -> ProjectModel:
    """A project as the caller sees it."""
    settings, team, totals = made.settings, made.team, made.totals
    contact = next((user for user in team.managers if user.id == settings.contact_user_id), None)
    return ProjectModel(
        projid=made.project.id,
        title=made.project.title,
        visible=settings.visible,
        status=_STATUS[settings.status],
        objcount=None if totals is None else float(totals.n_objects),
        pctvalidated=_percent(totals, validated_only=True),
        pctclassified=_percent(totals, validated_only=False),
        classifsettings=settings.classification_settings,
        classiffieldlist=settings.sorted_fields,
        popoverfieldlist=settings.popover_fields,
        comments=settings.comments,
        description=settings.description,
        rf_models_used=settings.models_used,
        cnn_network_id=settings.network,
        **_free_columns(settings.free_columns),
        bodc_variables=dict(settings.formulae),
        init_classif_list=list(settings.preset_taxa),
        managers=[min_user(user) for user in team.managers],
        annotators=[min_user(user) for user in team.annotators],
        viewers=[min_user(user) for user in team.viewers],
        instrument=settings.instrument,
        instrument_url=settings.instrument_url,
        contact=None if contact is None else min_user(contact),
        highest_right=_RIGHT[made.right],
        license=settings.license,
    )


def _percent(totals: TaxonCounts | None, *, validated_only: bool) -> float | None:
    if totals is None or totals.n_objects == 0:
        return None
    count = totals.n_validated if validated_only else totals.n_validated + totals.n_dubious + totals.n_predicted
    return 100.0 * count / totals.n_objects


def _free_columns(free: FreeColumns) -> dict[str, dict[str, str]]:
    def mapped(letter: str, names: Sequence[str]) -> dict[str, str]:
        return {name: physical_name(letter, position) for position, name in enumerate(names)}

    return {
        "obj_free_cols": mapped("n", free.object_numbers) | mapped("t", free.object_texts),
        "sample_free_cols": mapped("t", free.sample_texts),
        "acquisition_free_cols": mapped("t", free.acquisition_texts),
        "process_free_cols": mapped("t", free.process_texts),
    }


def changes(body: ProjectModel) -> SetChanges:
    """What a manager sets; computed fields are passed over."""
    roles: dict[UserId, str] = {}
    for name, people in (
        (PROJECT_VIEWER, body.viewers),
        (PROJECT_ANNOTATOR, body.annotators),
        (PROJECT_ADMIN, body.managers),
    ):
        roles |= {UserId(person.id): name for person in people or ()}
    settings: dict[str, Any] = {
        "visible": bool(body.visible),
        "status": _status(body.status),
        "license": body.license or "",
        "instrument": body.instrument,
        "instrument_url": body.instrument_url,
        "description": body.description,
        "comments": body.comments,
        "classification_settings": body.classifsettings,
        "sorted_fields": body.classiffieldlist,
        "popover_fields": body.popoverfieldlist,
        "models_used": body.rf_models_used,
        "network": body.cnn_network_id,
        "preset_taxa": body.init_classif_list or [],
        "formulae": _formulae(body.bodc_variables or {}),
    }
    contact = None if body.contact is None else UserId(body.contact.id)
    return SetChanges(body.title.strip(), settings, roles, contact)


def _status(text: str | None) -> ProjectStatus:
    for status, word in _STATUS.items():
        if word == text:
            return status
    if text:
        raise QuadratError(ErrorKind.INVALID, f"{text[:50]} is no status of a project.", field="status")
    return ProjectStatus.ANNOTATE


def _formulae(given: dict[str, Any]) -> dict[str, str]:
    for name, formula in given.items():
        if name not in _QUANTITIES or not isinstance(formula, str | None):
            raise QuadratError(
                ErrorKind.INVALID,
                f"The quantities are {', '.join(_QUANTITIES)}, each a formula.",
                field="bodc_variables",
            )
    return {name: formula for name, formula in given.items() if formula and formula.strip()}


def taxo_stats(rows: Sequence[tuple[ProjectId, TaxonCounts]], *, by_taxon: bool) -> list[ProjectTaxoStatsModel]:
    """One line for each project, or for each project and taxon."""
    if by_taxon:
        return [_stats(id_, [counts]) for id_, counts in rows]
    grouped = groupby(rows, key=lambda row: row[0])
    return [_stats(id_, [counts for _, counts in group]) for id_, group in grouped]


def _stats(project_id: ProjectId, rows: Sequence[TaxonCounts]) -> ProjectTaxoStatsModel:
    return ProjectTaxoStatsModel(projid=project_id, **state_counts(rows))


def state_counts(rows: Sequence[TaxonCounts]) -> dict[str, Any]:
    """Taxa, and objects by state."""
    return {
        "used_taxa": sorted(row.taxon_id for row in rows),
        "nb_unclassified": sum(row.n_objects for row in rows if row.taxon_id == UNCLASSIFIED_TAXON),
        "nb_validated": sum(row.n_validated for row in rows),
        "nb_dubious": sum(row.n_dubious for row in rows),
        "nb_predicted": sum(row.n_predicted for row in rows),
    }


def user_stats(project_id: ProjectId, activities: Sequence[Activity]) -> ProjectUserStatsModel:
    """Who has classified in a project."""
    return ProjectUserStatsModel(
        projid=project_id,
        annotators=[MinimalUser(id=found.user.id, name=full_name(found.user)) for found in activities],
        activities=[
            UserActivity(id=found.user.id, nb_actions=found.n_actions, last_annot=wire_time(found.last_at))
            for found in activities
        ],
    )
