"""Names of what lines of logs belong to, there and back."""

from collections.abc import Collection

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.slugs import is_slug
from quadrat.identity.types import ProjectId
from quadrat.serving.log_types import FoundObjects, LogPlace, Names
from quadrat.serving.tables import connector, model, pipeline, pipeline_object, version


async def find_objects(tx: AsyncConnection, project_id: ProjectId, names: Names) -> FoundObjects | None:
    """What has these names in the project; None when one of them is unknown."""
    given = (names.model, names.version, names.pipeline, names.pipeline_object, names.connector)
    if not all(name is None or is_slug(name) for name in given):
        return None
    version_ids: list[int] | None = None
    pipeline_id = object_id = connector_id = None
    if names.model is not None:
        version_ids = await _find_versions(tx, project_id, names.model, names.version)
        if not version_ids:
            return None
    if names.pipeline is not None:
        query = select(pipeline.c.id).where(pipeline.c.project_id == project_id, pipeline.c.name == names.pipeline)
        pipeline_id = (await tx.execute(query)).scalar_one_or_none()
        if pipeline_id is None:
            return None
    if names.pipeline_object is not None:
        query = select(pipeline_object.c.id).where(
            pipeline_object.c.pipeline_id == pipeline_id, pipeline_object.c.name == names.pipeline_object
        )
        object_id = (await tx.execute(query)).scalar_one_or_none()
        if object_id is None:
            return None
    if names.connector is not None:
        query = select(connector.c.id).where(connector.c.project_id == project_id, connector.c.name == names.connector)
        connector_id = (await tx.execute(query)).scalar_one_or_none()
        if connector_id is None:
            return None
    return FoundObjects(version_ids, pipeline_id, object_id, connector_id)


async def _find_versions(
    tx: AsyncConnection, project_id: ProjectId, model_name: str, version_name: str | None
) -> list[int]:
    query = (
        select(version.c.id)
        .join(model, model.c.id == version.c.model_id)
        .where(model.c.project_id == project_id, model.c.name == model_name)
    )
    if version_name is not None:
        query = query.where(version.c.name == version_name)
    return list((await tx.execute(query)).scalars())


async def names_of(tx: AsyncConnection, places: Collection[LogPlace]) -> dict[LogPlace, Names]:
    """The present names of what lines belong to; what is gone has none."""
    versions = {
        id_: (model_name, version_name)
        for id_, model_name, version_name in await tx.execute(
            select(version.c.id, model.c.name, version.c.name)
            .join(model, model.c.id == version.c.model_id)
            .where(version.c.id.in_({place.version_id for place in places if place.version_id is not None}))
        )
    }
    pipelines = await _names(tx, pipeline, {place.pipeline_id for place in places})
    objects = await _names(tx, pipeline_object, {place.pipeline_object_id for place in places})
    connectors = await _names(tx, connector, {place.connector_id for place in places})
    named = {}
    for place in places:
        model_name, version_name = versions.get(place.version_id or 0, (None, None))
        named[place] = Names(
            model_name,
            version_name,
            pipelines.get(place.pipeline_id or 0),
            objects.get(place.pipeline_object_id or 0),
            connectors.get(place.connector_id or 0),
        )
    return named


async def _names(tx: AsyncConnection, table: Table, ids: Collection[int | None]) -> dict[int, str]:
    wanted = [id_ for id_ in ids if id_ is not None]
    if not wanted:
        return {}
    query = select(table.c.id, table.c.name).where(table.c.id.in_(wanted))
    return {id_: name for id_, name in (await tx.execute(query)).all()}  # noqa: C416
