"""Credentials and connectors: made, read, changed, removed, and verified by jobs.

Rows are locked in one order, so that no two changes wait for each other: credentials, connectors, pipelines.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.base.sealing import Sealer
from quadrat.base.slugs import is_slug
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import ProjectRef, access_to, open_list, open_project, require
from quadrat.identity.actions.roles import forget_object
from quadrat.identity.types import Access, Caller, ObjectType, Project, ProjectId, Target
from quadrat.jobs.actions import enqueue
from quadrat.serving.actions.limits import claim_resource
from quadrat.serving.connector_types import Connector, ConnectorId, ConnectorSpec, ConnectorType, Credentials
from quadrat.serving.pipeline_types import Graph
from quadrat.serving.rules.connectors import CATALOGUES, check_configuration, check_fields, check_type
from quadrat.serving.rules.models import check_name
from quadrat.serving.rules.pipelines import check_graph
from quadrat.serving.signals import announce_deliveries, announce_pipelines
from quadrat.serving.store import connectors as store
from quadrat.serving.store import pipelines as pipeline_store
from quadrat.serving.store.sealed import CREDENTIALS
from quadrat.serving.types import Field

VERIFY_CONNECTOR = "serving.verify_connector"
VERIFY_CREDENTIALS = "serving.verify_credentials"


@dataclass(frozen=True, slots=True)
class NewConnector:
    """What is asked for, not checked yet."""

    name: str
    type: str
    credentials: str
    configuration: Mapping[str, Any]
    input_fields: Sequence[Field] | None


@dataclass(frozen=True, slots=True)
class ConnectorChange:
    """What changes; None leaves as it is. Given keys of the configuration replace the old ones, fields all of them."""

    name: str | None
    credentials: str | None
    configuration: Mapping[str, Any] | None
    input_fields: Sequence[Field] | None


# Credentials.


async def create_credentials(
    tx: AsyncConnection,
    caller: Caller,
    project: ProjectRef,
    sealer: Sealer,
    new: tuple[str, str, Mapping[str, Any]],
) -> tuple[Project, Credentials]:
    """Store credentials and have them verified.

    Args:
        tx: The transaction.
        caller: Who asks.
        project: Where.
        sealer: Seals what is secret.
        new: (name, type, configuration), not checked yet.

    Raises:
        QuadratError: not_found, forbidden, invalid; already_exists when the name is taken.
    """
    opened = await open_project(tx, caller, project, "credentials.create")
    name, type_, configuration = check_name(new[0], field="name"), check_type(new[1]), new[2]
    values = check_configuration(CATALOGUES[type_].credentials, configuration)
    uuid = new_uuid()
    shown, sealed = _split(sealer, type_, uuid, values)
    columns = {"type": type_, "open_values": shown, "sealed_values": sealed}
    if await store.insert_credentials(tx, opened.id, uuid, name, columns) is None:
        raise QuadratError(
            ErrorKind.ALREADY_EXISTS, f"There are credentials {name} in this project already.", field="name"
        )
    await _verify_credentials(tx, opened.id, await _read_credentials(tx, opened, name))
    return opened, await _read_credentials(tx, opened, name)


async def get_credentials(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str
) -> tuple[Project, Credentials]:
    """One set of credentials.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await _open_credentials(tx, caller, project, name, "credentials.get")


async def list_credentials(
    tx: AsyncConnection, caller: Caller, project: ProjectRef
) -> tuple[Project, Sequence[Credentials]]:
    """The credentials of a project that the caller may list, by name.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened, only = await open_list(tx, caller, project, "credentials.list", ObjectType.CREDENTIALS)
    return opened, await store.list_credentials(tx, opened.id, only)


async def update_credentials(
    tx: AsyncConnection,
    caller: Caller,
    at: tuple[ProjectRef, str],
    sealer: Sealer,
    change: tuple[str | None, Mapping[str, Any] | None],
) -> tuple[Project, Credentials]:
    """Rename credentials, or change some of their values, which verifies them and their connectors again.

    Args:
        tx: The transaction.
        caller: Who asks.
        at: Project and name.
        sealer: Seals what is secret, and opens what stays.
        change: (new name, values that change); None leaves as it is.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    project, found = await _open_credentials(tx, caller, *at, "credentials.update", lock=True)
    new_name, changes = change
    name = found.name if new_name is None else check_name(new_name, field="name")
    if name != found.name:
        await store.rename_credentials(tx, found.id, name)
    if changes is not None:
        kept = open_values(sealer, found)
        values = check_configuration(CATALOGUES[found.type].credentials, {**kept, **_without_null(changes)})
        if values != kept:
            await store.set_credentials_values(tx, found.id, *_split(sealer, found.type, found.uuid, values))
            await _verify_credentials(tx, project.id, found)
            for connector_id in await store.list_connectors_with(tx, found.id):
                await _verify_connector(tx, project.id, connector_id)
    return project, await _read_credentials(tx, project, name)


