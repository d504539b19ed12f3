"""Runs the programs that build something, as another user, with their output line by line."""

import asyncio
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from quadrat.runner.accounts import Account
from quadrat.runner.lifeline import Lifeline

OnLine = Callable[[str], None]
_PIECE_BYTES = 64 * 1024
_MOST_PIECES = 64


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its arguments.

    Args:
        argv: Program and arguments.
        cwd: Working directory.
        env: All of its environment.
        account: As whom it runs.
        stdin: What it reads.
        keep: Descriptors that it inherits; a lock held through one lives as long as the program.
        timeout_s: It is killed after this time and counts as failed.
        on_start: Is told the number of its process.
    """

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    account: Account
    stdin: bytes = b""
    keep: tuple[int, ...] = ()
    timeout_s: float = 60.0
    on_start: Callable[[int], None] | None = None


async def run(command: Command, on_line: OnLine) -> int:
    """Run a program to its end; `on_line` is called in the event loop. Cancelling kills the program's group.

    When the program itself has ended, so does all that is left of its group, and nobody waits for a process that has
    left the group and goes on holding its output.

    Returns:
        The exit code; negative for a signal, 127 when the program cannot be executed by that account.
    """
    loop = asyncio.get_running_loop()

    def forward(line: str) -> None:
        loop.call_soon_threadsafe(on_line, line)

    lifeline = Lifeline()
    spawning = loop.run_in_executor(None, _spawn, command, lifeline)
    try:
        process = await asyncio.shield(spawning)
    except asyncio.CancelledError:
        # The descriptors must stay open until the process is there; then it is ended and waited for.
        try:
            with suppress(OSError, subprocess.SubprocessError):
                await asyncio.to_thread(end_process, await spawning)
        finally:
            lifeline.close()
        raise
    except (OSError, subprocess.SubprocessError) as error:
        lifeline.close()
        on_line(f"{Path(command.argv[0]).name}: {error}")
        return 127
    if command.on_start is not None:
        command.on_start(process.pid)
    try:
        async with asyncio.timeout(command.timeout_s):
            return await asyncio.to_thread(_follow, process, command.stdin, forward)
    except TimeoutError:
        on_line(f"{Path(command.argv[0]).name}: stopped after {command.timeout_s:.0f} seconds")
        return -signal.SIGKILL
    finally:
        _kill_group(process)
        lifeline.close()


def _spawn(command: Command, lifeline: Lifeline) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        list(command.argv),
        cwd=command.cwd,
        env=dict(command.env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(*command.keep, lifeline.descriptor),
        start_new_session=True,
        umask=0o022,
        **command.account.popen_arguments(),
    )
    lifeline.tie(process.pid)
    return process


def _follow(process: subprocess.Popen[bytes], stdin: bytes, forward: OnLine) -> int:
    if process.stdin is None or process.stdout is None:  # pragma: no cover - both are pipes
        raise RuntimeError("the program was started without pipes")
    ended, end = os.pipe()
    watcher = threading.Thread(target=_end_with_its_first, args=(process, end), name="command-end", daemon=True)
    watcher.start()
    try:
        with process.stdin:
            process.stdin.write(stdin)
    except BrokenPipeError:
        forward("the program ended before it read its input")
    with process.stdout as output:
        _read_lines(output.fileno(), ended, forward)
    watcher.join()
    os.close(ended)
    return process.wait()


def _end_with_its_first(process: subprocess.Popen[bytes], end: int) -> None:
    """Wait for the group's first process, kill the others, and close `end`: then all that they wrote is in the pipe."""
    wait_for_end(process)
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
    os.close(end)


def _read_lines(output: int, ended: int, forward: OnLine) -> None:
    """Forward lines until nobody can write any more, or `ended` is closed and everything until then has been read."""
    os.set_blocking(output, False)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            is_over = any(key.fd == ended for key, _ in selector.select())
            data = _read_all(output) if is_over else _read_piece(output)
            *lines, rest = (rest + (data or b"")).split(b"\n")
            if is_over or data == b"":
                lines.append(rest)
            for line in lines:
                text = line.decode("utf-8", "replace").rstrip()
                if text:
                    forward(text)
            if is_over or data == b"":
                return


def _read_piece(output: int) -> bytes | None:
    """What is there; empty at the end, None when there is nothing now."""
    try:
        return os.read(output, _PIECE_BYTES)
    except BlockingIOError:
        return None


def _read_all(output: int) -> bytes:
    """What is in the pipe, which is not more than it holds: somebody may go on writing."""
    pieces = []
    for _ in range(_MOST_PIECES):
        piece = _read_piece(output)
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def wait_for_end(process: subprocess.Popen[bytes]) -> None:
    """Return when a program has ended; where the system can, its zombie is left, so that its number stays taken."""
    if hasattr(os, "waitid"):
        # Somebody else in this server may have waited for it: a library that looks after children, for one.
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that nobody follows, with its group, and wait for it."""
    _kill_group(process)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            return
