"""Credentials, connectors, and what each type of them takes."""

from fastapi import Request

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.connectors import (
    to_configuration_list,
    to_connector_change,
    to_connector_list,
    to_credentials_list,
    to_new_connector,
)
from quadrat.api.ubiops.schemas.connectors import (
    ConfigurationList,
    ConnectorCreate,
    ConnectorList,
    ConnectorUpdate,
    CredentialsCreate,
    CredentialsList,
    CredentialsUpdate,
)
from quadrat.api.wire import Tx
from quadrat.serving.actions import connectors
from quadrat.serving.rules.connectors import CATALOGUES

router = new_router("Connectors")

_CREDENTIALS = "/projects/{project_name}/credentials"
_CONNECTORS = "/projects/{project_name}/connectors"
_ONE_CREDENTIALS = _CREDENTIALS + "/{credentials_name}"
_ONE_CONNECTOR = _CONNECTORS + "/{connector_name}"


@router.get("/config/connectors", operation_id="configurations_list")
async def configurations_list(_caller: SignedIn) -> list[ConfigurationList]:
    """Every type of connector with the parameters of its own and of its credentials."""
    return [to_configuration_list(item) for item in CATALOGUES.values()]


@router.get(_CREDENTIALS, operation_id="credentials_list")
async def credentials_list(project_name: str, caller: SignedIn, tx: Tx) -> list[CredentialsList]:
    """By name; with roles on single credentials only, just those."""
    project, found = await connectors.list_credentials(tx, caller, project_name)
    return [to_credentials_list(project, item) for item in found]


@router.post(_CREDENTIALS, operation_id="credentials_create", status_code=201)
async def credentials_create(
    request: Request, project_name: str, caller: SignedIn, body: CredentialsCreate, tx: Tx
) -> CredentialsList:
    """They are verified in the background."""
    new, sealer = (body.name, body.type, body.configuration), request.state.sealer
    return to_credentials_list(*await connectors.create_credentials(tx, caller, project_name, sealer, new))


@router.get(_ONE_CREDENTIALS, operation_id="credentials_get")
async def credentials_get(project_name: str, credentials_name: str, caller: SignedIn, tx: Tx) -> CredentialsList:
    """One set of credentials; protected values are null."""
    return to_credentials_list(*await connectors.get_credentials(tx, caller, project_name, credentials_name))


@router.patch(_ONE_CREDENTIALS, operation_id="credentials_update")
async def credentials_update(
    request: Request, project_name: str, credentials_name: str, caller: SignedIn, body: CredentialsUpdate, tx: Tx
) -> CredentialsList:
    """New values are verified again, with every connector that uses them."""
    at, change = (project_name, credentials_name), (body.name, body.configuration)
    return to_credentials_list(*await connectors.update_credentials(tx, caller, at, request.state.sealer, change))


@router.delete(_ONE_CREDENTIALS, operation_id="credentials_delete", status_code=204)
async def credentials_delete(project_name: str, credentials_name: str, caller: SignedIn, tx: Tx) -> None:
    """Only while no connector uses them."""
    await connectors.delete_credentials(tx, caller, project_name, credentials_name)


@router.get(_CONNECTORS, operation_id="connectors_list")
async def connectors_list(project_name: str, caller: SignedIn, tx: Tx) -> list[ConnectorList]:
    """By name; with roles on single connectors only, just those."""
    project, found = await connectors.list_connectors(tx, caller, project_name)
    return [to_connector_list(project, item) for item in found]


@router.post(_CONNECTORS, operation_id="connectors_create", status_code=201)
async def connectors_create(project_name: str, caller: SignedIn, body: ConnectorCreate, tx: Tx) -> ConnectorList:
    """It is verified in the background."""
    return to_connector_list(*await connectors.create_connector(tx, caller, project_name, to_new_connector(body)))


@router.get(_ONE_CONNECTOR, operation_id="connectors_get")
async def connectors_get(project_name: str, connector_name: str, caller: SignedIn, tx: Tx) -> ConnectorList:
    """One connector, with its status and the reason for it."""
    return to_connector_list(*await connectors.get_connector(tx, caller, project_name, connector_name))


@router.patch(_ONE_CONNECTOR, operation_id="connectors_update")
async def connectors_update(
    project_name: str, connector_name: str, caller: SignedIn, body: ConnectorUpdate, tx: Tx
) -> ConnectorList:
    """All but another name verifies it again."""
    change = to_connector_change(body)
    return to_connector_list(*await connectors.update_connector(tx, caller, project_name, connector_name, change))


@router.delete(_ONE_CONNECTOR, operation_id="connectors_delete", status_code=204)
async def connectors_delete(project_name: str, connector_name: str, caller: SignedIn, tx: Tx) -> None:
    """Only while it is in no pipeline."""
    await connectors.delete_connector(tx, caller, project_name, connector_name)
