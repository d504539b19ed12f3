"""The audit trail: added to, read, and one day forgotten."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import audit, organization, project
from quadrat.identity.types import AuditEntry, OrganizationId, ProjectId


async def insert_entry(tx: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add one."""
    await tx.execute(insert(audit).values(dict(values)))


async def list_entries(  # noqa: PLR0913 - one for each way to narrow the list
    tx: AsyncConnection,
    *,
    organization_id: OrganizationId | None = None,
    project_id: ProjectId | None = None,
    user: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> Sequence[AuditEntry]:
    """The newest, newest first; of an organization, a project, what a user did or had done to it."""
    query = select(
        audit.c.id,
        audit.c.at,
        audit.c.action,
        audit.c.actor,
        audit.c.organization,
        audit.c.project,
        audit.c.subject,
        audit.c.detail,
        audit.c.door,
        audit.c.address,
        audit.c.request_id,
    )
    if organization_id is not None:
        query = query.where(audit.c.organization_id == organization_id)
    if project_id is not None:
        query = query.where(audit.c.project_id == project_id)
    if user is not None:
        query = query.where((audit.c.actor == user) | (audit.c.subject == user))
    if since is not None:
        query = query.where(audit.c.at >= since)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [AuditEntry(*row) for row in await tx.execute(query.order_by(audit.c.id.desc()).limit(limit))]


async def find_places(
    tx: AsyncConnection, organization_name: str | None, project_name: str | None
) -> tuple[OrganizationId | None, ProjectId | None]:
    """The numbers of an organization and a project."""
    organizations = select(organization.c.id).where(organization.c.name == organization_name)
    projects = select(project.c.id).where(project.c.name == project_name)
    organization_id = (await tx.execute(organizations)).scalar_one_or_none()
    project_id = (await tx.execute(projects)).scalar_one_or_none()
    return (
        None if organization_id is None else OrganizationId(organization_id),
        None if project_id is None else ProjectId(project_id),
    )


async def delete_before(tx: AsyncConnection, at: datetime) -> int:
    """Forget what is older; returns how many."""
    return (await tx.execute(delete(audit).where(audit.c.at < at))).rowcount
