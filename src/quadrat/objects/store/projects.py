"""Settings of projects as object sets."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
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
