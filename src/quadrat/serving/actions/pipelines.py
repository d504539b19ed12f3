"""Make, read, change and remove pipelines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.slugs import is_slug
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import ProjectRef, access_to, open_list, open_project, require
from quadrat.identity.actions.roles import forget_object
from quadrat.identity.types import Caller, ObjectType, Project, Target
from quadrat.serving.actions.limits import claim_resource
from quadrat.serving.pipeline_types import Pipeline
from quadrat.serving.rules import models as model_rules
from quadrat.serving.rules.pipelines import check_graph
from quadrat.serving.signals import announce_pipeline_requests, announce_pipelines
from quadrat.serving.store import pipelines as store
from quadrat.serving.types import DataKind, Field


@dataclass(frozen=True, slots=True)
class PipelinePath:
    """Where a pipeline is."""

    project: ProjectRef
    pipeline: str


@dataclass(frozen=True, slots=True)
class NewPipeline:
    """What is asked for, not checked yet."""

    name: str
    description: str
    input_kind: DataKind
    input_fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class PipelineChange:
    """What changes; None leaves as it is."""

    name: str | None
    description: str | None
    input_kind: DataKind | None
    input_fields: Sequence[Field] | None


def no_pipeline(name: str) -> QuadratError:
    """The answer to an unknown pipeline."""
    return QuadratError(ErrorKind.NOT_FOUND, f"Pipeline {name} does not exist in this project.", field="pipeline")


async def open_pipeline(
    tx: AsyncConnection, caller: Caller, path: PipelinePath, permission: str, *, lock: bool = False
) -> tuple[Project, Pipeline]:
    """The pipeline, when the caller holds the permission on it.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: Where the pipeline is.
        permission: For what.
        lock: Whether it or its graph is about to be changed.

    Raises:
        QuadratError: not_found; forbidden, whether or not there is such a pipeline.
    """
    access = await access_to(tx, caller, path.project)
    found = None
    if is_slug(path.pipeline):
        found = await store.find_pipeline(tx, access.project.id, path.pipeline, lock=lock)
    require(caller, access, permission, None if found is None else Target(ObjectType.PIPELINE, found.uuid))
    if found is None:
        raise no_pipeline(path.pipeline)
    return access.project, found


async def create_pipeline(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, new: NewPipeline
) -> tuple[Project, Pipeline]:
    """Make an empty pipeline.

    Raises:
        QuadratError: not_found, forbidden, invalid; already_exists when the name is taken; limit_reached.
    """
    opened = await open_project(tx, caller, project, "pipelines.create")
    name = model_rules.check_name(new.name, field="name")
    description = model_rules.check_description(new.description)
    taken = model_rules.check_signature(new.input_kind, new.input_fields, direction="input")
    await claim_resource(tx, opened)
    if not await store.insert_pipeline(tx, opened.id, name, description, taken):
        raise QuadratError(
            ErrorKind.ALREADY_EXISTS, f"There is a pipeline {name} in this project already.", field="name"
        )
    return opened, await _read(tx, opened, name)


async def get_pipeline(tx: AsyncConnection, caller: Caller, path: PipelinePath) -> tuple[Project, Pipeline]:
    """One pipeline.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await open_pipeline(tx, caller, path, "pipelines.get")


async def list_pipelines(
    tx: AsyncConnection, caller: Caller, project: ProjectRef
) -> tuple[Project, Sequence[Pipeline]]:
    """The pipelines of a project that the caller may list, by name.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened, only = await open_list(tx, caller, project, "pipelines.list", ObjectType.PIPELINE)
    return opened, await store.list_pipelines(tx, opened.id, only)


async def update_pipeline(
    tx: AsyncConnection, caller: Caller, path: PipelinePath, change: PipelineChange
) -> tuple[Project, Pipeline]:
    """Change a pipeline. Another input must still fit what is attached to the start.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    project, found = await open_pipeline(tx, caller, path, "pipelines.update", lock=True)
    name = found.name if change.name is None else model_rules.check_name(change.name, field="name")
    description = found.description
    if change.description is not None:
        description = model_rules.check_description(change.description)
    kind = found.input.kind if change.input_kind is None else change.input_kind
    fields: Sequence[Field] = () if kind is DataKind.PLAIN else found.input.fields
    if change.input_fields is not None:
        fields = change.input_fields
    taken = model_rules.check_signature(kind, fields, direction="input")
    if taken != found.input:
        check_graph(await store.read_graph(tx, replace(found, input=taken)))
    await store.update_pipeline(tx, found.id, name, description, taken)
    await announce_pipelines(tx)
    return project, await _read(tx, project, name)


async def delete_pipeline(tx: AsyncConnection, caller: Caller, path: PipelinePath) -> None:
    """Remove a pipeline with its objects, attachments, requests and schedules, never the models.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project, found = await open_pipeline(tx, caller, path, "pipelines.delete", lock=True)
    await store.delete_pipeline(tx, found.id)
    await forget_object(tx, project.id, Target(ObjectType.PIPELINE, found.uuid))
    await announce_pipelines(tx)
    await announce_pipeline_requests(tx, found.id, deleted=True)


async def _read(tx: AsyncConnection, project: Project, name: str) -> Pipeline:
    found = await store.find_pipeline(tx, project.id, name)
    assert found is not None  # noqa: S101 - written in this transaction
    return found
