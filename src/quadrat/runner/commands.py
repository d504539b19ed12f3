"""Runs the programs that build something, as another user, with their output line by line."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quadrat.runner.accounts import Account
from quadrat.runner.lifeline import Lifeline

OnLine = Callable[[str], None]


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

    Returns:
        The exit code; negative for a signal, 127 when the program cannot be executed by that account.
    """
    loop = asyncio.get_running_loop()

    def forward(line: str) -> None:
        loop.call_soon_threadsafe(on_line, line)

    lifeline = Lifeline()
    spawning = asyncio.ensure_future(asyncio.to_thread(_spawn, command, lifeline))
    try:
        process = await asyncio.shield(spawning)
    except asyncio.CancelledError:
        spawning.add_done_callback(lambda _: lifeline.close())
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
    with process:
        if process.stdin is None or process.stdout is None:  # pragma: no cover - both are pipes
            raise RuntimeError("the program was started without pipes")
        try:
            process.stdin.write(stdin)
            process.stdin.close()
        except BrokenPipeError:
            forward("the program ended before it read its input")
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                forward(text)
    return process.returncode


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
