"""What connectors and credentials of each type take. Pure.

Source: spec of the serving API, section 3.13.
"""

import re
from collections.abc import Mapping, Sequence

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.connector_types import (
    BLOB_FIELD,
    MESSAGE_ID_COLUMN,
    Catalogue,
    ConnectorKind,
    ConnectorType,
    Parameter,
)
from quadrat.serving.rules.models import check_signature
from quadrat.serving.types import DataKind, Field, FieldType

MAX_ERROR_MESSAGE = 500
_NAME = r"[^\x00\n\r]{1,128}"
_BUCKET = r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,221}"
_PREFIX = r"[^\x00\n\r]{0,512}"
_PORT = r"[1-9][0-9]{0,4}"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252})|\[?[0-9A-Fa-f:.]{2,45}\]?"
_LONG = r"[^\x00]{1,16384}"

_ENDPOINT = Parameter(
    "endpoint",
    "Endpoint",
    "Address of a compatible service, such as https://minio.example.org; empty for the vendor's own",
    default="",
    regex=r"(https?://[^\s/?#@]+/?)?",
)
_AWS = (
    Parameter("access_key", "Access key", "Id of the access key", is_protected=True, regex=r"[\x21-\x7e]{1,128}"),
    Parameter(
        "secret_key",
        "Secret key",
        "Secret of the access key",
        is_protected=True,
        regex=r"[\x21-\x7e]{1,256}",
        input_field="password",
    ),
    Parameter("region", "Region", "Region, e.g. eu-central-1", regex=r"[a-z0-9-]{1,32}"),
    _ENDPOINT,
)
_GCP = (
    Parameter(
        "json_key_file",
        "JSON key file",
        "Content of the key file of a service account",
        is_protected=True,
        regex=_LONG,
        input_field="textarea",
    ),
    _ENDPOINT,
)
_PATH_PREFIX = Parameter(
    "path_prefix", "Path prefix", "Folder in which files are written; may be empty", default="", regex=_PREFIX
)
_TABLE = Parameter("table", "Table", "Table into which rows are written", regex=_NAME)


def _account(port: str) -> tuple[Parameter, ...]:
    return (
        Parameter("username", "User name", "User of the database", regex=_NAME),
        Parameter(
            "password", "Password", "Password of the user", is_protected=True, regex=_LONG, input_field="password"
        ),
        Parameter("host", "Host", "Name or address of the server", regex=_HOST),
        Parameter("port", "Port", "Port of the server", default=port, regex=_PORT, input_field="number"),
    )


_SOCKET = r"/[^\x00\n\r]{1,100}"
_POSTGRESQL = tuple(
    Parameter(
        item.name,
        item.title,
        "Name or address of the server, or the folder of its socket on this machine",
        regex=f"{_HOST}|{_SOCKET}",
    )
    if item.name == "host"
    else item
    for item in _account("5432")
)
_DATABASE = Parameter("database", "Database", "Database in which the table is", regex=_NAME)

