"""Look-ups that many want at the same time, done once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

Found = TypeVar("Found")


class Joined:
    """Has those who ask for what is being looked up wait for it; they go on in the order in which they came."""

    def __init__(self) -> None:
        self._asking: dict[Hashable, asyncio.Task[Any]] = {}

    async def find(self, key: Hashable, look_up: Callable[[], Coroutine[Any, Any, Found]]) -> Found:
        """What a look-up finds.

        Args:
            key: For what; what is asked after a change needs another key than before it.
            look_up: Whatever it raises is raised for all who wait.
        """
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(look_up())
            task.add_done_callback(lambda ended: self._on_found(key, ended))
        # Shielded: one of those who wait may give up.
        found: Found = await asyncio.shield(task)
        return found

    def _on_found(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # not to be reported when nobody waits any more
