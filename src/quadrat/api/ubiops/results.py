"""Results of batch requests on their way out: those that lie in the store are sent piece by piece."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from quadrat.api.ubiops.convert.contents import Stored
from quadrat.api.wire import json_response
from quadrat.serving.files import Files

_encode = msgspec.json.Encoder().encode


def results_response(made: Mapping[str, Any] | Sequence[Mapping[str, Any]], files: Files) -> Response:
    """An answer in which some values may be `Stored`."""
    if not _has_stored(made):
        return json_response(made)
    return StreamingResponse(_pieces(made, files), media_type="application/json")


def _has_stored(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_stored, value.values()))
    return any(map(_has_stored, value)) if isinstance(value, list) else isinstance(value, Stored)


async def _pieces(made: Any, files: Files) -> AsyncIterator[bytes]:
    for part in _parts(made):
        if isinstance(part, bytes):
            yield part
        else:
            async for piece in files.stream_payload(part.payload_id):
                yield piece


def _parts(value: Any) -> Iterator[bytes | Stored]:
    """JSON text with the stored values between its pieces."""
    if isinstance(value, Stored):
        yield value
    elif not _has_stored(value):
        yield _encode(value)
    elif isinstance(value, Mapping):
        for number, (name, item) in enumerate(value.items()):
            yield (b"," if number else b"{") + _encode(name) + b":"
            yield from _parts(item)
        yield b"}"
    else:
        for number, item in enumerate(value):
            yield b"," if number else b"["
            yield from _parts(item)
        yield b"]"
