"""A request whose body may have so many bytes and no more, and has to keep coming."""

import asyncio

from starlette.requests import Request
from starlette.types import Message

from quadrat.errors import ErrorKind, QuadratError

_IDLE_S = 60.0
# Boundaries and part headers around files.
ENVELOPE_BYTES = 64 * 1024


def limit_body(request: Request, max_bytes: int) -> Request:
    """The same request; reading its body refuses more than `max_bytes` and what multipart puts around them.

    Raises:
        QuadratError: too_large at once when the header says so, else while reading; invalid when no bytes come for a
            minute.
    """
    return Request(request.scope, _Limited(request, max_bytes).receive)


class _Limited:
    """Counts what is received."""

    def __init__(self, request: Request, max_bytes: int) -> None:
        self._receive = request.receive
        self._max_bytes = max_bytes
        self._received_bytes = 0
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > max_bytes + ENVELOPE_BYTES:
            raise self._too_large()

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(_IDLE_S):
                message = await self._receive()
        except TimeoutError:
            raise QuadratError(ErrorKind.INVALID, f"No bytes came for {_IDLE_S:g} seconds.") from None
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self._max_bytes + ENVELOPE_BYTES:
            raise self._too_large()
        return message

    def _too_large(self) -> QuadratError:
        return QuadratError(ErrorKind.TOO_LARGE, f"The file is larger than {self._max_bytes} bytes.")
