"""Answers in one piece: a system call less for each than the web server makes by itself.

The head of an answer is held back until the first piece of its body comes, at the latest to the end of this turn of the
event loop. For small answers a write into the socket is the most expensive step of all. Direct requests that look like
those before them do not even come as far as the web server.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quadrat.api.hangups import LOOK_S
from quadrat.api.ubiops.express import Express
from quadrat.base.writing import write_now
from quadrat.serving.direct import DirectRun

_HEAD = b"HTTP/1."
_AT_ONCE_BYTES = 64 * 1024


class _JoiningTransport:
    """A transport that holds back heads of answers."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        self._descriptor: int = transport.get_extra_info("socket").fileno()
        # Asked for with each request; everything else is looked up by `__getattr__`.
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, together with the head before it."""
        head = self._head
        if head is not None:
            self._head = None
            if len(data) <= _AT_ONCE_BYTES:
                write_now(self._transport, self._descriptor, head + data)
            else:
                self._transport.writelines([head, data])
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def write_whole(self, data: bytes) -> None:
        """Write a whole answer, when nothing is held back."""
        write_now(self._transport, self._descriptor, data)

    def close(self) -> None:
        """Close when everything is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head = self._head
        if head is not None:
            self._head = None
            self._transport.write(head)


class JoinedWrites(HttpToolsProtocol):
    """The web server's protocol, with such a transport.

    Args:
        args: Of the web server.
        express: Takes direct requests, if there is one.
        options: Of the web server.
    """

    def __init__(self, *args: Any, express: Express | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._express = express
        self._line: _JoiningTransport | None = None
        # The direct request that is on its way, and what has come after it meanwhile.
        self._running: DirectRun | None = None
        self._later = b""
        self._last_ended_at = 0.0
        self._is_stopping = False
        # Whole requests that the parser has seen, and whether it is between two of them.
        self._requests = 0
        self._between = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection."""
        self._line = _JoiningTransport(transport, self.loop)
        super().connection_made(self._line)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Take the next piece of a request."""
        if self._running is not None:
            # Its turn comes when the answer before it has been written.
            self._later += data
            self.flow.pause_reading()
            return
        express = self._express
        if express is None or not self._is_free() or not express.may_know(data):
            super().data_received(data)
            return
        self._running = express.begin(self.app_state, data, self._answer)
        if self._running is None:
            before = self._requests
            super().data_received(data)
            if self._requests == before + 1 and self._between and self.cycle is not None and self.cycle.keep_alive:
                express.remember(data, self.scope)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection. The model goes on for a moment: most answers take less, and its end takes more."""
        if self._running is not None:
            self.loop.call_later(LOOK_S, Express.give_up, self._running)
            self._running = None
        self._line = None
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """A request has come to its end."""
        self._requests += 1
        self._between = True
        super().on_message_complete()

    def shutdown(self) -> None:
        """Close when what is on its way has been answered."""
        if self._running is not None:
            self._is_stopping = True
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close, unless there were direct requests since this was set: for them it stays as it is."""
        left_s = self.timeout_keep_alive - (self.loop.time() - self._last_ended_at)
        if self._running is not None or left_s > 0:
            self._watch_idleness(self.timeout_keep_alive if self._running is not None else left_s)
        else:
            super().timeout_keep_alive_handler()

    def _is_free(self) -> bool:
        """Whether nothing is being read, answered or written."""
        return (
            self._between
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
        )

    def _answer(self, request_id: bytes, content: bytes) -> None:
        """Write the answer to a direct request."""
        line = self._line
        if line is None:
            return
        self._running = None
        head = b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n" % (
            len(content),
            request_id,
        )
        default = b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers])
        last = b"connection: close\r\n" if self._is_stopping else b""
        line.write_whole(b"HTTP/1.1 200 OK\r\n%b%b%b\r\n%b" % (default, head, last, content))
        self.server_state.total_requests += 1
        self._last_ended_at = self.loop.time()
        if self._is_stopping:
            line.close()
            return
        if self.timeout_keep_alive_task is None:
            self._watch_idleness(self.timeout_keep_alive)
        if self._later:
            later, self._later = self._later, b""
            self.flow.resume_reading()
            self.data_received(later)

    def _watch_idleness(self, delay_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(delay_s, self.timeout_keep_alive_handler)
