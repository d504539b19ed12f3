"""Wire models of logs."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class LogFilters(BaseModel):
    """What lines must belong to; other keys are refused."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model_name: str | None = None
    model_version: str | None = None
    connector_name: str | None = None
    pipeline_name: str | None = None
    pipeline_object_name: str | None = None
    request_id: str | None = None
    pipeline_request_id: str | None = None
    system: bool | None = None


class LogsCreate(BaseModel):
    """Which lines to list: from a date or the line of an id on, so many seconds forward or back."""

    filters: LogFilters
    date: str | None = None
    id: str | None = None
    date_range: int = -21_600
    limit: int = 50


class Logs(BaseModel):
    """A line; names and ids that it does not have are left out."""

    id: str
    log: str
    date: str
    system: bool
    model_name: str
    model_version: str
    pipeline_name: str
    pipeline_object_name: str
    connector_name: str
    request_id: str
    pipeline_request_id: str


Line = dict[str, Any]
"""`Logs` without what is not set."""
