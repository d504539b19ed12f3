"""Reads the pipe behind an instance's stdout and stderr and says which request each line belongs to."""

import asyncio
import os
import struct
from collections import deque
from datetime import UTC, datetime

from quadrat.runner.base import LogLine, LogSink

TOKEN_BYTES = 16
LINE_LIMIT_BYTES = 64 * 1024
BURST_LINES = 10_000
LINES_PER_SECOND = 1000
"""A model may write a burst of lines and then this many per second; the rest is counted and left out."""

PAUSE_S = 0.1
PAUSE_BYTES = 1024 * 1024
"""Read at most this much per pause, so that a flood slows its model and not the server."""

SETTLE_S = 0.002
"""Output is read this much later than it comes, after answers on their way: then it is clear whose it is."""

_READ_BYTES = 64 * 1024
_CUT = "… (line cut)"
_NUMBER = struct.Struct(">Q")
_MARK_BYTES = TOKEN_BYTES + _NUMBER.size


class OutputReader:
    """Turns what one instance writes into log lines.

    After request `n` the shim writes a mark with `n` into the pipe, unless the model has been silent for long.
    Everything up to that mark belongs to the first request that is expected and has not ended yet.

    Args:
        descriptor: Reading end of the pipe, non-blocking; closed by `close`.
        token: The first bytes of every mark.
        sink: Gets the lines.
    """

    def __init__(self, descriptor: int, token: bytes, sink: LogSink) -> None:
        self._descriptor = descriptor
        self._token = token
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._expected: deque[tuple[int, str | None]] = deque()
        self._carry = b""
        self._line = bytearray()
        self._line_cut = False
        self._allowed_lines = float(BURST_LINES)
        self._left_out = 0
        self._refilled_at = self._loop.time()
        self._read_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._open = True
        self._loop.add_reader(descriptor, self._on_readable)

    def expect(self, number: int, request_id: str | None) -> None:
        """The shim will work on this request after those named before."""
        self._expected.append((number, request_id))

    def drain(self, until: int) -> None:
        """Read up to the mark of request `until`, which the shim has set already."""
        while self._open and self._expected and self._expected[0][0] <= until:
            if self._read() <= 0:
                return

    def ended(self, number: int) -> None:
        """The answer to request `number` is there, and its mark has been read if it had one."""
        while self._expected and self._expected[0][0] <= number:
            self._expected.popleft()

    def close(self) -> None:
        """Read what is left, give out the last line and close the pipe."""
        if not self._open:
            return
        # What a process wrote before it died is all in the pipe; more than that only comes from one that still lives.
        for _ in range(64):
            if self._read() <= 0:
                break
        self._feed_text(self._carry)
        self._end_line()
        self._report_left_out()
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _on_readable(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._timer = self._loop.call_later(SETTLE_S, self._wait_a_turn)

    def _wait_a_turn(self) -> None:
        """Let the loop take in answers first, however late this timer is."""
        self._timer = None
        self._loop.call_soon(self._loop.call_soon, self._read_on)

    def _read_on(self) -> None:
        if not self._open:
            return
        got = self._read()
        if got == 0:
            # The end: neither the instance nor a child of it has the pipe any more.
            return
        if got > 0 and self._read_bytes < PAUSE_BYTES:
            # There may be more of the same.
            self._timer = self._loop.call_later(SETTLE_S, self._wait_a_turn)
        elif self._read_bytes >= PAUSE_BYTES:
            self._timer = self._loop.call_later(PAUSE_S, self._resume)
        else:
            self._resume()

    def _resume(self) -> None:
        self._timer = None
        self._read_bytes = 0
        self._loop.add_reader(self._descriptor, self._on_readable)

    def _read(self) -> int:
        """Take in one piece; its length, 0 at the end of the pipe, -1 when there is nothing now."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return -1
        self._read_bytes += len(data)
        if data:
            self._feed(data)
        return len(data)

    def _feed(self, data: bytes) -> None:
        if self._carry:
            data = self._carry + data
            self._carry = b""
        position = 0
        while (found := data.find(self._token, position)) >= 0:
            after = found + _MARK_BYTES
            if after > len(data):
                break
            if found > position:
                self._feed_text(data[position:found])
            self._on_mark(_NUMBER.unpack_from(data, found + TOKEN_BYTES)[0])
            position = after
        end = self._start_of_mark(data, position)
        self._carry = data[end:]
        if end > position:
            self._feed_text(data[position:end])

    def _start_of_mark(self, data: bytes, position: int) -> int:
        """Where a mark begins that is not read to its end yet; the length of the data when there is none."""
        first = self._token[:1]
        at = data.find(first, max(position, len(data) - _MARK_BYTES + 1))
        while at >= 0:
            if data[at : at + TOKEN_BYTES] == self._token[: len(data) - at]:
                return at
            at = data.find(first, at + 1)
        return len(data)

    def _on_mark(self, number: int) -> None:
        if self._line:
            self._end_line()
        if self._left_out:
            self._report_left_out()
        while self._expected and self._expected[0][0] <= number:
            self._expected.popleft()

    def _feed_text(self, text: bytes) -> None:
        *ended, rest = text.split(b"\n")
        for piece in ended:
            self._append(piece)
            self._end_line()
        self._append(rest)

    def _append(self, piece: bytes) -> None:
        room = LINE_LIMIT_BYTES - len(self._line)
        if len(piece) > room:
            self._line_cut = True
        self._line += piece[:room]

    def _end_line(self) -> None:
        line, cut = self._line, self._line_cut
        if not line:
            return
        self._line, self._line_cut = bytearray(), False
        # A progress bar rewrites its line; what stands there in the end is what a terminal would show.
        text = line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace").replace("\0", "�")
        if not text.strip():
            return
        if self._admit():
            self._give(text + _CUT if cut else text, system=False)

    def _admit(self) -> bool:
        now = self._loop.time()
        refilled = self._allowed_lines + (now - self._refilled_at) * LINES_PER_SECOND
        self._refilled_at = now
        self._allowed_lines = min(refilled, float(BURST_LINES))
        if self._allowed_lines < 1:
            self._left_out += 1
            return False
        self._allowed_lines -= 1
        return True

    def _report_left_out(self) -> None:
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self._give(f"{count} lines were left out: the model writes too many.", system=True)

    def _give(self, text: str, *, system: bool) -> None:
        request_id = self._expected[0][1] if self._expected else None
        self._sink(LogLine(at=datetime.now(UTC), text=text, request_id=request_id, system=system))
