"""What was counted, in buckets of four lengths, each a row that is added to."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import project
from quadrat.identity.types import OrganizationId, ProjectId
from quadrat.serving.rules.metrics import Grain, Metric, floor
from quadrat.serving.tables import metric as table
from quadrat.serving.tables import model, version

Key = tuple[ProjectId, Metric, UUID, datetime]
"""Project, metric, object, and a moment."""

_ROWS = 1000


async def add(tx: AsyncConnection, counts: Sequence[tuple[Key, float, int]]) -> None:
    """Add (key, total, times) to the buckets of every length that hold the key's moment."""
    rows: dict[tuple[ProjectId, Metric, str, datetime, UUID], tuple[float, int]] = {}
    for (project_id, metric, object_id, at), total, times in counts:
        for grain in Grain:
            key = (project_id, metric, grain.value, floor(at, grain), object_id)
            known = rows.get(key, (0.0, 0))
            rows[key] = (known[0] + total, known[1] + times)
    # In one order for all processes, so that they wait for each other and never in a ring.
    ordered = sorted(rows)
    for start in range(0, len(ordered), _ROWS):
        block = [
            {
                "project_id": key[0],
                "metric": key[1],
                "grain": key[2],
                "bucket": key[3],
                "object_id": key[4],
                "total": rows[key][0],
                "times": rows[key][1],
            }
            for key in ordered[start : start + _ROWS]
        ]
        statement = insert(table).values(block)
        await tx.execute(
            statement.on_conflict_do_update(
                constraint=table.primary_key,
                set_={
                    "total": table.c.total + statement.excluded.total,
                    "times": table.c.times + statement.excluded.times,
                },
            )
        )


def _between(metric: Metric, grain: Grain, start: datetime, end: datetime) -> Select[datetime, float, int]:
    return (
        select(table.c.bucket, func.sum(table.c.total), func.sum(table.c.times))
        .where(table.c.metric == metric, table.c.grain == grain, table.c.bucket >= start, table.c.bucket < end)
        .group_by(table.c.bucket)
        .order_by(table.c.bucket)
    )


Totals = dict[datetime, tuple[float, int]]
"""Begin of a bucket: total, times."""


async def read(
    tx: AsyncConnection,
    project_id: ProjectId,
    metric: Metric,
    span: tuple[Grain, datetime, datetime],
    object_id: UUID | None = None,
) -> Totals:
    """The buckets that begin in [start, end), of one object or of all of its type in the project."""
    query = _between(metric, *span).where(table.c.project_id == project_id)
    if object_id is not None:
        query = query.where(table.c.object_id == object_id)
    return {bucket: (total, int(times)) for bucket, total, times in await tx.execute(query)}


async def read_versions(
    tx: AsyncConnection, project_id: ProjectId, span: tuple[Grain, datetime, datetime]
) -> dict[tuple[UUID, str, str], tuple[float, float]]:
    """(Id, model, name) of each version that was asked, and how many requests and results there were."""
    grain, start, end = span

    def total(metric: Metric) -> ColumnElement[float]:
        return func.coalesce(func.sum(table.c.total).filter(table.c.metric == metric), 0.0)

    query = (
        select(
            version.c.uuid, model.c.name, version.c.name, total(Metric.VERSION_REQUESTS), total(Metric.VERSION_OUTPUTS)
        )
        .select_from(table.join(version, version.c.uuid == table.c.object_id))
        .join(model, model.c.id == version.c.model_id)
        .where(
            table.c.project_id == project_id,
            table.c.metric.in_((Metric.VERSION_REQUESTS, Metric.VERSION_OUTPUTS)),
            table.c.grain == grain,
            table.c.bucket >= start,
            table.c.bucket < end,
        )
        .group_by(version.c.uuid, model.c.name, version.c.name)
        .order_by(model.c.name, version.c.name)
    )
    return {(uuid, of, name): (asked, answered) for uuid, of, name, asked, answered in await tx.execute(query)}


async def read_organization(
    tx: AsyncConnection, organization_id: OrganizationId, metric: Metric, span: tuple[Grain, datetime, datetime]
) -> Totals:
    """The buckets that begin in [start, end), of all projects of an organization together."""
    projects = select(project.c.id).where(project.c.organization_id == organization_id)
    query = _between(metric, *span).where(table.c.project_id.in_(projects))
    return {bucket: (total, int(times)) for bucket, total, times in await tx.execute(query)}


async def delete_before(tx: AsyncConnection, grain: Grain, at: datetime, limit: int) -> int:
    """Forget the oldest buckets of a length; returns how many."""
    old = (
        select(table.c.project_id, table.c.metric, table.c.grain, table.c.bucket, table.c.object_id)
        .where(table.c.grain == grain, table.c.bucket < at)
        .limit(limit)
        .subquery()
    )
    condition = (
        (table.c.project_id == old.c.project_id)
        & (table.c.metric == old.c.metric)
        & (table.c.grain == old.c.grain)
        & (table.c.bucket == old.c.bucket)
        & (table.c.object_id == old.c.object_id)
    )
    return (await tx.execute(delete(table).where(condition))).rowcount


async def delete_of_missing_projects(tx: AsyncConnection) -> int:
    """Forget what was counted in projects that are gone; returns how many buckets."""
    known = select(project.c.id)
    return (await tx.execute(delete(table).where(table.c.project_id.not_in(known)))).rowcount
