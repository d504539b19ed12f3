"""Asking for an export, and the jobs that make it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs import actions as jobs
from quadrat.jobs.types import JobId
from quadrat.objects.actions.access import open_set
from quadrat.objects.exporting.formula_columns import choose_formulae, find_columns
from quadrat.objects.exporting.types import SummaryPlan, TablePlan
from quadrat.objects.rules.filters import read_filters
from quadrat.objects.rules.formulae import read_formulae
from quadrat.objects.store.imports import existing_taxa
from quadrat.objects.store.sets import read_settings
from quadrat.objects.types import Permission

EXPORT_TABLES = "objects.export_tables"
EXPORT_BACKUP = "objects.export_backup"
EXPORT_SUMMARY = "objects.export_summary"
EXPORT_ANY = "objects.export"
EXPORTS = frozenset({EXPORT_TABLES, EXPORT_BACKUP, EXPORT_SUMMARY, EXPORT_ANY})
_KNOWN = {"tables": TablePlan, "summary": SummaryPlan}


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """An export as a caller asks for it.

    Args:
        project_id: From where.
        filters: Texts by the names of the wire API.
        plan: What is written.
        deliver: Put a copy into the operator's folder.
        asked: The request in the caller's words, kept to be shown again.
    """

    project_id: ProjectId
    filters: Mapping[str, str | None]
    plan: TablePlan | SummaryPlan
    deliver: bool
    asked: Mapping[str, Any]


async def request_export(
    tx: AsyncConnection, caller: Caller, kind: str, wanted: ExportRequest, needed: Permission
) -> tuple[JobId | None, list[str]]:
    """Ask for an export: the job that makes it, or what stands in its way.

    Args:
        tx: The transaction.
        caller: Who asks.
        kind: Of the job.
        wanted: What is asked for.
        needed: What the operator demands of those who export.

    Raises:
        QuadratError: not_found, forbidden; invalid filters or formulae.
    """
    await open_set(tx, caller, wanted.project_id, needed)
    read_filters(wanted.filters)
    if isinstance(wanted.plan, SummaryPlan):
        read_formulae(wanted.plan.formulae)
        problems = await _problems(tx, wanted.project_id, wanted.plan)
        if problems:
            return None, problems
    params = {
        "filters": {name: text for name, text in wanted.filters.items() if text},
        "plan": write_plan(wanted.plan),
        "deliver": wanted.deliver,
        "asked": dict(wanted.asked),
    }
    return await jobs.enqueue(tx, kind, params, owner_id=caller.user_id, project_id=wanted.project_id), []


async def _problems(tx: AsyncConnection, project_id: ProjectId, plan: SummaryPlan) -> list[str]:
    settings = (await read_settings(tx, [project_id]))[project_id]
    try:
        find_columns(choose_formulae(plan, settings.formulae).values(), settings.free_columns)
    except QuadratError as error:
        return [error.message]
    into = {taxon_id for taxon_id in plan.mapping.values() if taxon_id}
    unknown = sorted(into - await existing_taxa(tx, into))
    if unknown:
        raise QuadratError(ErrorKind.INVALID, f"There is no taxon {unknown[0]}.", field="taxo_mapping")
    return []


def write_plan(plan: TablePlan | SummaryPlan) -> dict[str, Any]:
    """A plan as JSON values."""
    values: dict[str, Any] = msgspec.to_builtins(asdict(plan), str_keys=True)
    return {"kind": "summary" if isinstance(plan, SummaryPlan) else "tables", **values}


def read_plan(values: Mapping[str, Any]) -> TablePlan | SummaryPlan:
    """The plan again."""
    fields = {name: value for name, value in values.items() if name != "kind"}
    plan: TablePlan | SummaryPlan = msgspec.convert(fields, _KNOWN[values["kind"]], strict=False)
    return plan
