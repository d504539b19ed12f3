"""Many small writes as few large ones."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_log = structlog.get_logger(__name__)
_MOST = 2000


class Gatherer(Generic[Item, Outcome]):
    """Writes items in blocks, one block at a time and in the order in which they came.

    Args:
        write: Writes a block, all or nothing, and gives one outcome for each item. A block whose writing fails is
            tried again, so it has to be safe to repeat.
        retry_s: Pause after a failure.
        name: For logs.
    """

    def __init__(
        self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome]]], *, retry_s: float, name: str
    ) -> None:
        self._write = write
        self._retry_s = retry_s
        self._name = name
        self._waiting: list[tuple[Item, asyncio.Future[Outcome]]] = []
        self._some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_often(), name=self._name)

    async def stop(self) -> None:
        """Try once to write what is left; whoever waits for what could not be written is told so."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            while self._waiting:
                await self._write_block()
        except Exception:  # noqa: BLE001 - the server stops whatever it was
            _log.exception("gatherer.lost", gatherer=self._name, items=len(self._waiting))
        for _item, done in self._waiting:
            done.cancel()

    def put(self, item: Item) -> "asyncio.Future[Outcome]":
        """Have an item written soon; the future gives its outcome."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        self._some.set()
        return done

    async def _write_often(self) -> None:
        while True:
            await self._some.wait()
            try:
                await self._write_block()
            except Exception:  # noqa: BLE001 - the items must be written some day whatever it was
                _log.exception("gatherer.failed", gatherer=self._name, items=len(self._waiting))
                await asyncio.sleep(self._retry_s)

    async def _write_block(self) -> None:
        block = self._waiting[:_MOST]
        if not block:
            self._some.clear()
            return
        outcomes = await self._write([item for item, _ in block])
        del self._waiting[: len(block)]
        if not self._waiting:
            self._some.clear()
        for (_item, done), outcome in zip(block, outcomes, strict=True):
            if not done.done():
                done.set_result(outcome)
