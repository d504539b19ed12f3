"""Rows of environment variables."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.tables import variable
from quadrat.serving.variable_types import Place, Variable

Row = tuple[UUID, int | None, int | None, str, str | None, bytes | None, bool, datetime]


def _select() -> Select[UUID, int | None, int | None, str, str | None, bytes | None, bool, datetime]:
    return select(
        variable.c.uuid,
        variable.c.model_id,
        variable.c.version_id,
        variable.c.name,
        variable.c.value,
        variable.c.sealed_value,
        variable.c.secret,
        variable.c.updated_at,
    )


def _to_variable(row: Row) -> Variable:
    uuid, model_id, version_id, name, value, sealed, secret, updated_at = row
    level = Place(0, model_id, version_id).level
    return Variable(uuid, level, name, value, sealed, secret, updated_at)


def _at(place: Place) -> ColumnElement[bool]:
    return and_(
        variable.c.project_id == place.project_id,
        variable.c.model_id.is_not_distinct_from(place.model_id),
        variable.c.version_id.is_not_distinct_from(place.version_id),
    )


async def insert_variable(tx: AsyncConnection, place: Place, values: Mapping[str, Any]) -> bool:
    """Whether the name was free at this level."""
    made = (
        insert(variable)
        .values(project_id=place.project_id, model_id=place.model_id, version_id=place.version_id, **values)
        .on_conflict_do_nothing(constraint="uq_variable_once")
        .returning(variable.c.uuid)
    )
    return (await tx.execute(made)).scalar_one_or_none() is not None


async def find_variable(tx: AsyncConnection, place: Place, uuid: UUID, *, lock: bool = False) -> Variable | None:
    """One of this level itself."""
    query = _select().where(_at(place), variable.c.uuid == uuid)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else _to_variable((*row,))


async def list_inherited(tx: AsyncConnection, place: Place) -> Sequence[Variable]:
    """Those of this level and of all above it, in no order."""
    return (await list_for(tx, [place]))[place]


async def list_for(tx: AsyncConnection, places: Sequence[Place]) -> dict[Place, list[Variable]]:
    """For each place the variables of its level and of all above it, in no order."""
    found: dict[Place, list[Variable]] = {place: [] for place in places}
    if not places:
        return found
    models = {place.model_id for place in places if place.model_id is not None}
    versions = {place.version_id for place in places if place.version_id is not None}
    wanted = or_(
        and_(
            variable.c.project_id.in_({place.project_id for place in places}),
            variable.c.model_id.is_(None),
        ),
        and_(variable.c.model_id.in_(models), variable.c.version_id.is_(None)),
        variable.c.version_id.in_(versions),
    )
    rows = (await tx.execute(_select().add_columns(variable.c.project_id).where(wanted))).all()
    by_level: dict[Place, list[Variable]] = {}
    for *row, project_id in rows:
        level = Place(project_id, row[1], row[2])
        by_level.setdefault(level, []).append(_to_variable((*row,)))
    for place, variables in found.items():
        above = {Place(place.project_id), Place(place.project_id, place.model_id), place}
        variables.extend(item for level in above for item in by_level.get(level, ()))
    return found


async def update_variable(tx: AsyncConnection, uuid: UUID, values: Mapping[str, Any]) -> None:
    """Change columns.

    Raises:
        IntegrityError: The name is taken at this level.
    """
    statement = update(variable).where(variable.c.uuid == uuid).values(**values, updated_at=func.clock_timestamp())
    await tx.execute(statement)


async def delete_variable(tx: AsyncConnection, uuid: UUID) -> None:
    """Remove it."""
    await tx.execute(delete(variable).where(variable.c.uuid == uuid))
