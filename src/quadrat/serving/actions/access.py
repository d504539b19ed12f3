"""Finds what a path names, once the caller may do what was asked there."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.slugs import is_slug
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import ProjectRef, access_to, require
from quadrat.identity.types import Caller, ObjectType, Project, ProjectId, Target
from quadrat.serving.store import models as model_store
from quadrat.serving.store import versions as version_store
from quadrat.serving.types import Model, Version


@dataclass(frozen=True, slots=True)
class ModelPath:
    """Where a model is."""

    project: ProjectRef
    model: str


@dataclass(frozen=True, slots=True)
class VersionPath:
    """Where a version is."""

    project: ProjectRef
    model: str
    version: str


def no_model(name: str) -> QuadratError:
    """The answer to an unknown model."""
    return QuadratError(ErrorKind.NOT_FOUND, f"Model {name} does not exist in this project.", field="model")


def no_version(name: str) -> QuadratError:
    """The answer to an unknown version."""
    return QuadratError(ErrorKind.NOT_FOUND, f"Version {name} does not exist in this model.", field="version")


async def no_deployment(tx: AsyncConnection, project_id: ProjectId, path: VersionPath) -> QuadratError:
    """The answer to a path that leads nowhere: it names the first part that is not there."""
    has_model = is_slug(path.model) and await model_store.find_model(tx, project_id, path.model) is not None
    return no_version(path.version) if has_model else no_model(path.model)


async def open_model(tx: AsyncConnection, caller: Caller, path: ModelPath, permission: str) -> tuple[Project, Model]:
    """The model, when the caller holds the permission on it.

    Raises:
        QuadratError: not_found; forbidden, whether or not there is such a model.
    """
    access = await access_to(tx, caller, path.project)
    # What is no name need not be looked for, and may hold what a text column cannot.
    model = await model_store.find_model(tx, access.project.id, path.model) if is_slug(path.model) else None
    require(caller, access, permission, None if model is None else Target(ObjectType.MODEL, model.uuid))
    if model is None:
        raise no_model(path.model)
    return access.project, model


async def open_version(
    tx: AsyncConnection, caller: Caller, path: VersionPath, permission: str, *, lock: bool = False
) -> tuple[Project, Model, Version]:
    """The version, when the caller holds the permission on its model.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: Where the version is.
        permission: For what.
        lock: Whether it is about to be changed.

    Raises:
        QuadratError: not_found; forbidden.
    """
    project, model = await open_model(tx, caller, ModelPath(path.project, path.model), permission)
    version = None
    if is_slug(path.version):
        version = await version_store.find_version(tx, model.id, path.version, lock=lock)
    if version is None:
        raise no_version(path.version)
    return project, model, version
