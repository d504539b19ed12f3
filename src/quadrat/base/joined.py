"""Look-ups that many want at the same time, done once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

Found = TypeVar("Found")


class Joined:
    """Has those who ask for what is being looked up wait for it; they go on in the order in which they came."""

    def __init__(self) -> None:
        self._asking: dict[Hashable, asyncio.Task[Any]] = {}
        # How many have asked and have not gone on.
        self._before: Counter[Hashable] = Counter()

    def has_before(self, key: Hashable) -> bool:
        """Whether somebody has asked for it who has not gone on yet, though it may have been found."""
        return key in self._before

    async def find(self, key: Hashable, look_up: Callable[[], Coroutine[Any, Any, Found]]) -> Found:
        """What a look-up finds.

        Args:
            key: For what; what is asked after a change needs another key than before it, unless the look-up itself
                begins again when something changes meanwhile.
            look_up: Whatever it raises is raised for all who wait.
        """
        task = self._asking.get(key)
        # Who waits for one that has ended goes on at once, before those who have waited for it.
        if task is None or task.done():
            task = self._asking[key] = asyncio.create_task(look_up())
            task.add_done_callback(lambda ended: self._on_found(key, ended))
        self._before[key] += 1
        try:
            # Shielded: one of those who wait may give up.
            found: Found = await asyncio.shield(task)
            return found
        finally:
            self._before[key] -= 1
            if not self._before[key]:
                del self._before[key]

    def _on_found(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._asking[key] is task:
            del self._asking[key]
        if not task.cancelled():
            task.exception()  # not to be reported when nobody waits any more
