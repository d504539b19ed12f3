"""Environment variables: declared on a project, a model or a version, and handed to every instance below."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.base.sealing import Sealer
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import ProjectRef, open_project
from quadrat.identity.audit import record
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import Caller, Project
from quadrat.serving.actions.access import ModelPath, VersionPath, open_model, open_version
from quadrat.serving.rules import variables as rules
from quadrat.serving.signals import announce_models, announce_version
from quadrat.serving.store import variables as store
from quadrat.serving.store.sealed import VARIABLE
from quadrat.serving.types import Model, Version, VersionId
from quadrat.serving.variable_types import Place, Variable, VariableLevel

VariablePath = ProjectRef | ModelPath | VersionPath
"""Where variables are declared."""

_TAKEN = "There is a variable with this name at this level already."


@dataclass(frozen=True, slots=True)
class VariableChange:
    """What is asked for of a variable; None leaves a thing as it is, and on a new one makes it empty.

    Args:
        secret: Hides the value from everyone but the models.
    """

    name: str | None = None
    value: str | None = field(default=None, repr=False)
    secret: bool | None = None


@dataclass(frozen=True, slots=True)
class Inherited:
    """A variable as it counts at some level.

    Args:
        from_name: Name of the project, model or version where it is declared.
        is_own: Whether it is declared at the level itself.
    """

    variable: Variable
    from_name: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class _Opened:
    place: Place
    project: Project
    model: Model | None = None
    version: Version | None = None

    def name_of(self, level: VariableLevel) -> str:
        if level is VariableLevel.PROJECT:
            return self.project.name
        named = self.model if level is VariableLevel.MODEL else self.version
        assert named is not None  # noqa: S101 - nothing is inherited from below
        return named.name

    @property
    def full_name(self) -> str:
        return "/".join(named.name for named in (self.model, self.version) if named is not None)


async def create_variable(
    tx: AsyncConnection, caller: Caller, path: VariablePath, sealer: Sealer, new: VariableChange
) -> Variable:
    """Declare a variable; running instances that it reaches are replaced.

    Raises:
        QuadratError: not_found, forbidden, invalid; already_exists at the same level.
    """
    opened = await _open(tx, caller, path, "create")
    uuid, name = new_uuid(), rules.check_name(new.name or "")
    values = {"uuid": uuid, "name": name, **_values(sealer, uuid, new.value or "", secret=bool(new.secret))}
    if not await store.insert_variable(tx, opened.place, values):
        raise QuadratError(ErrorKind.ALREADY_EXISTS, _TAKEN, field="name")
    await _announce(tx, opened, "variable.created", name, secret=bool(new.secret))
    return await _get(tx, opened, uuid)


async def get_variable(tx: AsyncConnection, caller: Caller, path: VariablePath, uuid: UUID) -> Variable:
    """One that is declared at this very level.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await _get(tx, await _open(tx, caller, path, "get"), uuid)


async def list_variables(tx: AsyncConnection, caller: Caller, path: VariablePath) -> Sequence[Inherited]:
    """What counts at a level, by name: declared there or above and not hidden.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await _list(tx, await _open(tx, caller, path, "list"))


async def list_variables_of(
    tx: AsyncConnection, project: Project, model: Model, version: Version
) -> Sequence[Inherited]:
    """What counts for a version, for a caller who may see that anyway."""
    return await _list(tx, _Opened(Place(project.id, model.id, version.id), project, model, version))


async def update_variable(
    tx: AsyncConnection, caller: Caller, path: VariablePath, uuid: UUID, sealer: Sealer, wanted: VariableChange
) -> Variable:
    """Change a variable of this very level; running instances that it reaches are replaced.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists; wrong_state to show a secret one.
    """
    opened = await _open(tx, caller, path, "update")
    variable = await _get(tx, opened, uuid, lock=True)
    if variable.secret and wanted.secret is False:
        raise QuadratError(
            ErrorKind.WRONG_STATE, "A secret stays secret: delete the variable and make another.", field="secret"
        )
    values: dict[str, Any] = {}
    if wanted.name is not None:
        values["name"] = rules.check_name(wanted.name)
    secret = variable.secret or bool(wanted.secret)
    if wanted.value is not None:
        values |= _values(sealer, uuid, wanted.value, secret=secret)
    elif secret and not variable.secret:
        values |= _values(sealer, uuid, variable.value or "", secret=True)
    if values:
        async with refuse_taken(tx, _TAKEN, field="name"):
            await store.update_variable(tx, uuid, values)
        await _announce(tx, opened, "variable.changed", values.get("name", variable.name), secret=secret)
    return await _get(tx, opened, uuid)


async def delete_variable(tx: AsyncConnection, caller: Caller, path: VariablePath, uuid: UUID) -> None:
    """Remove a variable of this very level; running instances that it reached are replaced.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened = await _open(tx, caller, path, "delete")
    variable = await _get(tx, opened, uuid, lock=True)
    await store.delete_variable(tx, uuid)
    await _announce(tx, opened, "variable.deleted", variable.name, secret=variable.secret)


async def _open(tx: AsyncConnection, caller: Caller, path: VariablePath, action: str) -> _Opened:
    if isinstance(path, VersionPath):
        permission = f"models.versions.environment-variables.{action}"
        project, model, version = await open_version(tx, caller, path, permission)
        return _Opened(Place(project.id, model.id, version.id), project, model, version)
    if isinstance(path, ModelPath):
        project, model = await open_model(tx, caller, path, f"models.environment-variables.{action}")
        return _Opened(Place(project.id, model.id), project, model)
    project = await open_project(tx, caller, path, f"projects.environment-variables.{action}")
    return _Opened(Place(project.id), project)


async def _get(tx: AsyncConnection, opened: _Opened, uuid: UUID, *, lock: bool = False) -> Variable:
    variable = await store.find_variable(tx, opened.place, uuid, lock=lock)
    if variable is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Environment variable {uuid} does not exist here.", field="id")
    return variable


async def _list(tx: AsyncConnection, opened: _Opened) -> list[Inherited]:
    counting = rules.effective(await store.list_inherited(tx, opened.place))
    return [Inherited(item, opened.name_of(item.level), item.level is opened.place.level) for item in counting]


def _values(sealer: Sealer, uuid: UUID, value: str, *, secret: bool) -> dict[str, Any]:
    checked = rules.check_value(value)
    if secret:
        return {"value": None, "sealed_value": sealer.seal(checked, VARIABLE.context(uuid)), "secret": True}
    return {"value": checked, "sealed_value": None, "secret": False}


async def _announce(tx: AsyncConnection, opened: _Opened, action: str, name: str, *, secret: bool) -> None:
    await record(tx, action, name, project=opened.project, secret=secret, of=opened.full_name or opened.project.name)
    if opened.version is None:
        await announce_models(tx)
    else:
        await announce_version(tx, VersionId(opened.version.id))