CATALOGUES: Mapping[ConnectorType, Catalogue] = {
    item.type: item
    for item in (
        Catalogue(
            ConnectorType.AWS_S3,
            ConnectorKind.BLOB,
            _AWS,
            (Parameter("bucket", "Bucket", "Name of the bucket", regex=_BUCKET), _PATH_PREFIX),
        ),
        Catalogue(
            ConnectorType.GCP_CLOUD_STORAGE,
            ConnectorKind.BLOB,
            _GCP,
            (Parameter("bucket", "Bucket", "Name of the bucket", regex=_BUCKET), _PATH_PREFIX),
        ),
        Catalogue(
            ConnectorType.AZURE_BLOB_STORAGE,
            ConnectorKind.BLOB,
            (
                Parameter(
                    "connection_string",
                    "Connection string",
                    "Connection string of the storage account",
                    is_protected=True,
                    regex=_LONG,
                    input_field="password",
                ),
            ),
            (Parameter("container", "Container", "Name of the container", regex=_BUCKET), _PATH_PREFIX),
        ),
        Catalogue(
            ConnectorType.POSTGRESQL,
            ConnectorKind.STRUCTURED,
            _POSTGRESQL,
            (
                _DATABASE,
                Parameter("schema", "Schema", "Schema in which the table is", default="public", regex=_NAME),
                _TABLE,
            ),
        ),
        Catalogue(ConnectorType.MYSQL, ConnectorKind.STRUCTURED, _account("3306"), (_DATABASE, _TABLE)),
        Catalogue(
            ConnectorType.AWS_KINESIS,
            ConnectorKind.STRUCTURED,
            _AWS,
            (Parameter("stream", "Stream", "Name of the stream", regex=r"[a-zA-Z0-9_.-]{1,128}"),),
        ),
        Catalogue(
            ConnectorType.GCP_BIGQUERY,
            ConnectorKind.STRUCTURED,
            _GCP,
            (
                Parameter("dataset", "Dataset", "Name of the dataset", regex=r"[A-Za-z0-9_]{1,1024}"),
                Parameter("table", "Table", "Table into which rows are written", regex=r"[^\x00\n\r/.]{1,1024}"),
            ),
        ),
    )
}


def check_type(text: str) -> ConnectorType:
    """A type that exists.

    Raises:
        QuadratError: invalid.
    """
    try:
        return ConnectorType(text)
    except ValueError:
        raise QuadratError(
            ErrorKind.INVALID, f"The type must be one of {', '.join(ConnectorType)}.", field="type"
        ) from None


def check_configuration(parameters: Sequence[Parameter], given: Mapping[str, object]) -> dict[str, str]:
    """All values of a configuration, defaults included; optional ones that are empty are left out.

    Raises:
        QuadratError: invalid, naming the parameter and never its value.
    """
    known = {item.name: item for item in parameters}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise _bad(f"There is no parameter {unknown[0][:64]}; there are {', '.join(known)}.")
    values: dict[str, str] = {}
    for name, parameter in known.items():
        value = given.get(name)
        if value is None:
            value = parameter.default
        if value is None:
            raise _bad(f"The parameter {name} is missing.")
        if not isinstance(value, str):
            raise _bad(f"The parameter {name} must be a text.")
        if re.fullmatch(parameter.regex, value) is None:
            raise _bad(f"The parameter {name} is not valid: {parameter.description[0].lower()}{_rest(parameter)}.")
        if value or parameter.default is None:
            values[name] = value
    if int(values.get("port", "1")) > 65535:
        raise _bad("The parameter port is not valid: ports end at 65535.")
    return values


def check_fields(type_: ConnectorType, fields: Sequence[Field] | None) -> tuple[Field, ...]:
    """The fields of a connector: columns of a structured one, ``blob`` of a blob connector.

    Raises:
        QuadratError: invalid.
    """
    if CATALOGUES[type_].kind is ConnectorKind.BLOB:
        if fields:
            raise QuadratError(
                ErrorKind.INVALID, "A blob connector has the one field blob and no others.", field="input_fields"
            )
        return (Field(BLOB_FIELD, FieldType.BLOB),)
    checked = check_signature(DataKind.STRUCTURED, fields or (), direction="input").fields
    if any(field.name == MESSAGE_ID_COLUMN for field in checked):
        raise QuadratError(
            ErrorKind.INVALID, f"{MESSAGE_ID_COLUMN} is filled by the server and is no field.", field="input_fields"
        )
    return checked


def cut_error(message: str) -> str:
    """As much of a message as clients can read again."""
    cleaned = message.replace("\0", "")
    return cleaned if len(cleaned) <= MAX_ERROR_MESSAGE else f"{cleaned[: MAX_ERROR_MESSAGE - 1]}…"


def _rest(parameter: Parameter) -> str:
    return parameter.description[1:]


def _bad(message: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field="configuration")
