"""Rows of credentials and connectors."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import ProjectId
from quadrat.serving.connector_types import (
    Connector,
    ConnectorId,
    ConnectorType,
    Credentials,
    CredentialsId,
    Verification,
)
from quadrat.serving.store.pipelines import fields_of_connectors
from quadrat.serving.tables import connector, connector_field, credentials
from quadrat.serving.types import Field


async def insert_credentials(
    tx: AsyncConnection, project_id: ProjectId, uuid: UUID, name: str, values: Mapping[str, Any]
) -> CredentialsId | None:
    """Make credentials; None when the name is taken in their project.

    Args:
        tx: The transaction.
        project_id: Of the project.
        uuid: Of the credentials.
        name: Of the credentials.
        values: ``type``, ``open_values`` and ``sealed_values``.
    """
    made = (
        pg_insert(credentials)
        .values(uuid=uuid, project_id=project_id, name=name, status=Verification.PENDING, **values)
        .on_conflict_do_nothing(index_elements=["project_id", "name"])
        .returning(credentials.c.id)
    )
    found = (await tx.execute(made)).scalar_one_or_none()
    return None if found is None else CredentialsId(found)


async def find_credentials(
    tx: AsyncConnection, project_id: ProjectId, name: str, *, lock: bool = False
) -> Credentials | None:
    """The credentials of this name; with `lock`, no one else changes or deletes them until the transaction ends."""
    query = _select_credentials().where(credentials.c.project_id == project_id, credentials.c.name == name)
    found = await _load_credentials(tx, query.with_for_update() if lock else query)
    return found[0] if found else None


async def get_credentials(tx: AsyncConnection, credentials_id: CredentialsId) -> Credentials | None:
    """Credentials by their number."""
    found = await _load_credentials(tx, _select_credentials().where(credentials.c.id == credentials_id))
    return found[0] if found else None


async def list_credentials(
    tx: AsyncConnection, project_id: ProjectId, only: Collection[UUID] | None = None
) -> Sequence[Credentials]:
    """The credentials of a project by name; with `only`, those of them with these UUIDs."""
    query = _select_credentials().where(credentials.c.project_id == project_id).order_by(credentials.c.name)
    if only is not None:
        query = query.where(credentials.c.uuid.in_(only))
    return await _load_credentials(tx, query)


async def rename_credentials(tx: AsyncConnection, credentials_id: CredentialsId, name: str) -> None:
    """Give credentials another name.

    Raises:
        QuadratError: already_exists.
    """
    async with refuse_taken(tx, f"There are credentials {name} in this project already.", field="name"):
        await tx.execute(
            update(credentials)
            .where(credentials.c.id == credentials_id)
            .values(name=name, updated_at=func.clock_timestamp())
        )


async def set_credentials_values(
    tx: AsyncConnection, credentials_id: CredentialsId, open_values: Mapping[str, str], sealed_values: bytes
) -> None:
    """Replace all values."""
    await tx.execute(
        update(credentials)
        .where(credentials.c.id == credentials_id)
        .values(open_values=dict(open_values), sealed_values=sealed_values, updated_at=func.clock_timestamp())
    )


async def begin_credentials_check(tx: AsyncConnection, credentials_id: CredentialsId) -> int:
    """Count one verification more and give its number; results of earlier ones no longer count."""
    statement = (
        update(credentials)
        .where(credentials.c.id == credentials_id)
        .values(check_number=credentials.c.check_number + 1, status=Verification.PENDING, error_message="")
        .returning(credentials.c.check_number)
    )
    return (await tx.execute(statement)).scalar_one()


async def end_credentials_check(
    tx: AsyncConnection, credentials_id: CredentialsId, number: int, status: Verification, error_message: str
) -> None:
    """Note how a verification ended, while it is the newest."""
    await tx.execute(
        update(credentials)
        .where(credentials.c.id == credentials_id, credentials.c.check_number == number)
        .values(status=status, error_message=error_message)
    )


async def delete_credentials(tx: AsyncConnection, credentials_id: CredentialsId) -> None:
    """Remove credentials that no connector uses."""
    await tx.execute(delete(credentials).where(credentials.c.id == credentials_id))


# Connectors.


async def insert_connector(
    tx: AsyncConnection, project_id: ProjectId, uuid: UUID, name: str, values: Mapping[str, Any]
) -> ConnectorId | None:
    """Make a connector without fields; None when the name is taken in its project.

    Args:
        tx: The transaction.
        project_id: Of the project.
        uuid: Of the connector.
        name: Of the connector.
        values: ``type``, ``credentials_id`` and ``configuration``.
    """
    made = (
        pg_insert(connector)
        .values(uuid=uuid, project_id=project_id, name=name, status=Verification.PENDING, **values)
        .on_conflict_do_nothing(index_elements=["project_id", "name"])
        .returning(connector.c.id)
    )
    found = (await tx.execute(made)).scalar_one_or_none()
    return None if found is None else ConnectorId(found)


async def find_connector(
    tx: AsyncConnection, project_id: ProjectId, name: str, *, lock: bool = False
) -> Connector | None:
    """The connector of this name; with `lock`, no one else changes or deletes it until the transaction ends."""
    query = _select_connectors().where(connector.c.project_id == project_id, connector.c.name == name)
    found = await _load_connectors(tx, query.with_for_update(of=connector) if lock else query)
    return found[0] if found else None


async def get_connector(tx: AsyncConnection, connector_id: ConnectorId) -> Connector | None:
    """A connector by its number."""
    found = await _load_connectors(tx, _select_connectors().where(connector.c.id == connector_id))
    return found[0] if found else None


async def list_connectors(
    tx: AsyncConnection, project_id: ProjectId, only: Collection[UUID] | None = None
) -> Sequence[Connector]:
    """The connectors of a project by name; with `only`, those of them with these UUIDs."""
    query = _select_connectors().where(connector.c.project_id == project_id).order_by(connector.c.name)
    if only is not None:
        query = query.where(connector.c.uuid.in_(only))
    return await _load_connectors(tx, query)


async def list_connectors_with(tx: AsyncConnection, credentials_id: CredentialsId) -> Sequence[ConnectorId]:
    """Connectors that use these credentials."""
    query = select(connector.c.id).where(connector.c.credentials_id == credentials_id).order_by(connector.c.id)
    return [ConnectorId(id_) for id_ in (await tx.execute(query)).scalars()]


async def update_connector(tx: AsyncConnection, connector_id: ConnectorId, values: Mapping[str, Any]) -> None:
    """Set ``name``, ``credentials_id`` or ``configuration``.

    Raises:
        QuadratError: already_exists.
    """
    async with refuse_taken(tx, "There is a connector with this name in the project already.", field="name"):
        await tx.execute(
            update(connector).where(connector.c.id == connector_id).values(updated_at=func.clock_timestamp(), **values)
        )


async def set_connector_fields(tx: AsyncConnection, connector_id: ConnectorId, fields: Sequence[Field]) -> None:
    """Replace the fields of a connector."""
    await tx.execute(delete(connector_field).where(connector_field.c.connector_id == connector_id))
    rows = [
        {"connector_id": connector_id, "position": position, "name": field.name, "type": field.type}
        for position, field in enumerate(fields)
    ]
    await tx.execute(insert(connector_field), rows)


async def begin_connector_check(tx: AsyncConnection, connector_id: ConnectorId) -> int:
    """Count one verification more and give its number; results of earlier ones no longer count."""
    statement = (
        update(connector)
        .where(connector.c.id == connector_id)
        .values(check_number=connector.c.check_number + 1, status=Verification.PENDING, error_message="")
        .returning(connector.c.check_number)
    )
    return (await tx.execute(statement)).scalar_one()


async def end_connector_check(
    tx: AsyncConnection, connector_id: ConnectorId, number: int, status: Verification, error_message: str
) -> None:
    """Note how a verification ended, while it is the newest."""
    await tx.execute(
        update(connector)
        .where(connector.c.id == connector_id, connector.c.check_number == number)
        .values(status=status, error_message=error_message)
    )


async def delete_connector(tx: AsyncConnection, connector_id: ConnectorId) -> None:
    """Remove a connector that no pipeline uses."""
    await tx.execute(delete(connector).where(connector.c.id == connector_id))


def _select_credentials() -> Select[*tuple[Any, ...]]:
    count = (
        select(func.count(connector.c.id))
        .where(connector.c.credentials_id == credentials.c.id)
        .correlate(credentials)
        .scalar_subquery()
    )
    return select(
        credentials.c.id,
        credentials.c.uuid,
        credentials.c.project_id,
        credentials.c.name,
        credentials.c.type,
        credentials.c.open_values,
        credentials.c.sealed_values,
        credentials.c.status,
        credentials.c.error_message,
        credentials.c.check_number,
        count,
        credentials.c.created_at,
        credentials.c.updated_at,
    )


async def _load_credentials(tx: AsyncConnection, query: Select[*tuple[Any, ...]]) -> list[Credentials]:
    return [_to_credentials(row) for row in await tx.execute(query)]


def _to_credentials(row: Sequence[Any]) -> Credentials:
    id_, uuid, project_id, name, type_, shown, sealed, status, error_message, number, count = row[:11]
    created_at, updated_at = row[11:]
    return Credentials(
        CredentialsId(id_),
        uuid,
        ProjectId(project_id),
        name,
        ConnectorType(type_),
        shown,
        sealed,
        Verification(status),
        error_message,
        number,
        count,
        created_at,
        updated_at,
    )


def _select_connectors() -> Select[*tuple[Any, ...]]:
    return select(
        connector.c.id,
        connector.c.uuid,
        connector.c.project_id,
        connector.c.name,
        connector.c.type,
        connector.c.credentials_id,
        credentials.c.name,
        connector.c.configuration,
        connector.c.status,
        connector.c.error_message,
        connector.c.check_number,
        connector.c.created_at,
        connector.c.updated_at,
    ).join(credentials, credentials.c.id == connector.c.credentials_id)


async def _load_connectors(tx: AsyncConnection, query: Select[*tuple[Any, ...]]) -> list[Connector]:
    rows = (await tx.execute(query)).all()
    fields = await fields_of_connectors(tx, [row[0] for row in rows])
    return [_to_connector(row, fields[row[0]]) for row in rows]


def _to_connector(row: Sequence[Any], fields: tuple[Field, ...]) -> Connector:
    id_, uuid, project_id, name, type_, credentials_id, credentials_name, configuration, status = row[:9]
    error_message, number, created_at, updated_at = row[9:]
    return Connector(
        ConnectorId(id_),
        uuid,
        ProjectId(project_id),
        name,
        ConnectorType(type_),
        CredentialsId(credentials_id),
        credentials_name,
        configuration,
        fields,
        Verification(status),
        error_message,
        number,
        created_at,
        updated_at,
    )
