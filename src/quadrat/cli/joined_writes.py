"""Answers in one piece: a system call less for each than the web server makes by itself.

The head of an answer is held back until the first piece of its body comes, at the latest to the end of this turn of the
event loop. For small answers a write into the socket is the most expensive step of all. Direct requests that look like
those before them do not even come as far as the web server, nor do plain requests for small files. Small files that
come to signed addresses are gathered: each piece of one costs its reader more than the way through memory.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quadrat.api.hangups import LOOK_S
from quadrat.api.quick_files import QuickFiles
from quadrat.api.ubiops.express import Express
from quadrat.base.writing import Content, write_now, write_parts_now
from quadrat.serving.direct import DirectRun
from quadrat.storage.signing import PATH_PREFIX

_HEAD = b"HTTP/1."
_AT_ONCE_BYTES = 64 * 1024
# Files of such lengths are gathered, for so long: whoever watches over slow callers hears of them at last. Of other
# bodies what came is read at once: of a part that is cut off, somebody may keep what came of it.
_GATHERED_BYTES = range(64 * 1024, 1024 * 1024 + 1)
_GATHER_S = 1.0


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
                write_parts_now(self._transport, self._descriptor, (head, data))
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def write_whole(self, *parts: Content) -> None:
        """Write a whole answer, when nothing is held back."""
        write_parts_now(self._transport, self._descriptor, parts)

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
        files: Takes plain requests for files, if there is one.
        options: Of the web server.
    """

    def __init__(
        self, *args: Any, express: Express | None = None, files: QuickFiles | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._express = express
        self._files = files
        self._line: _JoiningTransport | None = None
        # The direct request that is on its way, and what has come after it meanwhile.
        self._running: DirectRun | None = None
        self._later = b""
        self._last_ended_at = 0.0
        self._is_stopping = False
        # Whole requests that the parser has seen, and whether it is between two of them.
        self._requests = 0
        self._between = True
        # Pieces of a body that are not handed on yet.
        self._gathered: list[bytes] | None = None
        self._gathering: asyncio.TimerHandle | None = None

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
        express, files = self._express, self._files
        if express is not None and express.may_know(data) and self._is_free():
            self._running = express.begin(self.app_state, data, self._answer)
            if self._running is None and self._has_taken_one(data):
                express.remember(data, self.scope)
        elif files is not None and files.may_know(data) and self._is_free():
            answer = files.answer(self.app_state, data)
            if answer is not None:
                self._write_answer(*answer)
            elif self._has_taken_one(data):
                files.remember(data, self.scope)
        else:
            super().data_received(data)

    def _has_taken_one(self, data: bytes) -> bool:
        """Whether this was one whole request, for the web server, and the connection stays open after it."""
        before = self._requests
        super().data_received(data)
        return self._requests == before + 1 and self._between and self.cycle is not None and self.cycle.keep_alive

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection. The model goes on for a moment: most answers take less, and its end takes more."""
        if self._running is not None:
            self.loop.call_later(LOOK_S, Express.give_up, self._running)
            self._running = None
        self._line = None
        self._stop_gathering()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A body follows, maybe."""
        super().on_headers_complete()
        if self.scope["method"] != "PUT" or not self.scope.get("path", "").startswith(PATH_PREFIX):
            return
        for name, value in self.headers:
            if name == b"content-length" and value.isdigit() and int(value) in _GATHERED_BYTES:
                self._gathered = []
                self._gathering = self.loop.call_later(_GATHER_S, self._hand_on)

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come."""
        if self._gathered is not None:
            self._gathered.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has come to its end."""
        self._requests += 1
        self._between = True
        if self._gathered is not None:
            self._hand_on()
        super().on_message_complete()

    def _hand_on(self) -> None:
        """Give what has been gathered to the reader; what comes from now on it gets as it comes."""
        pieces = self._stop_gathering()
        if pieces and not self.cycle.response_complete:
            # Bytes go on to the reader as they are; the web server's own buffer would be copied.
            self.cycle.body = b"".join(pieces)  # type: ignore[assignment]
            self.cycle.message_event.set()

    def _stop_gathering(self) -> list[bytes]:
        if self._gathering is not None:
            self._gathering.cancel()
        pieces, self._gathered, self._gathering = self._gathered, None, None
        return pieces or []

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
        if self._line is None:
            return
        self._running = None
        head = b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n" % (
            len(content),
            request_id,
        )
        self._write_answer(head, content)
        if self._later and not self._is_stopping:
            later, self._later = self._later, b""
            self.flow.resume_reading()
            self.data_received(later)

    def _write_answer(self, head: bytes, content: Content) -> None:
        """Write an answer that has not come from the web server."""
        line = self._line
        if line is None:
            return
        default = b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers])
        last = b"connection: close\r\n" if self._is_stopping else b""
        head = b"HTTP/1.1 200 OK\r\n%b%b%b\r\n" % (default, head, last)
        if len(content) <= _AT_ONCE_BYTES:
            line.write_whole(head + content)
        else:
            line.write_whole(head, content)
        self.server_state.total_requests += 1
        self._last_ended_at = self.loop.time()
        if self._is_stopping:
            line.close()
            return
        if self.timeout_keep_alive_task is None:
            self._watch_idleness(self.timeout_keep_alive)

    def _watch_idleness(self, delay_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(delay_s, self.timeout_keep_alive_handler)
