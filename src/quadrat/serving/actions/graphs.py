"""The objects and attachments of a pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.slugs import is_slug
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.serving.actions.pipelines import PipelinePath, open_pipeline
from quadrat.serving.actions.variables import Inherited, list_variables_of
from quadrat.serving.connector_types import Connector
from quadrat.serving.pipeline_types import (
    START,
    Attachment,
    AttachmentId,
    Link,
    Pipeline,
    PipelineObject,
    ReferenceType,
)
from quadrat.serving.rules.pipelines import check_attachment, check_graph, check_object_name
from quadrat.serving.signals import announce_pipelines
from quadrat.serving.store import connectors as connector_store
from quadrat.serving.store import models as model_store
from quadrat.serving.store import pipelines as store
from quadrat.serving.store import versions as version_store
from quadrat.serving.types import VersionId


@dataclass(frozen=True, slots=True)
class NewObject:
    """What is asked for, not checked yet.

    Args:
        version: Needed for a model, ignored for a connector.
    """

    name: str
    reference_type: str
    reference_name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What changes; None leaves as it is. Type and reference may be sent, and must be the old ones."""

    name: str | None
    version: str | None
    reference_type: str | None
    reference_name: str | None


async def create_object(tx: AsyncConnection, caller: Caller, path: PipelinePath, new: NewObject) -> PipelineObject:
    """Put a model version or a connector into a pipeline.

    Raises:
        QuadratError: not_found, forbidden; invalid, also when there is no such version or connector; already_exists.
    """
    connector = None
    if new.reference_type == ReferenceType.CONNECTOR:
        _, pipeline = await open_pipeline(tx, caller, path, "pipelines.objects.create")
        # Held until this commits, so that nobody deletes it before it is in use; before the pipeline, as everywhere.
        connector = await _hold_connector(tx, pipeline, new.reference_name)
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.objects.create", lock=True)
    name = check_object_name(new.name)
    if new.reference_type == ReferenceType.MODEL:
        version_id = await _version_id(tx, pipeline, new.reference_name, new.version)
        made = await store.insert_object(tx, pipeline.id, name, version_id=version_id)
    elif connector is not None:
        made = await store.insert_object(tx, pipeline.id, name, connector_id=connector.id)
    else:
        raise QuadratError(ErrorKind.INVALID, "The reference_type must be model or connector.", field="reference_type")
    if not made:
        raise QuadratError(
            ErrorKind.ALREADY_EXISTS, f"There is an object {name} in this pipeline already.", field="name"
        )
    await store.touch(tx, pipeline.id)
    return await _object(tx, pipeline, name)


async def get_object(tx: AsyncConnection, caller: Caller, path: PipelinePath, name: str) -> PipelineObject:
    """One object.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.objects.get")
    return await _object(tx, pipeline, name)


async def list_objects(tx: AsyncConnection, caller: Caller, path: PipelinePath) -> Sequence[PipelineObject]:
    """The objects of a pipeline by name.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.objects.list")
    return await store.list_objects(tx, pipeline.id)


async def list_variables_of_object(
    tx: AsyncConnection, caller: Caller, path: PipelinePath, name: str
) -> Sequence[Inherited]:
    """The environment variables that count for an object's version; a connector has none.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project, pipeline = await open_pipeline(tx, caller, path, "pipelines.objects.get")
    found = await _object(tx, pipeline, name)
    if found.version is None:
        return []
    model = await model_store.find_model(tx, project.id, found.reference_name)
    version = None if model is None else await version_store.find_version(tx, model.id, found.version)
    if model is None or version is None:  # renamed in this moment
        raise QuadratError(ErrorKind.UNAVAILABLE, f"The version of object {name} is being changed; try again.")
    return await list_variables_of(tx, project, model, version)


async def update_object(
    tx: AsyncConnection, caller: Caller, path: PipelinePath, current_name: str, change: ObjectChange
) -> PipelineObject:
    """Rename an object, or let it stand for another version of its model; attachments stay.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.objects.update", lock=True)
    found = await _object(tx, pipeline, current_name)
    for field, asked, kept in (
        ("reference_type", change.reference_type, found.reference_type),
        ("reference_name", change.reference_name, found.reference_name),
    ):
        if asked is not None and asked != kept:
            raise QuadratError(ErrorKind.INVALID, f"The {field} of an object cannot be changed.", field=field)
    name = found.name if change.name is None else check_object_name(change.name)
    version_id = found.version_id
    if change.version is not None and version_id is not None:
        version_id = await _version_id(tx, pipeline, found.reference_name, change.version)
    await store.update_object(tx, found.id, name, version_id)
    await store.touch(tx, pipeline.id)
    await announce_pipelines(tx)
    return await _object(tx, pipeline, name)


