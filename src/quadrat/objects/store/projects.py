"""Settings of projects as object sets."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.store.arrays import driver
from quadrat.objects.store.clock import NEVER, ClockState
from quadrat.objects.tables import project
from quadrat.objects.types import FreeColumns


async def free_columns(tx: AsyncConnection, project_id: ProjectId) -> FreeColumns:
    """Names of the free columns of a project."""
    query = select(
        project.c.object_numbers,
        project.c.object_texts,
        project.c.sample_texts,
        project.c.acquisition_texts,
        project.c.process_texts,
    ).where(project.c.project_id == project_id)
    row = (await tx.execute(query)).one_or_none()
    return FreeColumns() if row is None else FreeColumns(*(tuple(names) for names in row))


_PROJECT = """
SELECT c.last, c.horizon, c.content,
       p.object_numbers, p.object_texts, p.sample_texts, p.acquisition_texts, p.process_texts
FROM (VALUES (%(project)s::bigint)) wanted (id)
LEFT JOIN objects.clock c ON c.project_id = wanted.id
LEFT JOIN objects.project p ON p.project_id = wanted.id
"""


async def read_project(tx: AsyncConnection, project_id: ProjectId) -> tuple[ClockState, FreeColumns]:
    """What every list begins with: how far the project is for everyone who looks now, and its free columns."""
    found = await (await driver(tx)).execute(_PROJECT, {"project": project_id})
    row = await found.fetchone()
    if row is None:
        return NEVER, FreeColumns()
    clock = NEVER if row[0] is None else ClockState(row[0], row[1], row[2])
    return clock, FreeColumns() if row[3] is None else FreeColumns(*(tuple(names) for names in row[3:]))
