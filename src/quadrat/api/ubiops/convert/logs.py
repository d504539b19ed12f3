"""Logs between the wire and the house."""

import re
from datetime import datetime
from uuid import UUID

from quadrat.api.ubiops.schemas.logs import Line, LogsCreate
from quadrat.api.ubiops.times import read_time
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.actions.logs import LogQuery
from quadrat.serving.log_types import FoundLine, Names
from quadrat.serving.rules.logs import time_of

_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)


def to_log_query(body: LogsCreate) -> LogQuery:
    """What is asked for; an id wins over a date.

    Raises:
        QuadratError: invalid.
    """
    filters = body.filters
    return LogQuery(
        Names(
            filters.model_name,
            filters.model_version,
            filters.pipeline_name,
            filters.pipeline_object_name,
            filters.connector_name,
        ),
        _uuid(filters.request_id, "request_id"),
        _uuid(filters.pipeline_request_id, "pipeline_request_id"),
        filters.system,
        _start(body),
        body.date_range,
        body.limit,
    )


def to_line(found: FoundLine) -> Line:
    """One line; what it does not have is left out, since clients refuse empty names."""
    line: Line = {
        "id": found.id.hex(),
        "log": found.text,
        "date": time_of(found.id).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "model_name": found.names.model,
        "model_version": found.names.version,
        "pipeline_name": found.names.pipeline,
        "pipeline_object_name": found.names.pipeline_object,
        "connector_name": found.names.connector,
        "request_id": found.request_id,
        "pipeline_request_id": found.pipeline_request_id,
        "system": found.system,
    }
    return {name: value for name, value in line.items() if value is not None}


def _start(body: LogsCreate) -> datetime | bytes | None:
    if body.id is not None:
        if _ID.fullmatch(body.id) is None:
            raise QuadratError(ErrorKind.INVALID, "The id of a line has 24 hexadecimal digits.", field="id")
        return bytes.fromhex(body.id)
    return None if body.date is None else read_time(body.date, "date")


def _uuid(text: str | None, field: str) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError as error:
        raise QuadratError(ErrorKind.INVALID, f"{field} is a UUID.", field=field) from error
