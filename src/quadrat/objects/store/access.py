"""Whether a project exists, and whether it is open to readers who hold no role in it."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity import tables as identity
from quadrat.identity.types import ProjectId
from quadrat.objects.tables import project


async def visibility(tx: AsyncConnection, project_ids: Collection[ProjectId]) -> dict[ProjectId, bool]:
    """For each of the projects that exist, whether anyone may read it."""
    query = (
        select(identity.project.c.id, func.coalesce(project.c.visible, False))
        .outerjoin(project, project.c.project_id == identity.project.c.id)
        .where(identity.project.c.id.in_(project_ids))
    )
    return {ProjectId(id_): visible for id_, visible in await tx.execute(query)}
