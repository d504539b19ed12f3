"""Make, read, change and remove versions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.serving.actions.access import ModelPath, VersionPath, open_model, open_version
from quadrat.serving.actions.limits import claim_resource
from quadrat.serving.actions.packages import clean_later, start_build
from quadrat.serving.rules.models import check_description, check_name
from quadrat.serving.rules.versions import check_settings
from quadrat.serving.signals import announce_version
from quadrat.serving.store import pipelines as pipeline_store
from quadrat.serving.store import versions as store
from quadrat.serving.types import Model, Version, VersionSettings


async def create_version(
    tx: AsyncConnection, caller: Caller, path: ModelPath, name: str, settings: VersionSettings
) -> tuple[Model, Version]:
    """Make a version that waits for its package.

    Raises:
        QuadratError: not_found, forbidden, invalid; already_exists when the name is taken.
    """
    project, model = await open_model(tx, caller, path, "models.versions.create")
    check_name(name, field="version")
    _check(settings)
    await claim_resource(tx, project)
    if not await store.insert_version(tx, model.id, name, settings):
        raise _taken(name)
    return model, await _read(tx, model, name)


async def get_version(tx: AsyncConnection, caller: Caller, path: VersionPath) -> tuple[Model, Version]:
    """One version.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, model, version = await open_version(tx, caller, path, "models.versions.get")
    return model, version


async def list_versions(tx: AsyncConnection, caller: Caller, path: ModelPath) -> tuple[Model, Sequence[Version]]:
    """The versions of a model, by name.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, model = await open_model(tx, caller, path, "models.versions.list")
    return model, await store.list_versions(tx, model.id)


async def update_version(
    tx: AsyncConnection, caller: Caller, path: VersionPath, name: str | None, changes: Mapping[str, Any]
) -> tuple[Model, Version]:
    """Change a version. Another language builds it again; other settings reach its instances by replacing them.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The version.
        name: Its new name, or None.
        changes: New values of fields of `VersionSettings`.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    project, model, version = await open_version(tx, caller, path, "models.versions.update", lock=True)
    new_name = version.name if name is None else check_name(name, field="version")
    settings = _check(replace(version.settings, **changes))
    if not await store.update_version(tx, version.id, new_name, settings):
        raise _taken(new_name)
    if settings.language != version.settings.language and version.package_id is not None:
        await start_build(tx, caller, project.id, version)
    await announce_version(tx, version.id)
    return model, await _read(tx, model, new_name)


async def delete_version(tx: AsyncConnection, caller: Caller, path: VersionPath) -> None:
    """Remove a version with its packages and requests.

    Raises:
        QuadratError: not_found, forbidden; wrong_state while it is in a pipeline.
    """
    # Held, so that nobody puts it into a pipeline meanwhile.
    _, _, version = await open_version(tx, caller, path, "models.versions.delete", lock=True)
    users = await pipeline_store.list_pipelines_with(tx, version_ids=[version.id])
    if users:
        raise QuadratError(
            ErrorKind.WRONG_STATE, f"Version {version.name} is in pipeline {users[0]}: take it out first."
        )
    await store.delete_version(tx, version.id)
    await clean_later(tx)
    await announce_version(tx, version.id)


def _check(settings: VersionSettings) -> VersionSettings:
    check_description(settings.description)
    return check_settings(settings)


def _taken(name: str) -> QuadratError:
    return QuadratError(ErrorKind.ALREADY_EXISTS, f"There is a version {name} in this model already.", field="version")


async def _read(tx: AsyncConnection, model: Model, name: str) -> Version:
    version = await store.find_version(tx, model.id, name)
    assert version is not None  # noqa: S101 - written in this transaction
    return version
