"""What roles can be given on and metrics are kept of, by name and by id, whatever its type."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Table, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.slugs import is_slug
from quadrat.identity.tables import project
from quadrat.identity.types import ObjectType, OrganizationId, ProjectId, Target
from quadrat.serving.rules.metrics import MeteredType
from quadrat.serving.tables import connector, credentials, model, pipeline, version

_TABLES: dict[ObjectType, Table] = {
    ObjectType.MODEL: model,
    ObjectType.PIPELINE: pipeline,
    ObjectType.CONNECTOR: connector,
    ObjectType.CREDENTIALS: credentials,
}


async def find_target(tx: AsyncConnection, project_id: ProjectId, type_: ObjectType, name: str) -> Target | None:
    """The object of this name in the project."""
    if not is_slug(name):
        return None
    table = _TABLES[type_]
    query = select(table.c.uuid).where(table.c.project_id == project_id, table.c.name == name)
    found = (await tx.execute(query)).scalar_one_or_none()
    return None if found is None else Target(type_, found)


async def names_of(tx: AsyncConnection, targets: Collection[Target]) -> dict[Target, str]:
    """The present names of objects; those that are gone are left out."""
    names = {}
    for type_ in {target.type for target in targets}:
        table = _TABLES[type_]
        ids = [target.id for target in targets if target.type is type_]
        for uuid, name in await tx.execute(select(table.c.uuid, table.c.name).where(table.c.uuid.in_(ids))):
            names[Target(type_, uuid)] = name
    return names


async def find_metered(tx: AsyncConnection, project_id: ProjectId, type_: MeteredType, uuid: UUID) -> Target | None:
    """What a role must be held on to see the metrics of this object: of a version, its model."""
    if type_ is MeteredType.MODEL_VERSION:
        query = (
            select(model.c.uuid)
            .join(version, version.c.model_id == model.c.id)
            .where(model.c.project_id == project_id, version.c.uuid == uuid)
        )
        found = (await tx.execute(query)).scalar_one_or_none()
        return None if found is None else Target(ObjectType.MODEL, found)
    object_type = ObjectType(type_)
    table = _TABLES[object_type]
    known = select(table.c.uuid).where(table.c.project_id == project_id, table.c.uuid == uuid)
    return None if (await tx.execute(known)).scalar_one_or_none() is None else Target(object_type, uuid)


Counts = dict[str, int]
"""How many ``models``, ``versions``, ``connectors`` and ``pipelines`` there are."""


async def count_in_project(tx: AsyncConnection, project_id: ProjectId) -> Counts:
    """What a project holds."""
    return await _count(tx, [project_id])


async def count_in_organization(tx: AsyncConnection, organization_id: OrganizationId) -> Counts:
    """What all projects of an organization hold."""
    query = select(project.c.id).where(project.c.organization_id == organization_id)
    return await _count(tx, list((await tx.execute(query)).scalars()))


async def _count(tx: AsyncConnection, project_ids: Collection[int]) -> Counts:
    versions = (
        select(literal("versions"), func.count())
        .select_from(version.join(model, model.c.id == version.c.model_id))
        .where(model.c.project_id.in_(project_ids))
    )
    others = (
        select(literal(name), func.count()).select_from(table).where(table.c.project_id.in_(project_ids))
        for name, table in (("models", model), ("connectors", connector), ("pipelines", pipeline))
    )
    return {name: count for name, count in (await tx.execute(union_all(versions, *others))).all()}  # noqa: C416
