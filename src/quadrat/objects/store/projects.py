"""Settings of projects as object sets."""

from dataclasses import dataclass
from uuid import UUID

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
       p.object_numbers, p.object_texts, p.sample_texts, p.acquisition_texts, p.process_texts,
       (SELECT content FROM objects.tree)
FROM (VALUES (%(project)s::bigint)) wanted (id)
LEFT JOIN objects.clock c ON c.project_id = wanted.id
LEFT JOIN objects.project p ON p.project_id = wanted.id
"""


@dataclass(frozen=True, slots=True)
class ProjectState:
    """What every list begins with, for everyone who looks now.

    Args:
        clock: How far the project is.
        free: Its free columns.
        tree: Another one whenever taxa have come, or got other names or places; None where nobody knows.
    """

    clock: ClockState
    free: FreeColumns
    tree: UUID | None


async def read_project(tx: AsyncConnection, project_id: ProjectId) -> ProjectState:
    """How far the project is, and what there is to show."""
    found = await (await driver(tx)).execute(_PROJECT, {"project": project_id})
    row = await found.fetchone()
    if row is None:
        return ProjectState(NEVER, FreeColumns(), None)
    clock = NEVER if row[0] is None else ClockState(row[0], row[1], row[2])
    free = FreeColumns() if row[3] is None else FreeColumns(*(tuple(names) for names in row[3:8]))
    return ProjectState(clock, free, row[8])
