"""One process with one loaded model, and the pipelined line to it."""

import asyncio
import math
import os
import re
import signal
import stat
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import structlog

from quadrat.base.writing import write_now
from quadrat.runner.base import (
    BuildError,
    BuildStage,
    End,
    GivenFile,
    InstanceLostError,
    OnEnd,
    RecalledError,
    Reply,
    RequestTimeoutError,
)
from quadrat.runner.commands import wait_for_end
from quadrat.runner.output import OutputReader
from quadrat.runner.shim import (
    CANCEL,
    FAILURE,
    FILES,
    FRAME_LIMIT_BYTES,
    HEADER,
    MARKED,
    NUMBER,
    READY,
    REQUEST,
    RESULT,
    START,
    START_FAILED,
    STOP,
)

_log = structlog.get_logger(__name__)
START_NUMBER = 0
STOPPED = "The instance was stopped."
_PLACE = re.compile(r"\d{1,20}-\d{1,6}")
_PIECE_BYTES = 256 * 1024
_MOST_PIECES = 2 * FRAME_LIMIT_BYTES // _PIECE_BYTES
_named_files = msgspec.json.Decoder(dict[str, tuple[str, str]])


class Outbox:
    """The directory into which one instance's shim copies the files that the model gives.

    It is held open, so that nothing the model puts in its place can lead elsewhere.

    Args:
        folder: Of the instance.
        owner_uid: Whose the files must be; None where everything has the server's own user.
    """

    def __init__(self, folder: Path, owner_uid: int | None) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        self._owner_uid = owner_uid

    def take(self, payload: bytes) -> dict[str, GivenFile]:
        """Open the files that a frame of the shim names, and remove their names.

        Raises:
            ValueError: The model's process has tampered with them.
        """
        given: dict[str, GivenFile] = {}
        try:
            for field, (place, name) in _named_files.decode(payload).items():
                given[field] = self._open(place, name)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            for file in given.values():
                file.stream.close()
            raise ValueError("A file that the model gave cannot be read.") from error
        return given

    def _open(self, place: str, name: str) -> GivenFile:
        if _PLACE.fullmatch(place) is None:
            raise ValueError(place)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        stream = os.fdopen(os.open(place, flags, dir_fd=self._descriptor), "rb")
        facts = os.fstat(stream.fileno())
        os.unlink(place, dir_fd=self._descriptor)
        if not stat.S_ISREG(facts.st_mode) or self._owner_uid not in (None, facts.st_uid):
            stream.close()
            raise ValueError(place)
        return GivenFile(name, stream)

    def close(self) -> None:
        """Let go."""
        os.close(self._descriptor)


class _Pending:
    """A request on its way.

    Its deadline also counts when the caller has given up: an endless loop in the model must end some day.
    """

    __slots__ = ("deadline", "files", "on_end", "sent_at", "timeout_s", "withdrawn")

    def __init__(self, on_end: OnEnd, sent_at: float, timeout_s: float) -> None:
        self.on_end: OnEnd | None = on_end
        self.sent_at = sent_at
        self.deadline = sent_at + timeout_s
        self.timeout_s = timeout_s
        self.withdrawn = False
        self.files: dict[str, GivenFile] | None = None

    def tell(self, end: End) -> None:
        """Say how it ended to whoever still waits."""
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(end)


