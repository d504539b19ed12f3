"""What is in a project or an organization, what it does, and what of that is billed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import ProjectRef, access_to, open_project, require
from quadrat.identity.actions.organizations import OrganizationRef, get_organization
from quadrat.identity.actions.subscriptions import count_members, count_projects
from quadrat.identity.types import Caller
from quadrat.serving.rules.metrics import (
    BILLED,
    Grain,
    MeteredType,
    Metric,
    buckets,
    find_metric,
    floor,
    following,
    months_before,
    value,
)
from quadrat.serving.store import metrics as store
from quadrat.serving.store import objects as object_store

_PERMISSION = {
    MeteredType.MODEL_VERSION: "models.versions.metrics.get",
    MeteredType.PIPELINE: "pipelines.metrics.get",
    MeteredType.CONNECTOR: "connectors.metrics.get",
}
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Measured:
    """One value of a metric."""

    start: datetime
    end: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Question:
    """Which values of a metric are asked for, not checked yet.

    Args:
        object_type: Kind of object.
        metric: Name of the metric within its kind.
        object_id: One object; None for all of the kind together.
    """

    object_type: str
    metric: str
    grain: Grain
    start: datetime
    end: datetime
    object_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used of one billed metric: (begin of a month or day, amount), oldest first, without empty ones."""

    metric: Metric
    amounts: Sequence[tuple[datetime, float]]


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a version was asked in a span of time, directly and in batches, and how often that failed."""

    version_id: UUID
    model: str
    version: str
    requests: int
    failed: int


async def read_metric(tx: AsyncConnection, caller: Caller, ref: ProjectRef, asked: Question) -> Sequence[Measured]:
    """The values of a metric in contiguous buckets, empty ones included.

    Raises:
        QuadratError: not_found, also for an object that is not in the project; forbidden; invalid.
    """
    access = await access_to(tx, caller, ref)
    metric = find_metric(asked.object_type, asked.metric)
    permission = _PERMISSION[metric.object_type]
    project_id = access.project.id
    if asked.object_id is None:
        require(caller, access, permission)
    else:
        target = await object_store.find_metered(tx, project_id, metric.object_type, asked.object_id)
        require(caller, access, permission, target)
        if target is None:
            message = f"There is no {asked.object_type} {asked.object_id} in this project."
            raise QuadratError(ErrorKind.NOT_FOUND, message, field="object_id")
    spans = buckets(asked.start, asked.end, asked.grain)
    if not spans:
        return []
    found = await store.read(tx, project_id, metric, (asked.grain, spans[0][0], asked.end), asked.object_id)
    at = now()
    return [Measured(*span, value(metric, *found.get(span[0], (0.0, 0)), span, at)) for span in spans]


async def count_requests(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, span: tuple[Grain, datetime, datetime]
) -> Sequence[Asked]:
    """How often each version was asked that was asked at all: in buckets, from the one that holds the start.

    Raises:
        QuadratError: not_found, forbidden.
    """
    access = await access_to(tx, caller, ref)
    require(caller, access, _PERMISSION[MeteredType.MODEL_VERSION])
    grain, start, end = span
    found = await store.read_versions(tx, access.project.id, (grain, floor(start, grain), end))
    return [Asked(*names, round(asked), round(asked - answered)) for names, (asked, answered) in found.items()]


async def project_usage(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, start_month: str | None
) -> Sequence[Usage]:
    """What the project has used, per month from that month on; of the last twelve months when none is given.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    project = await open_project(tx, caller, ref, "projects.usage.get")
    span = _months(start_month)
    return [Usage(metric, _amounts(await store.read(tx, project.id, metric, span))) for metric in BILLED]


async def organization_usage(
    tx: AsyncConnection, caller: Caller, ref: OrganizationRef, start_month: str | None
) -> Sequence[Usage]:
    """What all projects of the organization have used, per month.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    organization = await get_organization(tx, caller, ref)
    span = _months(start_month)
    return [
        Usage(metric, _amounts(await store.read_organization(tx, organization.id, metric, span))) for metric in BILLED
    ]


async def organization_usage_per_day(
    tx: AsyncConnection, caller: Caller, ref: OrganizationRef, month: str | None
) -> Sequence[Usage]:
    """What all projects of the organization have used in one month, per day; in this one when none is given.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    organization = await get_organization(tx, caller, ref)
    start = floor(now(), Grain.MONTH) if month is None else _month(month, "month")
    span = (Grain.DAY, start, following(start, Grain.MONTH))
    return [
        Usage(metric, _amounts(await store.read_organization(tx, organization.id, metric, span))) for metric in BILLED
    ]


async def project_resources(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> object_store.Counts:
    """How many models, versions, connectors and pipelines the project holds.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "projects.get")
    return await object_store.count_in_project(tx, project.id)


async def organization_resources(tx: AsyncConnection, caller: Caller, ref: OrganizationRef) -> object_store.Counts:
    """The same of all projects of the organization, with the number of ``projects`` and ``users``.

    Raises:
        QuadratError: not_found, forbidden.
    """
    organization = await get_organization(tx, caller, ref)
    counts = await object_store.count_in_organization(tx, organization.id)
    return {
        "projects": await count_projects(tx, organization.id),
        "users": await count_members(tx, organization.id),
        **counts,
    }


def _months(start_month: str | None) -> tuple[Grain, datetime, datetime]:
    end = following(floor(now(), Grain.MONTH), Grain.MONTH)
    start = months_before(end, _MONTHS) if start_month is None else _month(start_month, "start_month")
    return Grain.MONTH, start, end


def _month(text: str, field: str) -> datetime:
    match = _MONTH.fullmatch(text)
    if match is None or match[1] == "0000":
        raise QuadratError(ErrorKind.INVALID, f"{field} is a month such as 2026-11.", field=field)
    return datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC)


def _amounts(found: store.Totals) -> list[tuple[datetime, float]]:
    return [(bucket, total) for bucket, (total, _) in sorted(found.items()) if total]
