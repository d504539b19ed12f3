"""A memory of computed things by the content they were computed from.

What another process changes has another key, so nothing that is found here can be out of date.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ContentCache(Generic[Value]):
    """Forgets what was not used for the longest time.

    Args:
        max_bytes: How much it may hold, by the sizes that `put` is told.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """What is known under this key."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: Value, size_bytes: int) -> None:
        """Remember something."""
        before = self._entries.pop(key, None)
        if before is not None:
            self._held_bytes -= before[1]
        self._entries[key] = (value, size_bytes)
        self._held_bytes += size_bytes
        while self._held_bytes > self._max_bytes and len(self._entries) > 1:
            _, (_, freed) = self._entries.popitem(last=False)
            self._held_bytes -= freed
