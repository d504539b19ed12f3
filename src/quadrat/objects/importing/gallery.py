"""The images of an import: numbered, looked at and stored by picture processes, a bounded number at a time."""

import asyncio
from array import array
from bisect import bisect_right
from types import TracebackType
from typing import Self

from quadrat.identity.types import ProjectId
from quadrat.objects.importing.frames import Seen, Task
from quadrat.objects.importing.pictures import BLOCK_TASKS, PictureProcesses
from quadrat.objects.importing.types import Problems, ScannedLine, Workshop
from quadrat.objects.rules.images import project_folder
from quadrat.objects.store import imports as store

_IDS_AT_A_TIME = 2048
_BLOCKS_UNDER_WAY = 4
_EXTENSIONS = (".png", ".jpg", ".gif")


class Gallery:
    """Images in the order of their lines; what is seen of each takes 30 bytes.

    Args:
        workshop: With what it works.
        project_id: Whose images they are.
        problems: Where images that cannot be read are named.
        with_tiff: Whether TIFFs are images too.
    """

    def __init__(
        self, workshop: Workshop, project_id: ProjectId, problems: Problems, *, with_tiff: bool = False
    ) -> None:
        self._workshop = workshop
        self._project_id = project_id
        self._problems = problems
        self._pictures = PictureProcesses(workshop.blobs, workshop.processes, with_tiff=with_tiff)
        self._free = asyncio.Semaphore(workshop.processes * _BLOCKS_UNDER_WAY)
        self._tasks: set[asyncio.Task[None]] = set()
        self._block: list[tuple[int, ScannedLine, bool]] = []
        self._count = 0
        self._starts = array("Q")
        self._firsts = array("Q")
        self._sizes = array("Q")
        self._widths, self._heights = array("I"), array("I")
        self._small_widths, self._small_heights = array("H"), array("H")
        self._kinds = array("b")

    async def __aenter__(self) -> Self:
        """Processes start when there is something to look at."""
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End the processes and what they are at."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pictures.close()

    async def add(self, line: ScannedLine, *, store: bool) -> None:
        """The next image; waits while the processes are behind.

        Args:
            line: Where it stands.
            store: Whether to store it as well; not when the import has failed already.
        """
        for facts in (self._sizes, self._widths, self._heights, self._small_widths, self._small_heights, self._kinds):
            facts.append(0)
        self._block.append((self._count, line, store))
        self._count += 1
        if len(self._block) >= BLOCK_TASKS:
            await self._send()

    async def finish(self) -> None:
        """Return when all images have been looked at."""
        if self._block:
            await self._send()
        while self._tasks:
            for done in await asyncio.gather(*self._tasks):
                assert done is None  # noqa: S101 - an error is raised here
            self._tasks = {task for task in self._tasks if not task.done()}

    def image_id(self, index: int) -> int:
        """Number of the image at this place."""
        at = bisect_right(self._starts, index) - 1
        return self._firsts[at] + index - self._starts[at]

    def seen(self, index: int) -> Seen:
        """What was seen of it."""
        return Seen(
            None,
            _EXTENSIONS[self._kinds[index]],
            self._sizes[index],
            self._widths[index],
            self._heights[index],
            self._small_widths[index] or None,
            self._small_heights[index] or None,
        )

    async def _send(self) -> None:
        block, self._block = self._block, []
        await self._number(block[-1][0])
        await self._free.acquire()
        task = asyncio.create_task(self._look(block))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        failed = next((done for done in self._tasks if done.done() and done.exception() is not None), None)
        if failed is not None:
            failed.result()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._free.release()
        if not task.cancelled() and task.exception() is None:
            self._tasks.discard(task)

    async def _number(self, last: int) -> None:
        """Have numbers for all images up to this one."""
        start = self._starts[-1] + _IDS_AT_A_TIME if self._starts else 0
        while start <= last:
            async with self._workshop.db.begin() as tx:
                first = await store.take_images(tx, self._project_id, _IDS_AT_A_TIME)
            self._starts.append(start)
            self._firsts.append(first)
            start += _IDS_AT_A_TIME

    async def _look(self, block: list[tuple[int, ScannedLine, bool]]) -> None:
        folder = project_folder(self._project_id)
        tasks = []
        for index, line, stored in block:
            assert line.place is not None  # noqa: S101 - lines without an image are no business of ours
            tasks.append(Task(line.place, f"{folder}{self.image_id(index)}" if stored else None))
        for (index, line, _), seen in zip(block, await self._pictures.look(tasks), strict=True):
            if seen.problem is None:
                self._keep(index, seen)
            else:
                name = line.line.image[:200]
                self._problems.add(f"Error while reading image '{name}' {line.where}: {seen.problem}")

    def _keep(self, index: int, seen: Seen) -> None:
        self._kinds[index] = _EXTENSIONS.index(seen.extension)
        self._sizes[index] = seen.size_bytes
        self._widths[index], self._heights[index] = seen.width_px, seen.height_px
        self._small_widths[index] = seen.thumbnail_width_px or 0
        self._small_heights[index] = seen.thumbnail_height_px or 0
