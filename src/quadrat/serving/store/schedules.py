"""Rows of schedules, and the minutes in which they have fired."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import ProjectId
from quadrat.serving.pipeline_types import PipelineId
from quadrat.serving.schedule_types import Schedule, ScheduleId, Timetable
from quadrat.serving.tables import fired, model, pipeline, schedule, version
from quadrat.serving.types import VersionId


async def insert_schedule(
    tx: AsyncConnection,
    project_id: ProjectId,
    name: str,
    timetable: Timetable,
    *,
    version_id: VersionId | None = None,
    pipeline_id: PipelineId | None = None,
) -> bool:
    """Make a schedule; False when the name is taken in its project."""
    made = (
        pg_insert(schedule)
        .values(
            uuid=new_uuid(),
            project_id=project_id,
            name=name,
            version_id=version_id,
            pipeline_id=pipeline_id,
            **_columns(timetable),
        )
        .on_conflict_do_nothing(index_elements=["project_id", "name"])
        .returning(schedule.c.id)
    )
    return (await tx.execute(made)).scalar_one_or_none() is not None


async def find_schedule(tx: AsyncConnection, project_id: ProjectId, name: str) -> Schedule | None:
    """The schedule of this name."""
    query = _select().where(schedule.c.project_id == project_id, schedule.c.name == name)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _to_schedule(row)


async def list_schedules(tx: AsyncConnection, project_id: ProjectId) -> Sequence[Schedule]:
    """The schedules of a project by name."""
    query = _select().where(schedule.c.project_id == project_id).order_by(schedule.c.name)
    return [_to_schedule(row) for row in await tx.execute(query)]


async def list_enabled(tx: AsyncConnection) -> Sequence[Schedule]:
    """All schedules that fire, of all projects."""
    return [_to_schedule(row) for row in await tx.execute(_select().where(schedule.c.is_enabled))]


async def update_schedule(tx: AsyncConnection, schedule_id: ScheduleId, name: str, timetable: Timetable) -> None:
    """Set all that may change of a schedule.

    Raises:
        QuadratError: already_exists.
    """
    async with refuse_taken(tx, f"There is a schedule {name} in this project already.", field="name"):
        await tx.execute(
            update(schedule)
            .where(schedule.c.id == schedule_id)
            .values(name=name, updated_at=func.clock_timestamp(), **_columns(timetable))
        )


async def delete_schedule(tx: AsyncConnection, schedule_id: ScheduleId) -> None:
    """Remove a schedule."""
    await tx.execute(delete(schedule).where(schedule.c.id == schedule_id))


async def note_fired(tx: AsyncConnection, schedule_id: ScheduleId, minute: datetime) -> bool:
    """Note that a schedule fires in a minute; False when it has already, or has gone."""
    alive = select(schedule.c.id).where(schedule.c.id == schedule_id, schedule.c.is_enabled)
    if (await tx.execute(alive.with_for_update(key_share=True))).scalar_one_or_none() is None:
        return False
    made = (
        pg_insert(fired)
        .values(schedule_id=schedule_id, minute=minute)
        .on_conflict_do_nothing()
        .returning(fired.c.schedule_id)
    )
    return (await tx.execute(made)).scalar_one_or_none() is not None


async def forget_fired_before(tx: AsyncConnection, moment: datetime) -> None:
    """Remove minutes that can never come again."""
    await tx.execute(delete(fired).where(fired.c.minute < moment))


def _columns(timetable: Timetable) -> dict[str, Any]:
    return {
        "cron": timetable.cron,
        "data": timetable.data,
        "is_batch": timetable.is_batch,
        "timeout_s": timetable.timeout_s,
        "is_enabled": timetable.is_enabled,
    }


def _select() -> Select[*tuple[Any, ...]]:
    return (
        select(
            schedule.c.id,
            schedule.c.uuid,
            schedule.c.project_id,
            schedule.c.name,
            schedule.c.cron,
            schedule.c.data,
            schedule.c.is_batch,
            schedule.c.timeout_s,
            schedule.c.is_enabled,
            schedule.c.version_id,
            schedule.c.pipeline_id,
            case((schedule.c.pipeline_id.is_(None), model.c.name), else_=pipeline.c.name),
            case((schedule.c.pipeline_id.is_(None), model.c.uuid), else_=pipeline.c.uuid),
            version.c.name,
            schedule.c.created_at,
            schedule.c.updated_at,
        )
        .outerjoin(version, version.c.id == schedule.c.version_id)
        .outerjoin(model, model.c.id == version.c.model_id)
        .outerjoin(pipeline, pipeline.c.id == schedule.c.pipeline_id)
    )


def _to_schedule(row: Sequence[Any]) -> Schedule:
    id_, uuid, project_id, name = row[:4]
    version_id, pipeline_id, object_name, object_uuid, version_name, created_at, updated_at = row[9:]
    return Schedule(
        ScheduleId(id_),
        uuid,
        ProjectId(project_id),
        name,
        Timetable(row[4], row[5] or b"null", *row[6:9]),
        version_id,
        pipeline_id,
        object_name,
        object_uuid,
        version_name,
        created_at,
        updated_at,
    )