class LocalInstance(asyncio.Protocol):
    """A child process of this server. Made by `LocalRunner.start`.

    Args:
        identifier: Unique on this machine.
        process: The child; leader of its own process group.
        output: Reads what the child writes.
        outbox: Where files of the model are fetched.
        on_end: Called once, when the process has ended.
    """

    def __init__(
        self,
        identifier: str,
        process: subprocess.Popen[bytes],
        output: OutputReader,
        outbox: Outbox,
        on_end: Callable[["LocalInstance"], None],
    ) -> None:
        self._id = identifier
        self._process = process
        self._output = output
        self._outbox = outbox
        self._outgoing: list[bytes] = []
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._heard_at = 0.0
        self._buffer = bytearray()
        self._pending: dict[int, _Pending] = {}
        self._number = START_NUMBER
        # One timer for the earliest deadline of all requests on their way, or an earlier one that has passed by.
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf
        self._reason: str | None = None
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._loaded: asyncio.Future[str | None] = self._loop.create_future()
        watcher = threading.Thread(target=self._watch, name=f"instance-{identifier}", daemon=True)
        watcher.start()

    @property
    def id(self) -> str:
        """Identifier for logs, unique on this machine."""
        return self._id

    @property
    def alive(self) -> bool:
        """False as soon as the process is known to have ended or has been told to."""
        return self._reason is None

    @property
    def pid(self) -> int:
        """The child's process and group number."""
        return self._process.pid

    async def load(self, start: bytes, timeout_s: float) -> None:
        """Have the shim load the package.

        Args:
            start: What the shim needs to know, as JSON text.
            timeout_s: The process is killed when loading takes longer.

        Raises:
            BuildError: stage START, when the model cannot be loaded.
        """
        self._output.expect(START_NUMBER, None)
        self._write(START_NUMBER, START, start)
        try:
            async with asyncio.timeout(timeout_s):
                problem = await asyncio.shield(self._loaded)
        except TimeoutError:
            problem = f"The model could not be loaded within {timeout_s:g} seconds."
        if problem is not None:
            self.kill(problem)
            await self.wait_closed()
            raise BuildError(BuildStage.START, problem)

    async def send(self, request_id: str, data: bytes, timeout_s: float) -> Reply:
        """Run one request; see `quadrat.runner.base.Instance.send`."""
        future: asyncio.Future[Reply] = self._loop.create_future()

        def on_end(end: End) -> None:
            if not isinstance(end, Reply):
                if not future.done():
                    future.set_exception(end)
            elif future.done():  # given up in this turn of the loop
                end.close_files()
            else:
                future.set_result(end)

        number = self.submit(request_id, data, timeout_s, on_end)
        try:
            return await future
        except asyncio.CancelledError:
            self.give_up(number)
            raise

    def submit(self, request_id: str, data: bytes, timeout_s: float, on_end: OnEnd) -> int:
        """Run one request; see `quadrat.runner.base.Instance.submit`."""
        if self._reason is not None:
            raise InstanceLostError(self._reason)
        self._number = number = self._number + 1
        # First of all: an idle instance begins on it meanwhile.
        self._write(number, REQUEST, data, at_once=not self._pending)
        pending = self._pending[number] = _Pending(on_end, self._loop.time(), timeout_s)
        if pending.deadline < self._alarm_at:
            self._set_alarm(pending.deadline)
        self._output.expect(number, request_id)
        return number

    def give_up(self, number: int) -> None:
        """Nobody waits for it any more; see `quadrat.runner.base.Instance.give_up`."""
        pending = self._pending.get(number)
        if pending is not None:
            pending.on_end = None
            self._withdraw(number)

    def recall(self) -> None:
        """Take back the requests behind the one that the model works on; see `quadrat.runner.base.Instance.recall`."""
        for number in list(self._pending)[1:]:
            self._pending[number].tell(RecalledError())
            self._withdraw(number)

    async def stop(self, grace_s: float = 5.0) -> None:
        """End the process: ask, wait `grace_s`, then kill its whole group. Safe to call twice."""
        if not self._ended.done():
            if self._reason is None:
                self._reason = STOPPED
                self._write(0, STOP, b"")
            try:
                async with asyncio.timeout(grace_s):
                    await asyncio.shield(self._ended)
            except TimeoutError:
                self._kill_group()
        await asyncio.shield(self._ended)

    async def wait_closed(self) -> str:
        """Return when the process has ended, with a sentence that says why."""
        return await asyncio.shield(self._ended)

    def kill(self, reason: str) -> None:
        """Kill the whole process group now; requests on their way fail with this reason."""
        if self._ended.done():
            return
        if self._reason is None:
            self._reason = reason
        self._kill_group()
        self._fail_pending(self._reason)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the line."""
        # Not every event loop's stream transports are subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._descriptor = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Take in frames; the lines that a request wrote are given out before its reply."""
        self._heard_at = self._loop.time()
        if self._buffer:
            self._buffer += data
            del self._buffer[: self._take(self._buffer)]
            return
        # Nearly always whole frames come: they need not be copied first.
        position = self._take(data)
        if position < len(data):
            self._buffer += memoryview(data)[position:]

    def _take(self, data: bytes | bytearray) -> int:
        """Take in the frames that are whole; how many bytes they have."""
        frames = []
        marked = -1
        position, end = 0, len(data)
        while end - position >= HEADER.size:
            length, number, kind = HEADER.unpack_from(data, position)
            if length > FRAME_LIMIT_BYTES:
                self._on_nonsense()
                return end
            start = position + HEADER.size
            if end - start < length:
                break
            position = start + length
            if kind & MARKED:
                marked, kind = number, kind & ~MARKED
            frames.append((number, kind, bytes(data[start:position])))
        if marked >= 0:
            self._output.drain(marked)
        for frame in frames:
            self._on_frame(*frame)
        return position

    def eof_received(self) -> bool:
        """The shim closed its end; the watcher will tell when the process has ended."""
        return False

    # Own steps.

    def _write(self, number: int, kind: int, payload: bytes, *, at_once: bool = False) -> None:
        head = HEADER.pack(len(payload), number, kind)
        if at_once and not self._outgoing and self._transport is not None:
            # An idle instance begins on it while this process goes on.
            write_now(self._transport, self._descriptor, head + payload)
            return
        if not self._outgoing:
            # Everything sent in this turn of the loop goes out in one piece.
            self._loop.call_soon(self._flush)
        self._outgoing += (head, payload)

    def _flush(self) -> None:
        if self._transport is not None:
            write_now(self._transport, self._descriptor, b"".join(self._outgoing))
        self._outgoing.clear()

    def _on_frame(self, number: int, kind: int, payload: bytes) -> None:
        if kind in (READY, START_FAILED):
            self._output.ended(number)
            if not self._loaded.done():
                self._loaded.set_result(payload.decode("utf-8", "replace") if kind == START_FAILED else None)
            return
        if kind == FILES:
            self._on_files(number, payload)
            return
        pending = self._pending.pop(number, None)
        if pending is None:
            return
        self._output.ended(number)
        if pending.on_end is None:
            _close(pending.files)
            return
        if kind not in (RESULT, FAILURE) or len(payload) < NUMBER.size:
            self._pending = {number: pending, **self._pending}
            self._on_nonsense()
            return
        (duration,) = NUMBER.unpack_from(payload)
        answer = payload[NUMBER.size :]
        if kind == RESULT:
            pending.tell(Reply(True, answer, None, duration, pending.files))
        else:
            _close(pending.files)
            pending.tell(Reply(False, b"null", answer.decode("utf-8", "replace"), duration))

    def _on_nonsense(self) -> None:
        """The model has found the line to the server and written into it."""
        self._buffer.clear()
        self.kill("The instance was stopped: the model wrote into the server's own line to it.")

    def _on_files(self, number: int, payload: bytes) -> None:
        pending = self._pending.get(number)
        if pending is None or pending.files is not None:
            return
        try:
            pending.files = self._outbox.take(payload)
        except ValueError as error:
            self.kill(str(error))

    def _set_alarm(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = self._loop.call_at(at, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm, self._alarm_at = None, math.inf
        now = self._loop.time()
        for number in [number for number, item in self._pending.items() if item.deadline <= now]:
            self._expire(number)
        if self._pending and self._reason is None:
            self._set_alarm(min(item.deadline for item in self._pending.values()))

    def _expire(self, number: int) -> None:
        pending = self._pending.get(number)
        if pending is None:  # the instance was just killed because of one before it
            return
        slow = f"request took longer than {pending.timeout_s:g} seconds."
        if number == next(iter(self._pending)):
            error = RequestTimeoutError(f"The {slow}", ran_ns=self._ran_ns(pending))
            # Whoever hears of it shall find the instance ended.
            on_end, pending.on_end = pending.on_end, None
            self.kill(f"The instance was stopped: a {slow}")
            if on_end is not None:
                on_end(error)
            return
        # Not begun yet. Should the model begin on it before it hears, it has the same time once more.
        pending.deadline = self._loop.time() + pending.timeout_s
        self._withdraw(number)
        pending.tell(RequestTimeoutError(f"The {slow}"))

    def _ran_ns(self, first: _Pending) -> int:
        """How long the model has been at the first request: since it was sent, or since the answer before it."""
        return round((self._loop.time() - max(first.sent_at, self._heard_at)) * 1e9)

    def _withdraw(self, number: int) -> None:
        """Tell the shim to skip a request that nobody waits for, unless it is at it already."""
        pending = self._pending.get(number)
        if pending is None or pending.withdrawn or self._reason is not None:
            return
        pending.withdrawn = True
        if number != next(iter(self._pending)):
            self._write(number, CANCEL, b"")

    def _fail_pending(self, reason: str) -> None:
        pending, self._pending = self._pending, {}
        for place, item in enumerate(pending.values()):
            _close(item.files)
            item.tell(InstanceLostError(reason, began=place == 0, ran_ns=None if place else self._ran_ns(item)))
        if not self._loaded.done():
            self._loaded.set_result(reason)

    def _kill_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            return

    def _watch(self) -> None:
        """Wait for the process in a thread of its own: works with every event loop and system."""
        wait_for_end(self._process)
        try:
            self._loop.call_soon_threadsafe(self._on_exit)
        except RuntimeError:
            # The loop was closed with the instance running; the lifeline ends the child with the server.
            self._process.wait()

    def _on_exit(self) -> None:
        self._kill_group()
        code = self._process.wait()
        for step in (self._read_rest, self._output.close, partial(self._let_go, code), self._outbox.close):
            try:
                step()
            except Exception:  # noqa: BLE001 - who waits for the end hears of it, whatever others do with what they hear
                _log.exception("runner.end_failed", instance=self._id)
        self._ended.set_result(self._reason or exit_sentence(code))
        self._on_end(self)

    def _let_go(self, code: int) -> None:
        if self._transport is not None:
            self._transport.abort()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._reason is None:
            self._reason = exit_sentence(code)
        self._fail_pending(self._reason)

    def _read_rest(self) -> None:
        """Take in what the process said last: the news of its end may have been quicker."""
        if self._transport is None or self._transport.is_closing():
            return
        line = self._transport.get_extra_info("socket").fileno()
        with suppress(OSError):
            for _ in range(_MOST_PIECES):
                data = os.read(line, _PIECE_BYTES)
                if not data:
                    break
                self.data_received(data)


def _close(files: dict[str, GivenFile] | None) -> None:
    for given in (files or {}).values():
        given.stream.close()


def exit_sentence(code: int) -> str:
    """Why a process has ended, for the author of the model.

    Args:
        code: As `subprocess` gives it: negative for a signal.
    """
    if code > 128:
        code = 128 - code  # a shell or sandbox in between passes a signal on like this
    if code == -signal.SIGKILL:
        return "The model's process was killed by the system, most likely because the machine ran out of memory."
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        return f"The model's process crashed with signal {name}."
    return f"The model's process ended by itself with exit code {code}."
