"""What a runner is: it turns a package into running instances and hands them requests. It knows no database.

Two implementations stand behind this: `quadrat.runner.local` (child processes of this machine) and, later, one on Ray.
One conformance suite (`tests/unit/runner`) runs on every implementation.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec


class BuildStage(StrEnum):
    """Where a build stopped."""

    PACKAGE = "package"
    REQUIREMENTS = "requirements"
    START = "start"


class BuildError(Exception):
    """A package that cannot be built or started; the message is for its author.

    Args:
        stage: Where it stopped.
        message: One sentence that names the file or the requirement at fault.
    """

    def __init__(self, stage: BuildStage, message: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message


class InstanceLostError(Exception):
    """The instance ended while a request was on its way.

    Args:
        message: Why it ended: exit code, signal, memory.
        began: True when the model may have begun on the request; False when another instance can run it from the start.
        ran_ns: How long the model was at it; None when it may not have begun.
    """

    def __init__(self, message: str, *, began: bool = False, ran_ns: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.began = began
        self.ran_ns = ran_ns


class RecalledError(Exception):
    """The request was taken back before the model began on it; see `Instance.recall`."""


class RequestTimeoutError(Exception):
    """The request passed its deadline. Its instance has been killed if the model had begun.

    Args:
        message: Says how long it was given.
        ran_ns: How long the model was at it; None when it had not begun.
    """

    def __init__(self, message: str, *, ran_ns: int | None = None) -> None:
        super().__init__(message)
        self.ran_ns = ran_ns


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a build, an instance or the runner wrote.

    Args:
        at: When it was read, aware UTC.
        text: The line without its line end; never empty.
        request_id: The request that the instance was working on, if any.
        system: True for the runner's own words, False for output of the user's code.
    """

    at: datetime
    text: str
    request_id: str | None = None
    system: bool = False


LogSink = Callable[[LogLine], None]
FetchFile = Callable[[Path], Awaitable[None]]
"""Writes a file, such as a package archive, to the given path."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A package as it was uploaded.

    Args:
        key: SHA-256 of the archive, hex: the content address under which it is unpacked.
        language: The interpreter asked for, e.g. ``python3.8``.
        fetch: Brings the archive when it is not unpacked on this machine yet.
    """

    key: str
    language: str
    fetch: FetchFile


