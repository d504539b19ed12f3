"""Rows of pipelines, their objects and attachments."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.tables import project
from quadrat.identity.types import ProjectId
from quadrat.serving.connector_types import ConnectorId
from quadrat.serving.pipeline_types import (
    START,
    Attachment,
    AttachmentId,
    Graph,
    Link,
    ObjectId,
    Pipeline,
    PipelineId,
    PipelineObject,
    ReferenceType,
)
from quadrat.serving.store.models import signatures_of
from quadrat.serving.tables import (
    attachment,
    attachment_field,
    connector,
    connector_field,
    model,
    pipeline,
    pipeline_field,
    pipeline_object,
    version,
)
from quadrat.serving.types import DataKind, Field, FieldType, Signature, VersionId


async def insert_pipeline(
    tx: AsyncConnection, project_id: ProjectId, name: str, description: str, taken: Signature
) -> bool:
    """Make a pipeline; False when the name is taken in its project."""
    made = (
        pg_insert(pipeline)
        .values(uuid=new_uuid(), project_id=project_id, name=name, description=description, input_kind=taken.kind)
        .on_conflict_do_nothing(index_elements=["project_id", "name"])
        .returning(pipeline.c.id)
    )
    pipeline_id = (await tx.execute(made)).scalar_one_or_none()
    if pipeline_id is None:
        return False
    await _insert_fields(tx, pipeline_id, taken)
    return True


async def find_pipeline(
    tx: AsyncConnection, project_id: ProjectId, name: str, *, lock: bool = False
) -> Pipeline | None:
    """The pipeline of this name; with `lock`, no one else changes it or its graph until the transaction ends."""
    query = _select_pipelines().where(pipeline.c.project_id == project_id, pipeline.c.name == name)
    found = await _load(tx, query.with_for_update() if lock else query)
    return found[0] if found else None


async def list_pipelines(
    tx: AsyncConnection, project_id: ProjectId, only: Collection[UUID] | None = None
) -> Sequence[Pipeline]:
    """The pipelines of a project by name; with `only`, those of them with these UUIDs."""
    query = _select_pipelines().where(pipeline.c.project_id == project_id).order_by(pipeline.c.name)
    if only is not None:
        query = query.where(pipeline.c.uuid.in_(only))
    return await _load(tx, query)


async def update_pipeline(
    tx: AsyncConnection, pipeline_id: PipelineId, name: str, description: str, taken: Signature
) -> None:
    """Set all that may change of a pipeline.

    Raises:
        QuadratError: already_exists.
    """
    statement = (
        update(pipeline)
        .where(pipeline.c.id == pipeline_id)
        .values(name=name, description=description, input_kind=taken.kind, updated_at=func.clock_timestamp())
    )
    async with refuse_taken(tx, f"There is a pipeline {name} in this project already.", field="name"):
        await tx.execute(statement)
    await tx.execute(delete(pipeline_field).where(pipeline_field.c.pipeline_id == pipeline_id))
    await _insert_fields(tx, pipeline_id, taken)


async def delete_pipeline(tx: AsyncConnection, pipeline_id: PipelineId) -> None:
    """Remove a pipeline with its objects, attachments and requests."""
    await tx.execute(delete(pipeline).where(pipeline.c.id == pipeline_id))


async def read_graph(tx: AsyncConnection, found: Pipeline) -> Graph:
    """A pipeline with all objects and attachments."""
    objects = {item.id: item for item in await list_objects(tx, found.id)}
    return Graph(found, objects, tuple(await list_attachments(tx, found.id)))


async def find_graph(tx: AsyncConnection, pipeline_id: PipelineId) -> tuple[Graph, str] | None:
    """A pipeline with all that is in it, and the name of its project."""
    found = await _load(tx, _select_pipelines().where(pipeline.c.id == pipeline_id))
    if not found:
        return None
    query = select(project.c.name).where(project.c.id == found[0].project_id)
    return await read_graph(tx, found[0]), (await tx.execute(query)).scalar_one()


# Objects.


async def insert_object(
    tx: AsyncConnection,
    pipeline_id: PipelineId,
    name: str,
    *,
    version_id: VersionId | None = None,
    connector_id: ConnectorId | None = None,
) -> bool:
    """Put a version or a connector into a pipeline; False when the name is taken in it."""
    made = (
        pg_insert(pipeline_object)
        .values(uuid=new_uuid(), pipeline_id=pipeline_id, name=name, version_id=version_id, connector_id=connector_id)
        .on_conflict_do_nothing(index_elements=["pipeline_id", "name"])
        .returning(pipeline_object.c.id)
    )
    return (await tx.execute(made)).scalar_one_or_none() is not None


async def list_objects(tx: AsyncConnection, pipeline_id: PipelineId, name: str | None = None) -> list[PipelineObject]:
    """The objects of a pipeline by name; with `name`, only that one."""
    query = (
        select(
            pipeline_object.c.id,
            pipeline_object.c.uuid,
            pipeline_object.c.name,
            model.c.id,
            model.c.name,
            model.c.input_kind,
            model.c.output_kind,
            version.c.id,
            version.c.name,
            connector.c.id,
            connector.c.name,
        )
        .outerjoin(version, version.c.id == pipeline_object.c.version_id)
        .outerjoin(model, model.c.id == version.c.model_id)
        .outerjoin(connector, connector.c.id == pipeline_object.c.connector_id)
        .where(pipeline_object.c.pipeline_id == pipeline_id)
        .order_by(pipeline_object.c.name)
    )
    if name is not None:
        query = query.where(pipeline_object.c.name == name)
    rows = (await tx.execute(query)).all()
    models = await signatures_of(tx, {row[3] for row in rows if row[3] is not None})
    columns = await fields_of_connectors(tx, {row[9] for row in rows if row[9] is not None})
    return [_to_object(row, models, columns) for row in rows]


async def update_object(tx: AsyncConnection, object_id: ObjectId, name: str, version_id: VersionId | None) -> None:
    """Set all that may change of an object.

    Raises:
        QuadratError: already_exists.
    """
    async with refuse_taken(tx, f"There is an object {name} in this pipeline already.", field="name"):
        await tx.execute(
            update(pipeline_object).where(pipeline_object.c.id == object_id).values(name=name, version_id=version_id)
        )


async def delete_object(tx: AsyncConnection, object_id: ObjectId) -> None:
    """Take an object out of its pipeline, with its attachments."""
    await tx.execute(delete(pipeline_object).where(pipeline_object.c.id == object_id))


async def fields_of_connectors(tx: AsyncConnection, ids: Collection[int]) -> dict[int, tuple[Field, ...]]:
    """The input fields of connectors."""
    query = (
        select(connector_field.c.connector_id, connector_field.c.name, connector_field.c.type)
        .where(connector_field.c.connector_id.in_(ids))
        .order_by(connector_field.c.connector_id, connector_field.c.position)
    )
    fields: dict[int, list[Field]] = {id_: [] for id_ in ids}
    for id_, name, type_ in await tx.execute(query):
        fields[id_].append(Field(name, FieldType(type_)))
    return {id_: tuple(found) for id_, found in fields.items()}


async def list_pipelines_with(
    tx: AsyncConnection,
    *,
    version_ids: Collection[int] = (),
    connector_id: ConnectorId | None = None,
) -> Sequence[str]:
    """Names of pipelines in which one of these stands."""
    uses: ColumnElement[bool] = pipeline_object.c.version_id.in_(version_ids)
    if connector_id is not None:
        uses = pipeline_object.c.connector_id == connector_id
    query = (
        select(pipeline.c.name)
        .where(exists().where(pipeline_object.c.pipeline_id == pipeline.c.id, uses))
        .order_by(pipeline.c.name)
    )
    return (await tx.execute(query)).scalars().all()


# Attachments.


async def insert_attachment(
    tx: AsyncConnection,
    pipeline_id: PipelineId,
    source_id: ObjectId | None,
    destination_id: ObjectId,
    mapping: Sequence[Link],
) -> None:
    """Attach two objects."""
    made = (
        pg_insert(attachment)
        .values(uuid=new_uuid(), pipeline_id=pipeline_id, source_id=source_id, destination_id=destination_id)
        .returning(attachment.c.id)
    )
    attachment_id = (await tx.execute(made)).scalar_one()
    rows = [
        {
            "attachment_id": attachment_id,
            "position": position,
            "source_field": link.source_field,
            "destination_field": link.destination_field,
        }
        for position, link in enumerate(mapping)
    ]
    if rows:
        await tx.execute(insert(attachment_field), rows)


async def list_attachments(tx: AsyncConnection, pipeline_id: PipelineId) -> list[Attachment]:
    """The attachments of a pipeline in the order in which they were made."""
    source = pipeline_object.alias("source")
    destination = pipeline_object.alias("destination")
    query = (
        select(
            attachment.c.id,
            attachment.c.uuid,
            attachment.c.source_id,
            source.c.name,
            attachment.c.destination_id,
            destination.c.name,
        )
        .outerjoin(source, source.c.id == attachment.c.source_id)
        .join(destination, destination.c.id == attachment.c.destination_id)
        .where(attachment.c.pipeline_id == pipeline_id)
        .order_by(attachment.c.id)
    )
    rows = (await tx.execute(query)).all()
    links = await _links_of(tx, [row[0] for row in rows])
    return [
        Attachment(
            AttachmentId(id_),
            uuid,
            None if source_id is None else ObjectId(source_id),
            START if source_id is None else source_name,
            ObjectId(destination_id),
            destination_name,
            tuple(links[id_]),
        )
        for id_, uuid, source_id, source_name, destination_id, destination_name in rows
    ]


async def delete_attachment(tx: AsyncConnection, attachment_id: AttachmentId) -> None:
    """Detach two objects."""
    await tx.execute(delete(attachment).where(attachment.c.id == attachment_id))


async def touch(tx: AsyncConnection, pipeline_id: PipelineId) -> None:
    """Note that the graph of a pipeline has changed."""
    await tx.execute(update(pipeline).where(pipeline.c.id == pipeline_id).values(updated_at=func.clock_timestamp()))


async def _links_of(tx: AsyncConnection, attachment_ids: Collection[int]) -> Mapping[int, list[Link]]:
    query = (
        select(attachment_field.c.attachment_id, attachment_field.c.source_field, attachment_field.c.destination_field)
        .where(attachment_field.c.attachment_id.in_(attachment_ids))
        .order_by(attachment_field.c.attachment_id, attachment_field.c.position)
    )
    links: dict[int, list[Link]] = defaultdict(list)
    for attachment_id, source, destination in await tx.execute(query):
        links[attachment_id].append(Link(source, destination))
    return links


async def _insert_fields(tx: AsyncConnection, pipeline_id: int, taken: Signature) -> None:
    rows = [
        {"pipeline_id": pipeline_id, "position": position, "name": field.name, "type": field.type}
        for position, field in enumerate(taken.fields)
    ]
    if rows:
        await tx.execute(insert(pipeline_field), rows)


def _select_pipelines() -> Select[*tuple[Any, ...]]:
    return select(
        pipeline.c.id,
        pipeline.c.uuid,
        pipeline.c.project_id,
        pipeline.c.name,
        pipeline.c.description,
        pipeline.c.input_kind,
        pipeline.c.created_at,
        pipeline.c.updated_at,
    )


async def _load(tx: AsyncConnection, query: Select[*tuple[Any, ...]]) -> list[Pipeline]:
    rows = (await tx.execute(query)).all()
    found: dict[int, list[Field]] = {row[0]: [] for row in rows}
    fields = (
        select(pipeline_field.c.pipeline_id, pipeline_field.c.name, pipeline_field.c.type)
        .where(pipeline_field.c.pipeline_id.in_(found))
        .order_by(pipeline_field.c.pipeline_id, pipeline_field.c.position)
    )
    for id_, name, type_ in await tx.execute(fields) if found else ():
        found[id_].append(Field(name, FieldType(type_)))
    return [
        Pipeline(
            PipelineId(id_),
            uuid,
            ProjectId(project_id),
            name,
            description,
            Signature(DataKind(kind), tuple(found[id_])),
            created_at,
            updated_at,
        )
        for id_, uuid, project_id, name, description, kind, created_at, updated_at in rows
    ]


def _to_object(
    row: Sequence[Any],
    models: Mapping[int, tuple[list[Field], list[Field]]],
    columns: Mapping[int, tuple[Field, ...]],
) -> PipelineObject:
    id_, uuid, name, model_id, model_name, input_kind, output_kind, version_id, version_name = row[:9]
    connector_id, connector_name = row[9:]
    if connector_id is not None:
        return PipelineObject(
            ObjectId(id_),
            uuid,
            name,
            ReferenceType.CONNECTOR,
            connector_name,
            None,
            None,
            ConnectorId(connector_id),
            Signature(DataKind.STRUCTURED, columns[connector_id]),
            None,
        )
    taken, given = models[model_id]
    return PipelineObject(
        ObjectId(id_),
        uuid,
        name,
        ReferenceType.MODEL,
        model_name,
        version_name,
        VersionId(version_id),
        None,
        Signature(DataKind(input_kind), tuple(taken)),
        Signature(DataKind(output_kind), tuple(given)),
    )
