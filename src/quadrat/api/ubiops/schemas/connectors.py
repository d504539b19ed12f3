"""Wire models of credentials, connectors and what they take."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from quadrat.api.ubiops.schemas.models import ModelField


class CredentialsCreate(BaseModel):
    """Credentials to be made."""

    name: str
    type: str
    configuration: dict[str, Any]


class CredentialsUpdate(BaseModel):
    """What changes; keys of the configuration that are left out or null stay."""

    name: str | None = None
    configuration: dict[str, Any] | None = None


class CredentialsList(BaseModel):
    """Credentials; protected values are null."""

    id: str
    name: str
    project: str
    type: str
    status: str
    error_message: str
    reference_count: int
    configuration: dict[str, str | None]
    creation_date: datetime
    last_updated: datetime


class ConnectorCreate(BaseModel):
    """A connector to be made; a blob connector has no fields of its own."""

    name: str
    type: str
    credentials: str
    configuration: dict[str, Any]
    input_fields: list[ModelField] | None = None


class ConnectorUpdate(BaseModel):
    """What changes; keys of the configuration that are left out or null stay, fields are replaced."""

    name: str | None = None
    credentials: str | None = None
    configuration: dict[str, Any] | None = None
    input_fields: list[ModelField] | None = None


class ConnectorList(BaseModel):
    """A connector."""

    id: str
    name: str
    type: str
    input_type: str
    status: str
    error_message: str
    project: str
    credentials: str
    configuration: dict[str, str | None]
    input_fields: list[ModelField]
    creation_date: datetime
    last_updated: datetime


class ConfigurationParameter(BaseModel):
    """One parameter of a configuration."""

    parameter: str
    name: str
    description: str
    input_field: str
    default: str | None
    protected: bool
    regex: str


class ConfigurationList(BaseModel):
    """What one type of connector takes."""

    connector: str
    connector_type: str
    connector_configuration: list[ConfigurationParameter]
    credentials_configuration: list[ConfigurationParameter]
