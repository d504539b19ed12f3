"""Who waits for a place on an instance, in which order."""

import asyncio
from collections import deque
from itertools import islice
from typing import Generic, TypeVar

Place = TypeVar("Place")


class WaitingLine(Generic[Place]):
    """Direct requests first, then batch requests; each in the order in which they came.

    Those who had a place and lost it come before all others of their kind, who came later than they. Waiters that have
    given up stay in line until their turn comes, and are passed over.
    """

    def __init__(self) -> None:
        # Direct ones that had a place, other direct ones, batch ones that had a place, other batch ones.
        self._queues: tuple[deque[asyncio.Future[Place]], ...] = (deque(), deque(), deque(), deque())

    def join(self, *, batch: bool, again: bool = False) -> "asyncio.Future[Place]":
        """Wait at the end, or first of their kind for those who had a place and lost it; the future gives the place."""
        waiter: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._queues[2 * batch + (not again)].append(waiter)
        return waiter

    def is_before(self, *, batch: bool) -> bool:
        """Whether a newcomer has to stand behind somebody."""
        direct_again, direct, batch_again, others = self._queues
        return bool(direct_again or direct or (batch and (batch_again or others)))

    def next(self) -> "asyncio.Future[Place] | None":
        """Whose turn it is; stays first in line."""
        for queue in self._queues:
            while queue:
                if not queue[0].done():
                    return queue[0]
                queue.popleft()
        return None

    def is_longer_than(self, number: int) -> bool:
        """Whether more than so many wait."""
        waiting = (waiter for queue in self._queues for waiter in queue if not waiter.done())
        return next(islice(waiting, number, None), None) is not None

    def fail(self, error: Exception) -> None:
        """Send everyone away."""
        while (waiter := self.next()) is not None:
            waiter.set_exception(error)

    def __len__(self) -> int:
        return sum(not waiter.done() for queue in self._queues for waiter in queue)