@dataclass(frozen=True, slots=True)
class Prepared:
    """A revision unpacked beside an environment that can run it.

    Args:
        revision_key: Content address of the package.
        environment_key: Content address of interpreter and requirements.
        python: The environment's interpreter.
        entrance: The program that starts instances: as what is installed must not run before they are walled in, it is
            none of the environment's.
        package_dir: Absolute path of the directory that holds the main file's default place.
        language: What really runs, e.g. ``python3.11`` when ``python3.8`` was asked for and is not installed.
        requirements: What the package wants installed, a line each, without comments.
    """

    revision_key: str
    environment_key: str
    python: Path
    entrance: Path
    package_dir: Path
    language: str
    requirements: str = ""


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """Everything one instance needs.

    Args:
        prepared: From `Runner.prepare`.
        context: Passed to the model's ``__init__`` (JSON values).
        environment: The declared variables, and nothing else of the server's environment.
            ``ML_MODEL_FILE_NAME`` among them names another main file.
        memory_limit_bytes: Hard limit of the instance's memory.
        start_timeout_s: Longest time for import and ``__init__``.
        file_outputs: Fields of the result for which the model returns paths of files.
    """

    prepared: Prepared
    context: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_limit_bytes: int = 2048 * 1024 * 1024
    start_timeout_s: float = 300.0
    file_outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LentFile:
    """A file that a request needs.

    Args:
        name: Base name under which the model sees it.
        fetch: Brings its bytes.
    """

    name: str
    fetch: FetchFile


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file that a model gave; it stays readable when its instance ends.

    Args:
        name: Base name that the model gave it.
        stream: Its bytes.
    """

    name: str
    stream: IO[bytes]


class Reply(msgspec.Struct, frozen=True):
    """What the model answered. One is made per request, and this kind of class is made fastest.

    Args:
        success: False when the model raised.
        result: The returned value as JSON text; ``b"null"`` on failure.
        error_message: Text of the exception (its class name when it has none), at most 2000 characters.
        duration_ns: Time inside the model's ``request``.
        files: For each of the `file_outputs`, what the model gave; in `result` they are null. Close them.
    """

    success: bool
    result: bytes
    error_message: str | None
    duration_ns: int
    files: Mapping[str, GivenFile] | None = None

    def close_files(self) -> None:
        """Let go of the files."""
        for given in (self.files or {}).values():
            given.stream.close()


End = Reply | InstanceLostError | RequestTimeoutError | RecalledError
OnEnd = Callable[[End], None]
"""Is called in the event loop with the reply, or with what kept the instance from one. It must not raise."""


class Instance(Protocol):
    """One process with one loaded model. It works on one request at a time, in the order of `send`."""

    @property
    def id(self) -> str:
        """Identifier for logs, unique on this machine."""
        ...

    @property
    def alive(self) -> bool:
        """False as soon as the process is known to have ended."""
        ...

    async def send(self, request_id: str, data: bytes, timeout_s: float) -> Reply:
        """Run one request. Several may be on the way; depth beyond one only saves the hand-over time.

        Args:
            request_id: Marks the log lines that the model writes meanwhile.
            data: The request data as JSON text, handed on as it came.
            timeout_s: Seconds from now; when they pass the instance is killed if the model has begun on it.

        Raises:
            InstanceLostError: The process ended before it answered.
            RequestTimeoutError: The deadline passed.
            RecalledError: It was taken back.
        """
        ...

    def submit(self, request_id: str, data: bytes, timeout_s: float, on_end: OnEnd) -> int:
        """Run one request as `send` does, and tell its end by a call: a coroutine and its future cost as much again.

        Args:
            request_id: See `send`.
            data: See `send`.
            timeout_s: See `send`.
            on_end: Called once and later, unless the request is given up.

        Returns:
            Its number, for `give_up`.

        Raises:
            InstanceLostError: The process has ended already.
        """
        ...

    def give_up(self, number: int) -> None:
        """Nobody waits for this request any more: the model passes over it, if it is not at it already."""
        ...

    def recall(self) -> None:
        """Take back the requests behind the one that the model works on: another instance may be quicker."""
        ...

    async def stop(self, grace_s: float = 5.0) -> None:
        """End the process: ask, wait `grace_s`, then kill its whole group. Safe to call twice."""
        ...

    async def wait_closed(self) -> str:
        """Return when the process has ended, with a sentence that says why."""
        ...


class Runner(Protocol):
    """Makes environments and instances on one kind of machine."""

    async def open(self) -> None:
        """Set up what the first `prepare` or `start` would wait for."""
        ...

    async def prepare(self, revision: Revision, log: LogSink) -> Prepared:
        """Unpack the package and build its environment; a no-op when both are there.

        Raises:
            BuildError: The archive or its requirements are at fault.
        """
        ...

    async def start(self, spec: InstanceSpec, log: LogSink) -> Instance:
        """Start a process and load the model.

        Raises:
            BuildError: stage START, when import or ``__init__`` fails or takes too long; it holds the exception's text.
        """
        ...

    def lend(self, files: Sequence[LentFile]) -> AbstractAsyncContextManager[Sequence[str]]:
        """Put files where every instance can read them that knows their paths; they go at the end of the block.

        Returns:
            Their absolute paths as instances see them, in the same order.
        """
        ...

    async def collect(self, wanted: Collection[Revision], grace_s: float) -> int:
        """Remove environments and unpacked packages that nobody uses.

        Args:
            wanted: All that some version may still be started from.
            grace_s: What was prepared within this time stays in any case.

        Returns:
            How many were removed.
        """
        ...

    async def close(self) -> None:
        """Stop every instance."""
        ...