async def delete_credentials(tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str) -> None:
    """Remove credentials.

    Raises:
        QuadratError: not_found, forbidden; wrong_state while a connector uses them.
    """
    opened, found = await _open_credentials(tx, caller, project, name, "credentials.delete", lock=True)
    if await store.list_connectors_with(tx, found.id):
        raise QuadratError(
            ErrorKind.WRONG_STATE, f"Credentials {name} are used by a connector: change or delete that first."
        )
    await store.delete_credentials(tx, found.id)
    await forget_object(tx, opened.id, Target(ObjectType.CREDENTIALS, found.uuid))


# Connectors.


async def create_connector(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, new: NewConnector
) -> tuple[Project, Connector]:
    """Make a connector and have it verified.

    Raises:
        QuadratError: not_found, forbidden, invalid; already_exists when the name is taken.
    """
    opened = await open_project(tx, caller, project, "connectors.create")
    name, type_ = check_name(new.name, field="name"), check_type(new.type)
    fields = check_fields(type_, new.input_fields)
    credentials = await _suitable_credentials(tx, opened, new.credentials, type_)
    values = {
        "type": type_,
        "credentials_id": credentials.id,
        "configuration": check_configuration(CATALOGUES[type_].connector, new.configuration),
    }
    await claim_resource(tx, opened)
    connector_id = await store.insert_connector(tx, opened.id, new_uuid(), name, values)
    if connector_id is None:
        raise QuadratError(
            ErrorKind.ALREADY_EXISTS, f"There is a connector {name} in this project already.", field="name"
        )
    await store.set_connector_fields(tx, connector_id, fields)
    await _verify_connector(tx, opened.id, connector_id)
    return opened, await _read_connector(tx, opened, name)


async def get_connector(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str
) -> tuple[Project, Connector]:
    """One connector.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await _open_connector(tx, caller, project, name, "connectors.get")


async def list_connectors(
    tx: AsyncConnection, caller: Caller, project: ProjectRef
) -> tuple[Project, Sequence[Connector]]:
    """The connectors of a project that the caller may list, by name.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened, only = await open_list(tx, caller, project, "connectors.list", ObjectType.CONNECTOR)
    return opened, await store.list_connectors(tx, opened.id, only)


