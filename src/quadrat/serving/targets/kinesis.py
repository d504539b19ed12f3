"""Records into a stream of AWS Kinesis."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec

from quadrat.serving.connector_types import ConnectorSpec
from quadrat.serving.rules.connectors import cut_error
from quadrat.serving.targets.base import CONNECT_S, WRITE_S, Message, MissingExtraError, RefusedError, UnreachableError
from quadrat.serving.targets.proxy import GuardedProxy

try:
    from botocore import config, exceptions, session
except ImportError:  # the extra is not installed
    session = None

_MOST_RECORDS = 500
_MOST_BYTES = 1024 * 1024
_MOST_BLOCK_BYTES = 5 * 1024 * 1024
_encode = msgspec.json.Encoder().encode


class KinesisTarget:
    """A stream. A record may arrive twice when an answer is lost: the service knows no ids of ours.

    Each record is a JSON object with the fields, and the message's id as its partition key.

    Args:
        spec: What opens the stream.
        proxy: The way to it.
    """

    def __init__(self, spec: ConnectorSpec, proxy: GuardedProxy) -> None:
        if session is None:
            raise MissingExtraError("aws_kinesis", "aws")
        self._spec = spec
        self._proxy = proxy
        self._client: Any = None
        endpoint = spec.values.get("endpoint", "")
        self._host = urlsplit(endpoint).hostname or f"kinesis.{spec.values['region']}.amazonaws.com"

    async def verify(self) -> None:
        """Look at the stream; without one, at the credentials."""
        if "stream" in self._spec.values:
            await self._do(lambda client: client.describe_stream_summary(StreamName=self._spec.values["stream"]))
        else:
            await self._do(_look_around)

    async def write(self, messages: Sequence[Message]) -> None:
        """One record for each message, in as few calls as the service allows."""
        block: list[dict[str, Any]] = []
        size = 0
        for message in messages:
            data = _encode(dict(message.values))
            if len(data) > _MOST_BYTES:
                raise RefusedError(f"A record has {len(data)} bytes, and Kinesis takes at most {_MOST_BYTES}.")
            if block and (len(block) == _MOST_RECORDS or size + len(data) > _MOST_BLOCK_BYTES - 1024):
                await self._do(lambda client, ready=block: self._put(client, ready))
                block, size = [], 0
            block.append({"Data": data, "PartitionKey": str(message.id)})
            size += len(data) + 36
        await self._do(lambda client: self._put(client, block))

    async def close(self) -> None:
        """Give the connections back."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await asyncio.to_thread(client.close)

    def _put(self, client: Any, records: list[dict[str, Any]]) -> None:
        for _ in range(3):
            answer = client.put_records(StreamName=self._spec.values["stream"], Records=records)
            # Only those that were throttled or failed inside of the service are sent again.
            records = [
                record
                for record, result in zip(records, answer["Records"], strict=True)
                if result.get("ErrorCode") is not None
            ]
            if not records:
                return
        raise UnreachableError(f"Kinesis did not take {len(records)} records at this moment.")

    async def _do(self, work: Any) -> None:
        try:
            async with asyncio.timeout(WRITE_S * 2):
                await asyncio.to_thread(self._call, work)
        except exceptions.ClientError as error:
            if self._host in self._proxy.refusals:
                raise UnreachableError(self._proxy.refusals[self._host]) from error
            code = str(error.response.get("Error", {}).get("Code", ""))
            text = cut_error(str(error.response.get("Error", {}).get("Message", "")) or code)
            if code in {"ResourceNotFoundException", "ValidationException", "InvalidArgumentException"}:
                raise RefusedError(f"Kinesis refuses: {text}") from error
            raise UnreachableError(f"Kinesis refuses: {text}") from error
        except (exceptions.BotoCoreError, OSError, TimeoutError, ValueError) as error:
            reason = self._proxy.refusals.get(self._host, f"No connection to {self._host}.")
            raise UnreachableError(reason) from error

    def _call(self, work: Any) -> None:
        if self._client is None:
            self._client = self._connect()
        work(self._client)

    def _connect(self) -> Any:
        values = self._spec.values
        url = self._proxy.url
        return session.Session().create_client(
            "kinesis",
            region_name=values["region"],
            endpoint_url=values.get("endpoint") or None,
            aws_access_key_id=values["access_key"],
            aws_secret_access_key=values["secret_key"],
            config=config.Config(
                proxies={"http": url, "https": url},
                connect_timeout=CONNECT_S,
                read_timeout=WRITE_S,
                retries={"max_attempts": 1},
            ),
        )


def _look_around(client: Any) -> None:
    try:
        client.list_streams(Limit=1)
    except exceptions.ClientError as error:
        # The service says so only to keys that it knows; writing into one stream takes no right to list them.
        if error.response.get("Error", {}).get("Code") != "AccessDeniedException":
            raise
