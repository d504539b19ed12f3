"""Credentials and connectors, as the rest of Quadrat passes them around."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from quadrat.identity.types import ProjectId
from quadrat.serving.types import Field

CredentialsId = NewType("CredentialsId", int)
ConnectorId = NewType("ConnectorId", int)

BLOB_FIELD = "blob"
"""The one field of a blob connector."""

MESSAGE_ID_COLUMN = "quadrat_message_id"
"""A table with a unique column of this name gets each row once, whatever is lost on the way."""


class ConnectorType(StrEnum):
    """Where a connector writes."""

    AWS_S3 = "aws_s3"
    GCP_CLOUD_STORAGE = "gcp_cloud_storage"
    AZURE_BLOB_STORAGE = "azure_blob_storage"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    AWS_KINESIS = "aws_kinesis"
    GCP_BIGQUERY = "gcp_bigquery"


class ConnectorKind(StrEnum):
    """Whether rows or files are written."""

    STRUCTURED = "structured"
    BLOB = "blob"


class Verification(StrEnum):
    """Whether a connection has been tried."""

    PENDING = "pending_verification"
    AVAILABLE = "available"
    FAILED = "failed_verification"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting of a type of connector or credentials.

    Args:
        name: Key in a configuration.
        title: For people.
        description: For people.
        default: None when it must be given.
        is_protected: Sealed at rest and never shown.
        regex: What a whole value must match.
        input_field: How a page asks for it.
    """

    name: str
    title: str
    description: str
    default: str | None = None
    is_protected: bool = False
    regex: str = r"[\s\S]{1,1024}"
    input_field: str = "text"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a type of connector takes."""

    type: ConnectorType
    kind: ConnectorKind
    credentials: tuple[Parameter, ...]
    connector: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens a place.

    Args:
        open_values: Parameters that may be shown.
        sealed_values: Protected parameters as one sealed JSON object.
        check: Number of the newest verification that was asked for; results of older ones are dropped.
    """

    id: CredentialsId
    uuid: UUID
    project_id: ProjectId
    name: str
    type: ConnectorType
    open_values: Mapping[str, str]
    sealed_values: bytes = field(repr=False)
    status: Verification
    error_message: str
    check: int
    reference_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Connector:
    """A place that pipelines write to.

    Args:
        credentials_name: Of its credentials.
        configuration: Its own parameters; none of them is secret.
        fields: Columns; the one field ``blob`` of a blob connector.
        check: As in `Credentials`.
    """

    id: ConnectorId
    uuid: UUID
    project_id: ProjectId
    name: str
    type: ConnectorType
    credentials_id: CredentialsId
    credentials_name: str
    configuration: Mapping[str, str]
    fields: tuple[Field, ...]
    status: Verification
    error_message: str
    check: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """What it takes to write to a connector, its secrets opened. Never stored, never logged.

    Args:
        values: Parameters of credentials and connector.
        fields: Columns, or the one blob.
    """

    type: ConnectorType
    values: Mapping[str, str] = field(repr=False)
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to a connector.

    Args:
        id: Of the message; the same in every attempt.
        data: The row, or ``{"blob": id}``, as JSON text.
        attempt: How often it has been claimed, this time included.
    """

    id: UUID
    connector_id: ConnectorId
    pipeline_id: int | None
    object_id: int | None
    object_name: str
    pipeline_request_id: UUID
    data: bytes
    attempt: int
    created_at: datetime
