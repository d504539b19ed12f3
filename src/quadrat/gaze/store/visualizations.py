"""SQL of the settings of visualizations."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.gaze.tables import enrichment, visualization
from quadrat.gaze.types import Visualization, VisualizationId, VisualizationKind
from quadrat.identity.types import Project


def _select(project: Project) -> Select[*tuple[Any, ...]]:
    return (
        select(
            visualization.c.id,
            visualization.c.uuid,
            enrichment.c.uuid,
            visualization.c.kind,
            visualization.c.name,
            visualization.c.payload,
            visualization.c.created_by,
            visualization.c.created_at,
            visualization.c.updated_at,
        )
        .outerjoin(enrichment, enrichment.c.id == visualization.c.enrichment_id)
        .where(visualization.c.project_id == project.id)
    )


def _to_visualization(project: Project, row: Any) -> Visualization:
    return Visualization(
        id=VisualizationId(row[0]),
        uuid=row[1],
        project_uuid=project.uuid,
        enrichment_uuid=row[2],
        kind=VisualizationKind(row[3]),
        name=row[4],
        payload=row[5],
        created_by=row[6],
        created_at=row[7],
        updated_at=row[8],
    )


async def list_visualizations(tx: AsyncConnection, project: Project) -> list[Visualization]:
    """All of a project, in the order of creation."""
    rows = await tx.execute(_select(project).order_by(visualization.c.id))
    return [_to_visualization(project, row) for row in rows]


async def find_visualization(
    tx: AsyncConnection, project: Project, uuid: UUID, *, lock: bool = False
) -> Visualization | None:
    """One of a project."""
    query = _select(project).where(visualization.c.uuid == uuid)
    row = (await tx.execute(query.with_for_update(of=visualization) if lock else query)).one_or_none()
    return None if row is None else _to_visualization(project, row)


async def insert_visualization(tx: AsyncConnection, project: Project, values: dict[str, Any]) -> bool:
    """A new one; False when the project has one of this id already."""
    statement = (
        insert(visualization)
        .values(project_id=project.id, **values)
        .on_conflict_do_nothing(index_elements=[visualization.c.project_id, visualization.c.uuid])
        .returning(visualization.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def update_visualization(tx: AsyncConnection, id_: VisualizationId, values: dict[str, Any]) -> None:
    """Change columns."""
    statement = update(visualization).where(visualization.c.id == id_)
    await tx.execute(statement.values(updated_at=func.clock_timestamp(), **values))


async def delete_visualization(tx: AsyncConnection, id_: VisualizationId) -> None:
    """Remove one."""
    await tx.execute(delete(visualization).where(visualization.c.id == id_))
