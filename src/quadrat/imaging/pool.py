"""Decoding processes: started when needed, bounded in memory and time, replaced when a picture kills one."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from quadrat.errors import ErrorKind, QuadratError
from quadrat.imaging.frames import (
    HEADER,
    Read,
    Shrink,
    encode,
    failure_decoder,
    picture_decoder,
    thumbnail_decoder,
)
from quadrat.imaging.types import Bounds, Picture, UndecodableError

_log = structlog.get_logger(__name__)
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_IDLE_S = 30.0
# Memory that one picture gave back is kept for the next: to get it from the system anew costs a fifth of the work.
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(16 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),
}


class _DecoderDiedError(Exception):
    """The process ended over a picture, or was ended because it took too long."""


class DecoderPool:
    """Decodes pictures beside the process that asks, several at a time. Holds no process while nobody asks.

    Args:
        processes: At most so many.
        bounds: What one picture may cost.
    """

    def __init__(self, processes: int, bounds: Bounds | None = None) -> None:
        self.processes = processes
        self._bounds = bounds or Bounds()
        self._slots = asyncio.Semaphore(processes)
        self._idle: list[asyncio.subprocess.Process] = []
        self._rest: asyncio.TimerHandle | None = None

    async def read(self, path: Path) -> Picture:
        """Everything that is to be known of a picture.

        Raises:
            UndecodableError: It is none, is damaged, or costs more than the bounds allow.
            QuadratError: unavailable, when its file cannot be read.
        """
        return picture_decoder.decode(await self._ask(Read(os.fsencode(path), self._bounds.max_pixels)))

    async def shrink(self, path: Path, side_px: int) -> bytes:
        """A WebP of at most this width and height.

        Raises:
            UndecodableError: As for `read`.
            QuadratError: As for `read`.
        """
        return thumbnail_decoder.decode(await self._ask(Shrink(os.fsencode(path), self._bounds.max_pixels, side_px)))

    async def close(self) -> None:
        """End the processes that wait."""
        if self._rest is not None:
            self._rest.cancel()
        for process in self._idle:
            await _end(process)
        self._idle.clear()

    async def _ask(self, task: Read | Shrink) -> bytes:
        try:
            answer = await self._ask_once(task)
        except _DecoderDiedError:
            # It may have been killed from outside; a picture that kills two is at fault.
            try:
                answer = await self._ask_once(task)
            except _DecoderDiedError as error:
                raise UndecodableError(str(error)) from error
        if answer[0]:
            return answer[1:]
        failed = failure_decoder.decode(answer[1:])
        if failed.unreadable:
            raise QuadratError(ErrorKind.UNAVAILABLE, f"The file of this picture cannot be read: {failed.reason}.")
        raise UndecodableError(failed.reason)

    async def _ask_once(self, task: Read | Shrink) -> bytes:
        async with self._process() as process:
            assert process.stdin is not None  # noqa: S101 - both are pipes
            assert process.stdout is not None  # noqa: S101
            try:
                async with asyncio.timeout(self._bounds.timeout_s):
                    process.stdin.write(encode(task))
                    await process.stdin.drain()
                    (length,) = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
                    return await process.stdout.readexactly(length)
            except TimeoutError:
                message = f"Decoding this picture took more than {self._bounds.timeout_s:g} seconds."
                raise _DecoderDiedError(message) from None
            except (asyncio.IncompleteReadError, ConnectionError):
                raise _DecoderDiedError("The decoder broke down over this picture.") from None

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        async with self._slots:
            process = self._idle.pop() if self._idle else await self._start()
            try:
                yield process
            except BaseException:
                # Also when whoever asked was cancelled: the next one must not get this answer.
                await _end(process)
                raise
            self._idle.append(process)
            self._rest_later()

    async def _start(self) -> asyncio.subprocess.Process:
        # Nothing of this process' environment: it holds secrets, and the decoder needs none of it.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "quadrat.imaging.child",
            str(self._bounds.max_memory_bytes),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_ENVIRONMENT,
            limit=_MAX_ANSWER_BYTES,
        )

    def _rest_later(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(_IDLE_S, self._send_home)

    def _send_home(self) -> None:
        for process in self._idle:
            assert process.stdin is not None  # noqa: S101 - a pipe
            process.stdin.close()
        self._idle.clear()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has ended since, and nobody has been told yet
            process.kill()
        await process.wait()
