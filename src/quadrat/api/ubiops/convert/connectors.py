"""Credentials and connectors between the wire and the house."""

from collections.abc import Sequence

from quadrat.api.ubiops.convert.models import to_fields, to_wire_fields
from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.connectors import (
    ConfigurationList,
    ConfigurationParameter,
    ConnectorCreate,
    ConnectorList,
    ConnectorUpdate,
    CredentialsList,
)
from quadrat.identity.types import Project
from quadrat.serving.actions.connectors import ConnectorChange, NewConnector
from quadrat.serving.connector_types import Catalogue, Connector, Credentials, Parameter
from quadrat.serving.rules.connectors import CATALOGUES
from quadrat.serving.types import DataKind, Signature


def to_credentials_list(project: Project, found: Credentials) -> CredentialsList:
    """Credentials, alone and in a list; what is protected stays unsaid."""
    return CredentialsList(
        id=str(found.uuid),
        name=found.name,
        project=project.name,
        type=found.type,
        status=found.status,
        error_message=found.error_message,
        reference_count=found.reference_count,
        configuration={
            item.name: found.open_values.get(item.name)
            for item in CATALOGUES[found.type].credentials
            if item.is_protected or item.name in found.open_values
        },
        creation_date=to_utc(found.created_at),
        last_updated=to_utc(found.updated_at),
    )


def to_new_connector(body: ConnectorCreate) -> NewConnector:
    """A connector to be made."""
    fields = None if body.input_fields is None else to_fields(body.input_fields)
    return NewConnector(body.name, body.type, body.credentials, body.configuration, fields)


def to_connector_change(body: ConnectorUpdate) -> ConnectorChange:
    """Null counts as left out."""
    fields = None if body.input_fields is None else to_fields(body.input_fields)
    return ConnectorChange(body.name, body.credentials, body.configuration, fields)


def to_connector_list(project: Project, found: Connector) -> ConnectorList:
    """A connector, alone and in a list."""
    return ConnectorList(
        id=str(found.uuid),
        name=found.name,
        type=found.type,
        input_type=CATALOGUES[found.type].kind,
        status=found.status,
        error_message=found.error_message,
        project=project.name,
        credentials=found.credentials_name,
        configuration=dict(found.configuration),
        input_fields=to_wire_fields(Signature(DataKind.STRUCTURED, found.fields)),
        creation_date=to_utc(found.created_at),
        last_updated=to_utc(found.updated_at),
    )


def to_configuration_list(catalogue: Catalogue) -> ConfigurationList:
    """What one type of connector takes."""
    return ConfigurationList(
        connector=catalogue.type,
        connector_type=catalogue.kind,
        connector_configuration=_to_parameters(catalogue.connector),
        credentials_configuration=_to_parameters(catalogue.credentials),
    )


def _to_parameters(parameters: Sequence[Parameter]) -> list[ConfigurationParameter]:
    return [
        ConfigurationParameter(
            parameter=item.name,
            name=item.title,
            description=item.description,
            input_field=item.input_field,
            default=item.default,
            protected=item.is_protected,
            regex=item.regex,
        )
        for item in parameters
    ]
