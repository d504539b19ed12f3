"""What is there, what it does, and what of it is billed."""

from typing import Annotated

from fastapi import Query

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.usage import to_metrics, to_question, to_usage_per_day, to_usage_per_month
from quadrat.api.ubiops.schemas.usage import (
    Metrics,
    MetricsQuery,
    ProjectResourceUsage,
    ResourceUsage,
    UsagePerDay,
    UsagePerMonth,
)
from quadrat.api.wire import Tx
from quadrat.serving.actions import usage

router = new_router("Metrics and usage")


@router.get("/projects/{project_name}/metrics/{metric}", operation_id="metrics_get")
async def metrics_get(
    project_name: str, metric: str, caller: SignedIn, tx: Tx, query: Annotated[MetricsQuery, Query()]
) -> list[Metrics]:
    """Contiguous intervals in UTC, the first one begun before the start if need be; zero where nothing happened."""
    found = await usage.read_metric(tx, caller, project_name, to_question(metric, query))
    return [to_metrics(measured) for measured in found]


@router.get("/projects/{project_name}/resources", operation_id="projects_resource_usage")
async def projects_resource_usage(project_name: str, caller: SignedIn, tx: Tx) -> ProjectResourceUsage:
    """How many models, versions, connectors and pipelines there are."""
    return ProjectResourceUsage(**await usage.project_resources(tx, caller, project_name))


@router.get("/projects/{project_name}/usage", operation_id="project_usage_get")
async def project_usage_get(
    project_name: str, caller: SignedIn, tx: Tx, start_month: str | None = None
) -> list[UsagePerMonth]:
    """Per month, from ``start_month`` on or of the last twelve months."""
    return [to_usage_per_month(item) for item in await usage.project_usage(tx, caller, project_name, start_month)]


@router.get("/organizations/{organization_name}/resources", operation_id="organizations_resource_usage")
async def organizations_resource_usage(organization_name: str, caller: SignedIn, tx: Tx) -> ResourceUsage:
    """How many there are in all of its projects, for any member."""
    return ResourceUsage(**await usage.organization_resources(tx, caller, organization_name))


@router.get("/organizations/{organization_name}/usage", operation_id="organization_usage_get")
async def organization_usage_get(
    organization_name: str, caller: SignedIn, tx: Tx, start_month: str | None = None
) -> list[UsagePerMonth]:
    """Per month, from ``start_month`` on or of the last twelve months, for any member."""
    found = await usage.organization_usage(tx, caller, organization_name, start_month)
    return [to_usage_per_month(item) for item in found]


@router.get("/organizations/{organization_name}/usage/details", operation_id="organization_usage_details_get")
async def organization_usage_details_get(
    organization_name: str, caller: SignedIn, tx: Tx, month: str | None = None
) -> list[UsagePerDay]:
    """Per day of ``month``, this one if none is given; for any member."""
    found = await usage.organization_usage_per_day(tx, caller, organization_name, month)
    return [to_usage_per_day(item) for item in found]