async def delete_object(tx: AsyncConnection, caller: Caller, path: PipelinePath, name: str) -> None:
    """Take an object out of its pipeline with its attachments; what it stands for stays.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.objects.delete", lock=True)
    found = await _object(tx, pipeline, name)
    await store.delete_object(tx, found.id)
    await store.touch(tx, pipeline.id)
    await announce_pipelines(tx)


# Attachments.


async def create_attachment(
    tx: AsyncConnection,
    caller: Caller,
    path: PipelinePath,
    ends: tuple[str, str],
    mapping: Sequence[Link],
) -> Attachment:
    """Let data flow from one object to another.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The pipeline.
        ends: Names of source and destination.
        mapping: One link for each input field of the destination.

    Raises:
        QuadratError: not_found, forbidden; invalid, naming what does not fit; already_exists.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.attachments.create", lock=True)
    source_name, destination_name = ends
    graph = await store.read_graph(tx, pipeline)
    by_name = {item.name: item for item in graph.objects.values()}
    if destination_name == START:
        raise QuadratError(ErrorKind.INVALID, f"{START} can only be a source.", field="destination_name")
    for name, field in ((source_name, "source_name"), (destination_name, "destination_name")):
        if name not in by_name and name != START:
            raise QuadratError(ErrorKind.INVALID, f"There is no object {name[:64]} in this pipeline.", field=field)
    source, destination = by_name.get(source_name), by_name[destination_name]
    check_attachment(pipeline, source, destination, mapping)
    if any((item.source_name, item.destination_name) == ends for item in graph.attachments):
        raise QuadratError(
            ErrorKind.ALREADY_EXISTS, f"{source_name} is attached to {destination_name} already.", field="source_name"
        )
    source_id = None if source is None else source.id
    added = Attachment(AttachmentId(0), pipeline.uuid, source_id, source_name, destination.id, destination_name, ())
    check_graph(replace(graph, attachments=(*graph.attachments, replace(added, mapping=tuple(mapping)))))
    await store.insert_attachment(tx, pipeline.id, source_id, destination.id, mapping)
    await store.touch(tx, pipeline.id)
    await announce_pipelines(tx)
    return await _attachment(tx, pipeline, ends)


async def get_attachment(tx: AsyncConnection, caller: Caller, path: PipelinePath, ends: tuple[str, str]) -> Attachment:
    """The attachment between two objects.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.attachments.get")
    return await _attachment(tx, pipeline, ends)


async def list_attachments(tx: AsyncConnection, caller: Caller, path: PipelinePath) -> Sequence[Attachment]:
    """All attachments of a pipeline, oldest first.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.attachments.list")
    return await store.list_attachments(tx, pipeline.id)


async def list_attachments_of(
    tx: AsyncConnection, caller: Caller, path: PipelinePath, source_name: str
) -> Sequence[Attachment]:
    """The attachments of one source, oldest first.

    Raises:
        QuadratError: not_found, also when there is no such object; forbidden.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.attachments.list")
    if source_name != START:
        await _object(tx, pipeline, source_name)
    return [item for item in await store.list_attachments(tx, pipeline.id) if item.source_name == source_name]


async def delete_attachment(tx: AsyncConnection, caller: Caller, path: PipelinePath, ends: tuple[str, str]) -> None:
    """Detach two objects.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, pipeline = await open_pipeline(tx, caller, path, "pipelines.attachments.delete", lock=True)
    await store.delete_attachment(tx, (await _attachment(tx, pipeline, ends)).id)
    await store.touch(tx, pipeline.id)
    await announce_pipelines(tx)


async def _hold_connector(tx: AsyncConnection, pipeline: Pipeline, name: str) -> Connector:
    found = None
    if is_slug(name):
        found = await connector_store.find_connector(tx, pipeline.project_id, name, lock=True)
    if found is None:
        raise _no_reference(f"Connector {name} does not exist in this project.")
    return found


async def _version_id(tx: AsyncConnection, pipeline: Pipeline, model_name: str, version_name: str | None) -> VersionId:
    if version_name is None:
        raise QuadratError(ErrorKind.INVALID, "An object for a model needs a version.", field="version")
    model = await model_store.find_model(tx, pipeline.project_id, model_name) if is_slug(model_name) else None
    if model is None:
        raise _no_reference(f"Model {model_name} does not exist in this project.")
    version = None
    if is_slug(version_name):
        # Held until this commits, so that nobody deletes it before it is in use.
        version = await version_store.find_version(tx, model.id, version_name, lock=True)
    if version is None:
        raise QuadratError(
            ErrorKind.INVALID, f"Version {version_name} does not exist in model {model_name}.", field="version"
        )
    return version.id


def _no_reference(message: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field="reference_name")


async def _object(tx: AsyncConnection, pipeline: Pipeline, name: str) -> PipelineObject:
    found = await store.list_objects(tx, pipeline.id, name) if is_slug(name) else []
    if not found:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Object {name} does not exist in this pipeline.", field="name")
    return found[0]


async def _attachment(tx: AsyncConnection, pipeline: Pipeline, ends: tuple[str, str]) -> Attachment:
    for item in await store.list_attachments(tx, pipeline.id):
        if (item.source_name, item.destination_name) == ends:
            return item
    raise QuadratError(ErrorKind.NOT_FOUND, f"{ends[0]} is not attached to {ends[1]} in this pipeline.")
