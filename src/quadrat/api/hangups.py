"""Ends the work for callers who have hung up, so that a model does not go on computing for nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.types import Receive

HUNG_UP = 499
"""The status under which those are counted who left; nobody reads it."""

LOOK_S = 0.5
"""How long the work goes on at most for one who has left."""


class HungUpError(Exception):
    """Nobody waits for the answer any more."""


class Caller:
    """One who waits for an answer, and the task that makes it."""

    __slots__ = ("has_hung_up", "is_served", "receive", "task", "watch")

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a server runs each request in a task
        self.task: asyncio.Task[object] = task
        self.receive = receive
        self.watch: asyncio.Task[None] | None = None
        self.has_hung_up = self.is_served = False

    def listen(self) -> None:
        """Have its task cancelled when it hangs up."""
        if self.watch is None:
            self.watch = asyncio.create_task(self._listen())

    def serve(self) -> None:
        """Its answer is there, or nobody wants it."""
        self.is_served = True
        if self.watch is not None:
            self.watch.cancel()

    async def _listen(self) -> None:
        with suppress(OSError):
            while (await self.receive())["type"] != "http.disconnect":
                continue
        if not self.is_served:
            self.has_hung_up = True
            self.task.cancel()


class HangUps:
    """Looks now and then who has been waiting for some time, and listens to those only.

    Most answers come within milliseconds and cost no more than an entry in a table.

    Args:
        look_s: Between two looks.
    """

    def __init__(self, look_s: float = LOOK_S) -> None:
        self._look_s = look_s
        self._waiting: dict[Caller, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, receive: Receive) -> Caller:
        """Have the running task cancelled when its caller hangs up.

        Args:
            receive: The caller's, whose body has been read to its end.

        Returns:
            To be given to `end`, and asked `has_hung_up` when the task is cancelled.
        """
        caller = Caller(receive)
        self._waiting[caller] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._look_s, self._look)
        return caller

    def end(self, caller: Caller) -> None:
        """Its answer is there, or nobody wants it."""
        del self._waiting[caller]
        caller.serve()

    def _look(self) -> None:
        self._timer = None
        if self._waiting:
            for caller in self._waiting:
                caller.listen()
            self._timer = asyncio.get_running_loop().call_later(self._look_s, self._look)


@asynccontextmanager
async def unless_hung_up(receive: Receive) -> AsyncIterator[None]:
    """Cancel what is in the block as soon as the caller hangs up.

    Args:
        receive: The caller's, whose body has been read to its end.

    Raises:
        HungUpError: The caller has hung up.
    """
    caller = Caller(receive)
    caller.listen()
    try:
        yield
    except asyncio.CancelledError:
        if not caller.has_hung_up:
            raise
        caller.task.uncancel()
        raise HungUpError from None
    finally:
        caller.serve()
