"""Who waits for a place on an instance, in which order."""

import asyncio
from collections import deque
from itertools import islice
from typing import Generic, TypeVar

Place = TypeVar("Place")


class WaitingLine(Generic[Place]):
    """Direct requests first, then batch requests; each in the order in which they came.

    Waiters that have given up stay in line until their turn comes, and are passed over.
    """

    def __init__(self) -> None:
        self._direct: deque[asyncio.Future[Place]] = deque()
        self._batch: deque[asyncio.Future[Place]] = deque()

    def join(self, *, batch: bool, again: bool = False) -> "asyncio.Future[Place]":
        """Wait at the end, or first of their kind for those who had a place and lost it; the future gives the place."""
        waiter: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        queue = self._batch if batch else self._direct
        if again:
            queue.appendleft(waiter)
        else:
            queue.append(waiter)
        return waiter

    def is_before(self, *, batch: bool) -> bool:
        """Whether a newcomer has to stand behind somebody."""
        return bool(self._direct) or (batch and bool(self._batch))

    def next(self) -> "asyncio.Future[Place] | None":
        """Whose turn it is; stays first in line."""
        for queue in (self._direct, self._batch):
            while queue:
                if not queue[0].done():
                    return queue[0]
                queue.popleft()
        return None

    def is_longer_than(self, number: int) -> bool:
        """Whether more than so many wait."""
        waiting = (waiter for queue in (self._direct, self._batch) for waiter in queue if not waiter.done())
        return next(islice(waiting, number, None), None) is not None

    def fail(self, error: Exception) -> None:
        """Send everyone away."""
        while (waiter := self.next()) is not None:
            waiter.set_exception(error)

    def __len__(self) -> int:
        return sum(not waiter.done() for queue in (self._direct, self._batch) for waiter in queue)