async def update_connector(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, current_name: str, change: ConnectorChange
) -> tuple[Project, Connector]:
    """Change a connector; all but another name verifies it again. Other fields must fit where pipelines use it.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    opened, found = await _open_connector(tx, caller, project, current_name, "connectors.update")
    credentials_id = found.credentials_id
    if change.credentials is not None:
        credentials_id = (await _suitable_credentials(tx, opened, change.credentials, found.type)).id
    opened, found = await _open_connector(tx, caller, project, current_name, "connectors.update", lock=True)
    values: dict[str, Any] = {
        "name": found.name if change.name is None else check_name(change.name, field="name"),
        "credentials_id": found.credentials_id if change.credentials is None else credentials_id,
        "configuration": dict(found.configuration),
    }
    if change.configuration is not None:
        merged = {**found.configuration, **_without_null(change.configuration)}
        values["configuration"] = check_configuration(CATALOGUES[found.type].connector, merged)
    fields = found.fields if change.input_fields is None else check_fields(found.type, change.input_fields)
    await store.update_connector(tx, found.id, values)
    if fields != found.fields:
        await store.set_connector_fields(tx, found.id, fields)
        await _refuse_broken_pipelines(tx, opened.id, found.id)
    same = (values["credentials_id"], values["configuration"], fields)
    if same != (found.credentials_id, found.configuration, found.fields):
        await _verify_connector(tx, opened.id, found.id)
    await announce_pipelines(tx)
    return opened, await _read_connector(tx, opened, values["name"])


async def delete_connector(tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str) -> None:
    """Remove a connector, and the messages that wait for it.

    Raises:
        QuadratError: not_found, forbidden; wrong_state while it is in a pipeline.
    """
    opened, found = await _open_connector(tx, caller, project, name, "connectors.delete", lock=True)
    users = await pipeline_store.list_pipelines_with(tx, connector_id=found.id)
    if users:
        raise QuadratError(ErrorKind.WRONG_STATE, f"Connector {name} is in pipeline {users[0]}: take it out first.")
    await store.delete_connector(tx, found.id)
    await forget_object(tx, opened.id, Target(ObjectType.CONNECTOR, found.uuid))
    await announce_deliveries(tx, found.id)


# What writing and verifying need.


def open_values(sealer: Sealer, credentials: Credentials) -> dict[str, str]:
    """All values of credentials, the secret ones opened.

    Raises:
        SealError: They were sealed under a key that is not here.
    """
    secret: dict[str, str] = json.loads(sealer.open(credentials.sealed_values, CREDENTIALS.context(credentials.uuid)))
    return {**credentials.open_values, **secret}


async def find_spec(
    tx: AsyncConnection, sealer: Sealer, connector_id: ConnectorId
) -> tuple[Connector, ConnectorSpec] | None:
    """A connector with all that writing to it takes."""
    found = await store.get_connector(tx, connector_id)
    if found is None:
        return None
    credentials = await store.get_credentials(tx, found.credentials_id)
    assert credentials is not None  # noqa: S101 - a foreign key holds them
    values = {**open_values(sealer, credentials), **found.configuration}
    return found, ConnectorSpec(found.type, values, found.fields)


async def _verify_credentials(tx: AsyncConnection, project_id: ProjectId, found: Credentials) -> None:
    number = await store.begin_credentials_check(tx, found.id)
    await enqueue(tx, VERIFY_CREDENTIALS, {"credentials_id": found.id, "number": number}, project_id=project_id)


async def _verify_connector(tx: AsyncConnection, project_id: ProjectId, connector_id: ConnectorId) -> None:
    number = await store.begin_connector_check(tx, connector_id)
    await enqueue(tx, VERIFY_CONNECTOR, {"connector_id": connector_id, "number": number}, project_id=project_id)
    await announce_deliveries(tx, connector_id)


async def _suitable_credentials(tx: AsyncConnection, project: Project, name: str, type_: ConnectorType) -> Credentials:
    # Held until this commits, so that nobody deletes them before they are in use.
    found = await store.find_credentials(tx, project.id, name, lock=True) if is_slug(name) else None
    if found is None:
        raise QuadratError(ErrorKind.INVALID, f"Credentials {name} do not exist in this project.", field="credentials")
    if found.type is not type_:
        raise QuadratError(
            ErrorKind.INVALID, f"Credentials {name} are for {found.type}, not for {type_}.", field="credentials"
        )
    return found


async def _refuse_broken_pipelines(tx: AsyncConnection, project_id: ProjectId, connector_id: ConnectorId) -> None:
    for name in await pipeline_store.list_pipelines_with(tx, connector_id=connector_id):
        pipeline = await pipeline_store.find_pipeline(tx, project_id, name, lock=True)
        if pipeline is None:
            continue
        graph: Graph = await pipeline_store.read_graph(tx, pipeline)
        try:
            check_graph(graph)
        except QuadratError as error:
            raise QuadratError(
                ErrorKind.INVALID, f"The fields do not fit pipeline {name}: {error.message}", field="input_fields"
            ) from error


def _split(sealer: Sealer, type_: ConnectorType, uuid: UUID, values: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    protected = {item.name for item in CATALOGUES[type_].credentials if item.is_protected}
    shown = {name: value for name, value in values.items() if name not in protected}
    secret = {name: value for name, value in values.items() if name in protected}
    return shown, sealer.seal(json.dumps(secret), CREDENTIALS.context(uuid))


def _without_null(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What was really changed: protected values come back as null from whoever sends what was shown."""
    return {name: value for name, value in changes.items() if value is not None}


def _require(
    caller: Caller, access: Access, permission: str, target: tuple[ObjectType, Credentials | Connector | None]
) -> None:
    type_, found = target
    require(caller, access, permission, None if found is None else Target(type_, found.uuid))


async def _open_credentials(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str, permission: str, *, lock: bool = False
) -> tuple[Project, Credentials]:
    access = await access_to(tx, caller, project)
    found = await store.find_credentials(tx, access.project.id, name, lock=lock) if is_slug(name) else None
    _require(caller, access, permission, (ObjectType.CREDENTIALS, found))
    if found is None:
        raise QuadratError(
            ErrorKind.NOT_FOUND, f"Credentials {name} do not exist in this project.", field="credentials"
        )
    return access.project, found


async def _open_connector(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str, permission: str, *, lock: bool = False
) -> tuple[Project, Connector]:
    access = await access_to(tx, caller, project)
    found = await store.find_connector(tx, access.project.id, name, lock=lock) if is_slug(name) else None
    _require(caller, access, permission, (ObjectType.CONNECTOR, found))
    if found is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Connector {name} does not exist in this project.", field="connector")
    return access.project, found


async def _read_credentials(tx: AsyncConnection, project: Project, name: str) -> Credentials:
    found = await store.find_credentials(tx, project.id, name)
    assert found is not None  # noqa: S101 - written in this transaction
    return found


async def _read_connector(tx: AsyncConnection, project: Project, name: str) -> Connector:
    found = await store.find_connector(tx, project.id, name)
    assert found is not None  # noqa: S101 - written in this transaction
    return found
