"""Environment variables of projects, models and versions."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.variables import to_change, to_inherited_list, to_variable_id, to_variable_list
from quadrat.api.ubiops.paths import MODEL, VERSION, AtModel, AtVersion
from quadrat.api.ubiops.schemas.variables import (
    EnvironmentVariableCreate,
    EnvironmentVariableList,
    EnvironmentVariableUpdate,
    InheritedEnvironmentVariableList,
)
from quadrat.api.wire import Tx
from quadrat.serving.actions import variables

router = new_router("Environment variables")

_OF_PROJECT = "/projects/{project_name}/environment-variables"
_OF_MODEL = MODEL + "/environment-variables"
_OF_VERSION = VERSION + "/environment-variables"
_ID = "/{id}"


async def _variable_id(id: str) -> UUID:
    return to_variable_id(id)


VariableId = Annotated[UUID, Depends(_variable_id)]


@router.get(_OF_PROJECT, operation_id="project_environment_variables_list")
async def project_environment_variables_list(
    project_name: str, caller: SignedIn, tx: Tx
) -> list[EnvironmentVariableList]:
    """By name."""
    found = await variables.list_variables(tx, caller, project_name)
    return [to_variable_list(item.variable) for item in found]


@router.post(_OF_PROJECT, operation_id="project_environment_variables_create", status_code=201)
async def project_environment_variables_create(
    request: Request, project_name: str, caller: SignedIn, body: EnvironmentVariableCreate, tx: Tx
) -> EnvironmentVariableList:
    """Instances that it reaches are replaced."""
    request.state.engine.directory.distrust()
    made = await variables.create_variable(tx, caller, project_name, request.state.sealer, to_change(body))
    return to_variable_list(made)


@router.get(_OF_PROJECT + _ID, operation_id="project_environment_variables_get")
async def project_environment_variables_get(
    project_name: str, variable_id: VariableId, caller: SignedIn, tx: Tx
) -> EnvironmentVariableList:
    """One that is declared at this very level."""
    return to_variable_list(await variables.get_variable(tx, caller, project_name, variable_id))


@router.patch(_OF_PROJECT + _ID, operation_id="project_environment_variables_update")
async def project_environment_variables_update(
    request: Request,
    project_name: str,
    variable_id: VariableId,
    caller: SignedIn,
    body: EnvironmentVariableUpdate,
    tx: Tx,
) -> EnvironmentVariableList:
    """A secret stays secret; instances that it reaches are replaced."""
    request.state.engine.directory.distrust()
    change = (request.state.sealer, to_change(body))
    return to_variable_list(await variables.update_variable(tx, caller, project_name, variable_id, *change))


@router.delete(_OF_PROJECT + _ID, operation_id="project_environment_variables_delete", status_code=204)
async def project_environment_variables_delete(
    request: Request, project_name: str, variable_id: VariableId, caller: SignedIn, tx: Tx
) -> None:
    """Instances that it reached are replaced."""
    request.state.engine.directory.distrust()
    await variables.delete_variable(tx, caller, project_name, variable_id)


@router.get(_OF_MODEL, operation_id="model_environment_variables_list")
async def model_environment_variables_list(
    path: AtModel, caller: SignedIn, tx: Tx
) -> list[InheritedEnvironmentVariableList]:
    """By name, those from above included that are not hidden."""
    found = await variables.list_variables(tx, caller, path)
    return [to_inherited_list(item) for item in found]


@router.post(_OF_MODEL, operation_id="model_environment_variables_create", status_code=201)
async def model_environment_variables_create(
    request: Request, path: AtModel, caller: SignedIn, body: EnvironmentVariableCreate, tx: Tx
) -> EnvironmentVariableList:
    """Instances that it reaches are replaced."""
    request.state.engine.directory.distrust()
    made = await variables.create_variable(tx, caller, path, request.state.sealer, to_change(body))
    return to_variable_list(made)


@router.get(_OF_MODEL + _ID, operation_id="model_environment_variables_get")
async def model_environment_variables_get(
    path: AtModel, variable_id: VariableId, caller: SignedIn, tx: Tx
) -> EnvironmentVariableList:
    """One that is declared at this very level."""
    return to_variable_list(await variables.get_variable(tx, caller, path, variable_id))


@router.patch(_OF_MODEL + _ID, operation_id="model_environment_variables_update")
async def model_environment_variables_update(
    request: Request,
    path: AtModel,
    variable_id: VariableId,
    caller: SignedIn,
    body: EnvironmentVariableUpdate,
    tx: Tx,
) -> EnvironmentVariableList:
    """A secret stays secret; instances that it reaches are replaced."""
    request.state.engine.directory.distrust()
    change = (request.state.sealer, to_change(body))
    return to_variable_list(await variables.update_variable(tx, caller, path, variable_id, *change))


@router.delete(_OF_MODEL + _ID, operation_id="model_environment_variables_delete", status_code=204)
async def model_environment_variables_delete(
    request: Request, path: AtModel, variable_id: VariableId, caller: SignedIn, tx: Tx
) -> None:
    """Instances that it reached are replaced."""
    request.state.engine.directory.distrust()
    await variables.delete_variable(tx, caller, path, variable_id)


@router.get(_OF_VERSION, operation_id="model_version_environment_variables_list")
async def model_version_environment_variables_list(
    path: AtVersion, caller: SignedIn, tx: Tx
) -> list[InheritedEnvironmentVariableList]:
    """By name, those from above included that are not hidden."""
    found = await variables.list_variables(tx, caller, path)
    return [to_inherited_list(item) for item in found]


@router.post(_OF_VERSION, operation_id="model_version_environment_variables_create", status_code=201)
async def model_version_environment_variables_create(
    request: Request, path: AtVersion, caller: SignedIn, body: EnvironmentVariableCreate, tx: Tx
) -> EnvironmentVariableList:
    """Instances that it reaches are replaced."""
    request.state.engine.directory.distrust()
    made = await variables.create_variable(tx, caller, path, request.state.sealer, to_change(body))
    return to_variable_list(made)


@router.get(_OF_VERSION + _ID, operation_id="model_version_environment_variables_get")
async def model_version_environment_variables_get(
    path: AtVersion, variable_id: VariableId, caller: SignedIn, tx: Tx
) -> EnvironmentVariableList:
    """One that is declared at this very level."""
    return to_variable_list(await variables.get_variable(tx, caller, path, variable_id))


@router.patch(_OF_VERSION + _ID, operation_id="model_version_environment_variables_update")
async def model_version_environment_variables_update(
    request: Request,
    path: AtVersion,
    variable_id: VariableId,
    caller: SignedIn,
    body: EnvironmentVariableUpdate,
    tx: Tx,
) -> EnvironmentVariableList:
    """A secret stays secret; instances that it reaches are replaced."""
    request.state.engine.directory.distrust()
    change = (request.state.sealer, to_change(body))
    return to_variable_list(await variables.update_variable(tx, caller, path, variable_id, *change))


@router.delete(_OF_VERSION + _ID, operation_id="model_version_environment_variables_delete", status_code=204)
async def model_version_environment_variables_delete(
    request: Request, path: AtVersion, variable_id: VariableId, caller: SignedIn, tx: Tx
) -> None:
    """Instances that it reached are replaced."""
    request.state.engine.directory.distrust()
    await variables.delete_variable(tx, caller, path, variable_id)
