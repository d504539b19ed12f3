"""Files into buckets: S3, Google Cloud Storage, Azure."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from quadrat.base.ids import new_uuid
from quadrat.serving.connector_types import BLOB_FIELD, ConnectorSpec, ConnectorType
from quadrat.serving.rules.connectors import cut_error
from quadrat.serving.targets.base import (
    CONNECT_S,
    BlobSource,
    Message,
    RefusedError,
    UnreachableError,
)
from quadrat.serving.targets.proxy import GuardedProxy

_UPLOAD_S = 3600.0
_PROBE = "quadrat-verification-looks-here-and-finds-nothing"
# What the services call it; the library knows only the statuses of objects.
_NOT_THERE = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
# The services answer so only to a signature that they have found to be good.
_KNOWN_BUT_NOT_ALLOWED = (
    "<Code>AccessDenied</Code>",
    "<Code>AuthorizationPermissionMismatch</Code>",
    "<Code>AuthorizationResourceTypeMismatch</Code>",
)
_REFUSAL = re.compile(r"status code: 40[13]\b")
_ANSWER = re.compile(r"<Code>([^<]*)</Code>\s*<Message>([^<\n]*)")
_STATUS = re.compile(r"status code: (.*?)(?:\n\nDebug source:|$)", re.DOTALL)
_RETRY = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}


class ObjectTarget:
    """A bucket or container. A file that is written again is the same file, so nothing is there twice.

    Args:
        spec: What opens the bucket.
        proxy: The way to it.
        source: Where the files are.
    """

    def __init__(self, spec: ConnectorSpec, proxy: GuardedProxy, source: BlobSource) -> None:
        self._spec = spec
        self._proxy = proxy
        self._source = source

    async def verify(self) -> None:
        """Ask for a file that does not exist: the bucket must be there and let us in.

        Credentials alone name no bucket, and need not be allowed to list all of them. They are asked about one that
        nobody has: the service looks at the signature first, so that its answer tells whether it knows the key.
        """
        store, host = self._open()
        if "bucket" in self._spec.values or "container" in self._spec.values:
            await self._ask(host, lambda: _list_one(store, self._key(_PROBE)))
        else:
            await self._ask(host, lambda: _list_nowhere(store))

    async def write(self, messages: Sequence[Message]) -> None:
        """One file for each message, under the prefix and its own name."""
        for message in messages:
            store, host = self._open()
            async with self._source.fetch(UUID(message.values[BLOB_FIELD])) as (name, path):
                key = self._key(name)
                await self._ask(host, lambda: obstore.put_async(store, key, path), _UPLOAD_S)  # noqa: B023

    async def close(self) -> None:
        """Nothing is held."""

    def _key(self, name: str) -> str:
        prefix = self._spec.values.get("path_prefix", "").strip("/")
        return f"{prefix}/{name}" if prefix else name

    def _open(self) -> tuple[Any, str]:
        """The store, and the host that it speaks to."""
        values = self._spec.values
        endpoint = values.get("endpoint", "").rstrip("/")
        client = {"proxy_url": self._proxy.url, "connect_timeout": timedelta(seconds=CONNECT_S)}
        # Nothing of the server's own environment is used: all is given.
        try:
            match self._spec.type:
                case ConnectorType.AWS_S3:
                    host = urlsplit(endpoint).hostname or f"s3.{values['region']}.amazonaws.com"
                    return _s3(values, endpoint, client), host
                case ConnectorType.GCP_CLOUD_STORAGE:
                    host = urlsplit(endpoint).hostname or "storage.googleapis.com"
                    return _gcs(values, endpoint, client), host
                case _:
                    return _azure(values, client)
        except (BaseError, ValueError, KeyError) as error:
            raise RefusedError(f"The credentials cannot be read: {_shown(error)}") from error

    async def _ask(self, host: str, work: Callable[[], Any], limit_s: float = 30.0) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await work()
        except (BaseError, OSError, TimeoutError) as error:
            if host in self._proxy.refusals:
                raise UnreachableError(self._proxy.refusals[host]) from error
            if isinstance(error, NotFoundError) or any(code in str(error) for code in _NOT_THERE):
                raise RefusedError("The bucket or container does not exist.") from error
            if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _REFUSAL.search(str(error)):
                raise UnreachableError(f"The service refuses the credentials: {_shown(error)}") from error
            raise UnreachableError(_reason(error)) from error


async def _list_one(store: Any, prefix: str) -> None:
    await obstore.list_with_delimiter_async(store, prefix=prefix)


async def _list_nowhere(store: Any) -> None:
    try:
        await _list_one(store, _PROBE)
    except BaseError as error:
        known = isinstance(error, NotFoundError) or any(code in str(error) for code in _NOT_THERE)
        if not known and not any(code in str(error) for code in _KNOWN_BUT_NOT_ALLOWED):
            raise


def _nowhere() -> str:
    return f"quadrat-{new_uuid()}"


def _s3(values: Mapping[str, str], endpoint: str, client: dict[str, Any]) -> S3Store:
    config: dict[str, Any] = {
        "access_key_id": values["access_key"],
        "secret_access_key": values["secret_key"],
        "region": values["region"],
        "endpoint": endpoint or f"https://s3.{values['region']}.amazonaws.com",
        "virtual_hosted_style_request": False,
    }
    options = {**client, "allow_http": endpoint.startswith("http://")}
    return S3Store(values.get("bucket") or _nowhere(), config=config, client_options=options, retry_config=_RETRY)  # type: ignore[arg-type]


def _gcs(values: Mapping[str, str], endpoint: str, client: dict[str, Any]) -> GCSStore:
    key = json.loads(values["json_key_file"])
    if not isinstance(key, dict) or not {"client_email", "private_key", "private_key_id"} <= set(key):
        raise ValueError("it is no key file of a service account")
    key = {name: key[name] for name in ("client_email", "private_key", "private_key_id", "type") if name in key}
    if endpoint:
        key["gcs_base_url"] = endpoint
    options = {**client, "allow_http": endpoint.startswith("http://")}
    config: dict[str, Any] = {"service_account_key": json.dumps(key)}
    return GCSStore(values.get("bucket") or _nowhere(), config=config, client_options=options, retry_config=_RETRY)  # type: ignore[arg-type]


def _azure(values: Mapping[str, str], client: dict[str, Any]) -> tuple[AzureStore, str]:
    parts = dict(part.split("=", 1) for part in values["connection_string"].strip().strip(";").split(";") if part)
    account = parts["AccountName"]
    scheme = parts.get("DefaultEndpointsProtocol", "https")
    suffix = parts.get("EndpointSuffix", "core.windows.net")
    endpoint = parts.get("BlobEndpoint", f"{scheme}://{account}.blob.{suffix}").rstrip("/")
    config: dict[str, Any] = {"account_name": account, "endpoint": endpoint}
    if "AccountKey" in parts:
        config["account_key"] = parts["AccountKey"]
    else:
        config["sas_key"] = parts["SharedAccessSignature"]
    options = {**client, "allow_http": endpoint.startswith("http://")}
    container = values.get("container") or _nowhere()
    store = AzureStore(container, config=config, client_options=options, retry_config=_RETRY)  # type: ignore[arg-type]
    return store, urlsplit(endpoint).hostname or ""


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "The service did not answer in time."
    return f"The service cannot be used: {_shown(error)}"


def _shown(error: BaseException) -> str:
    """What the service said, or the beginning of the library's message, without its own dump and our addresses."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    text = str(error)
    if said := _ANSWER.search(text):
        return cut_error(f"{said[2]} ({said[1]})")[:200]
    if said := _STATUS.search(text):
        return cut_error(" ".join(said[1].split()))[:200]
    first = next(iter(text.strip().splitlines()), type(error).__name__)
    return cut_error(first.rpartition(" - ")[2].partition(" after ")[0].partition(" source: ")[0])[:200]
