"""Rows of models and their fields."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.identity.types import ProjectId
from quadrat.serving.tables import model, model_field, version
from quadrat.serving.types import DataKind, Field, FieldType, Model, ModelId, Signature

_INPUT, _OUTPUT = "input", "output"

_Row = tuple[int, UUID, int, str, str, str, str, datetime, datetime, int]


async def insert_model(
    tx: AsyncConnection, project_id: ProjectId, name: str, description: str, signatures: tuple[Signature, Signature]
) -> bool:
    """Make a model with its (input, output); False when the name is taken in its project."""
    taken, given = signatures
    made = (
        pg_insert(model)
        .values(
            uuid=new_uuid(),
            project_id=project_id,
            name=name,
            description=description,
            input_kind=taken.kind,
            output_kind=given.kind,
        )
        .on_conflict_do_nothing(index_elements=["project_id", "name"])
        .returning(model.c.id)
    )
    model_id = (await tx.execute(made)).scalar_one_or_none()
    if model_id is None:
        return False
    rows = [
        {"model_id": model_id, "direction": direction, "position": position, "name": field.name, "type": field.type}
        for direction, signature in ((_INPUT, taken), (_OUTPUT, given))
        for position, field in enumerate(signature.fields)
    ]
    if rows:
        await tx.execute(insert(model_field), rows)
    return True


async def find_model(tx: AsyncConnection, project_id: ProjectId, name: str) -> Model | None:
    """The model of this name."""
    query = _select_models().where(model.c.project_id == project_id, model.c.name == name)
    found = await _load(tx, (await tx.execute(query)).all())
    return found[0] if found else None


async def list_models(
    tx: AsyncConnection, project_id: ProjectId, only: Collection[UUID] | None = None
) -> Sequence[Model]:
    """The models of a project by name; with `only`, those of them with these UUIDs."""
    query = _select_models().where(model.c.project_id == project_id).order_by(model.c.name)
    if only is not None:
        query = query.where(model.c.uuid.in_(only))
    return await _load(tx, (await tx.execute(query)).all())


async def update_model(tx: AsyncConnection, model_id: ModelId, name: str, description: str) -> bool:
    """Set what may change of a model; False when the name is taken."""
    statement = (
        update(model).where(model.c.id == model_id).values(name=name, description=description, updated_at=func.now())
    )
    try:
        async with tx.begin_nested():
            await tx.execute(statement)
    except IntegrityError:
        return False
    return True


async def delete_model(tx: AsyncConnection, model_id: ModelId) -> None:
    """Remove a model with its versions and their requests."""
    await tx.execute(delete(model).where(model.c.id == model_id))


async def lock_versions(tx: AsyncConnection, model_id: ModelId) -> Sequence[int]:
    """The versions of a model, none of which is changed or added to until the transaction ends."""
    await tx.execute(select(model.c.id).where(model.c.id == model_id).with_for_update())
    query = select(version.c.id).where(version.c.model_id == model_id).order_by(version.c.id).with_for_update()
    return (await tx.execute(query)).scalars().all()


async def signatures_of(tx: AsyncConnection, model_ids: Collection[int]) -> dict[int, tuple[list[Field], list[Field]]]:
    """The (input, output) fields of models."""
    fields: dict[int, tuple[list[Field], list[Field]]] = {model_id: ([], []) for model_id in model_ids}
    query = (
        select(model_field.c.model_id, model_field.c.direction, model_field.c.name, model_field.c.type)
        .where(model_field.c.model_id.in_(model_ids))
        .order_by(model_field.c.model_id, model_field.c.direction, model_field.c.position)
    )
    for model_id, direction, name, type_ in await tx.execute(query):
        fields[model_id][0 if direction == _INPUT else 1].append(Field(name, FieldType(type_)))
    return fields


def _select_models() -> Select[int, UUID, int, str, str, str, str, datetime, datetime, int]:
    count = select(func.count(version.c.id)).where(version.c.model_id == model.c.id).correlate(model).scalar_subquery()
    return select(
        model.c.id,
        model.c.uuid,
        model.c.project_id,
        model.c.name,
        model.c.description,
        model.c.input_kind,
        model.c.output_kind,
        model.c.created_at,
        model.c.updated_at,
        count,
    )


async def _load(tx: AsyncConnection, rows: Sequence[_Row]) -> list[Model]:
    if not rows:
        return []
    fields = await signatures_of(tx, [row[0] for row in rows])
    return [_to_model(row, *fields[row[0]]) for row in rows]


def _to_model(row: _Row, taken: Sequence[Field], given: Sequence[Field]) -> Model:
    id_, uuid, project_id, name, description, input_kind, output_kind, created_at, updated_at, count = row
    return Model(
        ModelId(id_),
        uuid,
        ProjectId(project_id),
        name,
        description,
        Signature(DataKind(input_kind), tuple(taken)),
        Signature(DataKind(output_kind), tuple(given)),
        created_at,
        updated_at,
        count,
    )
