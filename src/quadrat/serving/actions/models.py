"""Make, read, change and remove models."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import ProjectRef, open_list, open_project
from quadrat.identity.actions.roles import forget_object
from quadrat.identity.types import Caller, ObjectType, Project, Target
from quadrat.serving.actions.access import ModelPath, open_model
from quadrat.serving.actions.packages import clean_later
from quadrat.serving.rules import models as rules
from quadrat.serving.signals import announce_models
from quadrat.serving.store import models as store
from quadrat.serving.store import pipelines as pipeline_store
from quadrat.serving.types import DataKind, Field, Model


@dataclass(frozen=True, slots=True)
class NewModel:
    """What is asked for, not checked yet."""

    name: str
    description: str
    input_kind: DataKind
    output_kind: DataKind
    input_fields: Sequence[Field]
    output_fields: Sequence[Field]


async def create_model(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, new: NewModel
) -> tuple[Project, Model]:
    """Make a model.

    Raises:
        QuadratError: not_found, forbidden, invalid; already_exists when the name is taken.
    """
    opened = await open_project(tx, caller, project, "models.create")
    name = rules.check_name(new.name, field="name")
    description = rules.check_description(new.description)
    taken = rules.check_signature(new.input_kind, new.input_fields, direction="input")
    given = rules.check_signature(new.output_kind, new.output_fields, direction="output")
    if not await store.insert_model(tx, opened.id, name, description, (taken, given)):
        raise _taken(name)
    return opened, await _read(tx, opened, name)


async def get_model(tx: AsyncConnection, caller: Caller, path: ModelPath) -> tuple[Project, Model]:
    """One model.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await open_model(tx, caller, path, "models.get")


async def list_models(tx: AsyncConnection, caller: Caller, project: ProjectRef) -> tuple[Project, Sequence[Model]]:
    """The models of a project that the caller may list, by name.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened, only = await open_list(tx, caller, project, "models.list", ObjectType.MODEL)
    return opened, await store.list_models(tx, opened.id, only)


async def update_model(
    tx: AsyncConnection, caller: Caller, path: ModelPath, *, name: str | None, description: str | None
) -> tuple[Project, Model]:
    """Change name or description; None leaves as it is.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    project, model = await open_model(tx, caller, path, "models.update")
    new_name = model.name if name is None else rules.check_name(name, field="name")
    new_description = model.description if description is None else rules.check_description(description)
    if not await store.update_model(tx, model.id, new_name, new_description):
        raise _taken(new_name)
    await announce_models(tx)
    return project, await _read(tx, project, new_name)


async def delete_model(tx: AsyncConnection, caller: Caller, path: ModelPath) -> None:
    """Remove a model with its versions, their packages and their requests.

    Raises:
        QuadratError: not_found, forbidden; wrong_state while one of its versions is in a pipeline.
    """
    project, model = await open_model(tx, caller, path, "models.delete")
    users = await pipeline_store.list_pipelines_with(tx, version_ids=await store.lock_versions(tx, model.id))
    if users:
        raise QuadratError(
            ErrorKind.WRONG_STATE, f"A version of model {model.name} is in pipeline {users[0]}: take it out first."
        )
    await store.delete_model(tx, model.id)
    await forget_object(tx, project.id, Target(ObjectType.MODEL, model.uuid))
    await clean_later(tx)
    await announce_models(tx)


def _taken(name: str) -> QuadratError:
    return QuadratError(ErrorKind.ALREADY_EXISTS, f"There is a model {name} in this project already.", field="name")


async def _read(tx: AsyncConnection, project: Project, name: str) -> Model:
    model = await store.find_model(tx, project.id, name)
    assert model is not None  # noqa: S101 - written in this transaction
    return model
