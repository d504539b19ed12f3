"""Picture processes of an import: fed in blocks, bounded in memory and time, replaced when a picture kills one."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from quadrat.imaging.types import Bounds
from quadrat.objects.importing.frames import HEADER, Seen, Set, Task, answers_decoder, encoder, frame
from quadrat.objects.rules.images import THUMBNAIL
from quadrat.storage.blobs import BlobStore

BLOCK_TASKS = 64
THUMBNAIL_SIDE_PX = 400
_MAX_FILE_BYTES = 512 * 1024 * 1024
_BROKEN = "it breaks the decoder, or takes it too long"


@dataclass(frozen=True, slots=True)
class _Child:
    process: asyncio.subprocess.Process
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader


class _ChildLostError(Exception):
    """The process ended, or was ended because it took too long."""


class PictureProcesses:
    """Looks at pictures beside the import, several blocks at a time.

    Args:
        blobs: Where they are stored.
        processes: At most so many.
        bounds: What one picture may cost.
        with_tiff: Whether TIFFs are pictures too.
    """

    def __init__(
        self, blobs: BlobStore, processes: int, bounds: Bounds | None = None, *, with_tiff: bool = False
    ) -> None:
        self._blobs = blobs
        self._with_tiff = with_tiff
        self._bounds = bounds or Bounds()
        self._slots = asyncio.Semaphore(processes)
        self._idle: list[_Child] = []

    async def look(self, tasks: Sequence[Task]) -> list[Seen]:
        """Look at a block of pictures, and store those that have a key."""
        try:
            return await self._look(tasks)
        except _ChildLostError:
            if len(tasks) == 1:
                return [Seen(_BROKEN)]
            # One of them did it: which one, shows when each has a process for itself.
            half = len(tasks) // 2
            return [*await self.look(tasks[:half]), *await self.look(tasks[half:])]

    async def close(self) -> None:
        """End the processes."""
        for child in self._idle:
            await _end(child)
        self._idle.clear()

    async def _look(self, tasks: Sequence[Task]) -> list[Seen]:
        async with self._slots:
            child = self._idle.pop() if self._idle else await self._start()
            try:
                answers = await self._ask(child, tasks)
            except BaseException:
                await _end(child)
                raise
            self._idle.append(child)
        return [await self._kept(task, seen) for task, seen in zip(tasks, answers, strict=True)]

    async def _ask(self, child: _Child, tasks: Sequence[Task]) -> list[Seen]:
        try:
            async with asyncio.timeout(self._bounds.timeout_s):
                child.writer.write(frame(encoder.encode(tasks)))
                await child.writer.drain()
                (length,) = HEADER.unpack(await child.reader.readexactly(HEADER.size))
                return answers_decoder.decode(await child.reader.readexactly(length))
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            raise _ChildLostError from error

    async def _kept(self, task: Task, seen: Seen) -> Seen:
        """Store what the process has sent back because it cannot reach the store."""
        if seen.content is None or task.key is None:
            return seen
        await self._blobs.put(task.key + seen.extension, seen.content)
        if seen.thumbnail is not None:
            await self._blobs.put(task.key + THUMBNAIL, seen.thumbnail)
        return seen

    async def _start(self) -> _Child:
        # Nothing of this process' environment: it holds secrets, and a decoder needs none of it.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "quadrat.objects.importing.child",
            str(self._bounds.max_memory_bytes),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"},
        )
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        root = self._blobs.local_root
        settings = Set(
            None if root is None else str(root),
            self._bounds.max_pixels,
            _MAX_FILE_BYTES,
            THUMBNAIL_SIDE_PX,
            self._with_tiff,
        )
        process.stdin.write(frame(encoder.encode(settings)))
        return _Child(process, process.stdin, process.stdout)


async def _end(child: _Child) -> None:
    if child.process.returncode is None:
        child.process.kill()
        await child.process.wait()
