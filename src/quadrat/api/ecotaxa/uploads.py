"""A multipart body read as it comes: the file goes to the store piece by piece, and nowhere else first."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.blobs import BlobStore

_FILE = "file"
_FIELDS = frozenset({"path", "tag"})
_MAX_FIELD_BYTES = 8 * 1024
_IDLE_S = 60.0

UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [_FILE],
                    "properties": {
                        _FILE: {"type": "string", "format": "binary"},
                        "path": {"type": "string"},
                        "tag": {"type": "string"},
                    },
                }
            }
        },
    }
}
"""Documents a body that `receive_upload` reads."""


@dataclass
class Upload:
    """What has come.

    Args:
        file_name: As it was sent; None when there was no file.
        size_bytes: Of the file.
        fields: The other parts.
    """

    file_name: str | None = None
    size_bytes: int = 0
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Part:
    """Where a part begins."""

    name: str
    file_name: str | None


async def receive_upload(request: Request, blobs: BlobStore, key: str, max_bytes: int) -> Upload:
    """Store the part ``file`` of a multipart body under a key, and read the others.

    Raises:
        QuadratError: too_large; invalid for what is no such body, or when no bytes come for a minute.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes + 4 * _MAX_FIELD_BYTES:
        raise QuadratError(ErrorKind.TOO_LARGE, f"The file is larger than {max_bytes} bytes.")
    upload = Upload()
    events = _Events(request).read()
    part: _Part | None = None
    async for event in events:
        if isinstance(event, _Part):
            part = event
            if part.name == _FILE and part.file_name is not None:
                if upload.file_name is not None:
                    raise _malformed("there is more than one file")
                upload.file_name = part.file_name
                facts, _ = await blobs.put(key, _until_next(events), max_bytes=max_bytes)
                upload.size_bytes = facts.size_bytes
        elif event is not None and part is not None and part.name in _FIELDS:
            text = upload.fields.get(part.name, "") + event.decode("utf-8", "replace")
            if len(text) > _MAX_FIELD_BYTES:
                raise _malformed(f"{part.name} is too long")
            upload.fields[part.name] = text
    return upload


async def _until_next(events: "AsyncIterator[_Part | bytes | None]") -> AsyncIterator[bytes]:
    """The data of the part that has begun."""
    async for event in events:
        if not isinstance(event, bytes):
            return
        yield event


class _Events:
    """The parser's callbacks as a stream: a part, its data in pieces, None at its end."""

    def __init__(self, request: Request) -> None:
        self._stream = request.stream().__aiter__()
        self._events: deque[_Part | bytes | None] = deque()
        self._headers: dict[str, bytes] = {}
        self._name, self._value = b"", b""
        self._has_ended = False
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise _malformed("it is no multipart/form-data")
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": lambda: self._events.append(None),
                "on_end": self._end,
            },
        )

    async def read(self) -> AsyncIterator[_Part | bytes | None]:
        while True:
            try:
                async with asyncio.timeout(_IDLE_S):
                    chunk = await anext(self._stream, None)
            except TimeoutError:
                raise QuadratError(ErrorKind.INVALID, f"No bytes came for {_IDLE_S:g} seconds.") from None
            if chunk is None:
                break
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise _malformed(str(error)) from error
            while self._events:
                yield self._events.popleft()
        if not self._has_ended:
            raise _malformed("it ends too early")

    def _begin(self) -> None:
        self._headers = {}

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value
        self._name, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        file_name = options.get(b"filename")
        name = options.get(b"name", b"").decode("utf-8", "replace")
        self._events.append(_Part(name, None if file_name is None else file_name.decode("utf-8", "replace")))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(bytes(data[start:end]))

    def _end(self) -> None:
        self._has_ended = True


def _malformed(reason: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, f"The upload cannot be read: {reason}.", field=_FILE)
