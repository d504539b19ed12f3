"""Results of batch requests on their way out: those that lie in the store are sent piece by piece."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec
from starlette.responses import Response, StreamingResponse

from quadrat.api.ubiops.convert.requests import to_result_list
from quadrat.api.wire import json_response
from quadrat.serving.files import Files
from quadrat.serving.types import BatchRequest

_encode = msgspec.json.Encoder().encode


def results_response(found: Sequence[BatchRequest], files: Files, *, alone: bool = False) -> Response:
    """The requests with their data and results, as a list or `alone`."""
    if not any(item.data_payload_id or item.result_payload_id for item in found):
        made = [to_result_list(item) for item in found]
        return json_response(made[0] if alone else made)
    return StreamingResponse(_pieces(found, files, alone=alone), media_type="application/json")


async def _pieces(found: Sequence[BatchRequest], files: Files, *, alone: bool) -> AsyncIterator[bytes]:
    yield b"" if alone else b"["
    for number, item in enumerate(found):
        made = to_result_list(item)
        large: dict[str, UUID] = {}
        for name, payload_id in (("request_data", item.data_payload_id), ("result", item.result_payload_id)):
            if payload_id is not None:
                del made[name]
                large[name] = payload_id
        yield (b"," if number else b"") + _encode(made)[:-1]
        for name, payload_id in large.items():
            yield b',"%b":' % name.encode()
            async for piece in files.stream_payload(payload_id):
                yield piece
        yield b"}"
    yield b"" if alone else b"]"
