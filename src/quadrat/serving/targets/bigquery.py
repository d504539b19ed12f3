"""Rows into a table of Google BigQuery."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from quadrat.serving.connector_types import ConnectorSpec
from quadrat.serving.rules.connectors import cut_error
from quadrat.serving.targets.base import WRITE_S, Message, MissingExtraError, RefusedError, UnreachableError
from quadrat.serving.targets.proxy import GuardedProxy
from quadrat.serving.types import FieldType

try:
    import requests
    from google.api_core.exceptions import BadRequest, GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession, Request
    from google.cloud import bigquery
    from google.oauth2.service_account import Credentials
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry
except ImportError:  # the extra is not installed
    bigquery = None

_SCOPE = "https://www.googleapis.com/auth/bigquery"
_TEXTS = {"STRING", "JSON"}
_WHOLE = {"INTEGER", "INT64", "NUMERIC", "BIGNUMERIC", "FLOAT", "FLOAT64"} | _TEXTS
FITTING: Mapping[FieldType, set[str]] = {
    FieldType.INT: _WHOLE,
    FieldType.DOUBLE: {"NUMERIC", "BIGNUMERIC", "FLOAT", "FLOAT64"} | _TEXTS,
    FieldType.STRING: _TEXTS,
    FieldType.BOOL: {"BOOLEAN", "BOOL"} | _TEXTS,
    FieldType.TIMESTAMP: {"TIMESTAMP", "DATETIME", "DATE"} | _TEXTS,
    FieldType.ARRAY_INT: _WHOLE - _TEXTS,
    FieldType.ARRAY_DOUBLE: {"NUMERIC", "BIGNUMERIC", "FLOAT", "FLOAT64"},
    FieldType.ARRAY_STRING: {"STRING"},
    FieldType.BLOB: {"STRING"},
}
_ARRAYS = {FieldType.ARRAY_INT, FieldType.ARRAY_DOUBLE, FieldType.ARRAY_STRING}


class BigQueryTarget:
    """A table. The message's id goes along as insert id, by which the service drops most of what comes twice.

    Args:
        spec: What opens the table, and its columns.
        proxy: The way to it.
    """

    def __init__(self, spec: ConnectorSpec, proxy: GuardedProxy) -> None:
        if bigquery is None:
            raise MissingExtraError("gcp_bigquery", "gcp")
        self._spec = spec
        self._proxy = proxy
        self._client: Any = None
        self._table: Any = None

    async def verify(self) -> None:
        """Look at the table and its columns; without one, ask for a token."""
        await self._do(lambda: None)

    async def write(self, messages: Sequence[Message]) -> None:
        """One row for each message."""
        rows = [dict(message.values) for message in messages]
        ids = [str(message.id) for message in messages]
        await self._do(lambda: self._insert(rows, ids))

    async def close(self) -> None:
        """Give the connections back."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await asyncio.to_thread(client.close)

    def _insert(self, rows: list[dict[str, Any]], ids: list[str]) -> None:
        problems = self._client.insert_rows_json(self._table, rows, row_ids=ids, timeout=WRITE_S, retry=None)
        # When one row is bad, the others are told "stopped".
        bad = [error for item in problems for error in item["errors"] if error.get("reason") != "stopped"]
        if bad:
            where = f" (column {bad[0]['location']})" if bad[0].get("location") else ""
            raise RefusedError(f"BigQuery refused the row: {cut_error(bad[0].get('message', ''))}{where}")
        if problems:
            raise UnreachableError("BigQuery stopped without a reason.")

    async def _do(self, work: Any) -> None:
        try:
            async with asyncio.timeout(WRITE_S * 2):
                await asyncio.to_thread(self._call, work)
        except NotFound as error:
            await self.close()
            raise RefusedError(f"There is no such dataset or table: {cut_error(error.message)}") from error
        except BadRequest as error:
            raise RefusedError(f"BigQuery refused the rows: {cut_error(error.message)}") from error
        except (GoogleAPIError, GoogleAuthError, requests.RequestException, OSError, TimeoutError) as error:
            await self.close()
            raise UnreachableError(self._reason(error)) from error

    def _reason(self, error: BaseException) -> str:
        if self._proxy.refusals:
            host = urlsplit(self._spec.values.get("endpoint", "")).hostname or "bigquery.googleapis.com"
            refused = self._proxy.refusals.get(host)
            if refused is not None:
                return refused
        message = getattr(error, "message", None) or next(iter(map(str, error.args)), type(error).__name__)
        return f"BigQuery cannot be used: {cut_error(message)[:200]}"

    def _call(self, work: Any) -> None:
        if self._client is None:
            self._client = self._connect()
            if "table" in self._spec.values:
                self._table = self._look()
        work()

    def _connect(self) -> Any:
        values = self._spec.values
        try:
            key = json.loads(values["json_key_file"])
            credentials = Credentials.from_service_account_info(key, scopes=[_SCOPE])
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError("The JSON key file is no key file of a service account.") from error
        way = requests.Session()
        way.trust_env = False
        way.proxies = {"http": self._proxy.url, "https": self._proxy.url}
        if "table" not in values:
            credentials.refresh(Request(way))
        http = AuthorizedSession(credentials, auth_request=Request(way))
        http.trust_env = False
        http.proxies = way.proxies
        # A connection that was kept open may have been closed meanwhile. Rows carry an insert id, so they can go again.
        again = HTTPAdapter(max_retries=Retry(total=2, status=0, allowed_methods=None, backoff_factor=0.1))
        http.mount("https://", again)
        http.mount("http://", again)
        options = {"api_endpoint": values["endpoint"].rstrip("/")} if values.get("endpoint") else None
        return bigquery.Client(
            project=credentials.project_id, credentials=credentials, _http=http, client_options=options
        )

    def _look(self) -> Any:
        values = self._spec.values
        table = self._client.get_table(f"{self._client.project}.{values['dataset']}.{values['table']}", retry=None)
        columns = {column.name: column for column in table.schema}
        for field in self._spec.fields:
            column = columns.get(field.name)
            if column is None:
                raise RefusedError(f"The table {values['table']} has no column {field.name}.")
            is_array = column.mode == "REPEATED"
            if column.field_type not in FITTING[field.type] or is_array is not (field.type in _ARRAYS):
                kind = f"{column.field_type} ({column.mode.lower()})"
                raise RefusedError(f"The column {field.name} is {kind} and cannot hold {field.type}.")
        return table
