"""The memory of this machine, shared out among the instances of all versions."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

_SHARE = 0.8
_MIB = 1024 * 1024
_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Room:
    """Counts what instances may use at most, so that all of them together fit into the machine.

    Args:
        total_mb: What there is.
        make_room: Ends the instance that has been idle longest, if there is one.
    """

    def __init__(self, total_mb: int, make_room: Callable[[], None]) -> None:
        self.total_mb = total_mb
        self.used_mb = 0
        self._make_room = make_room
        self._waiting: list[asyncio.Event] = []

    async def take(self, wanted_mb: int, is_urgent: Callable[[], bool]) -> None:
        """Return when there is room. Whoever has the machine alone may have more than there is.

        Args:
            wanted_mb: The most that the new instance will use.
            is_urgent: Whether a request waits for it: then others that are idle have to yield.
        """
        turn = asyncio.Event()
        self._waiting.append(turn)
        try:
            while self.used_mb and self.used_mb + wanted_mb > self.total_mb:
                turn.clear()
                if is_urgent():
                    self._make_room()
                await turn.wait()
            self.used_mb += wanted_mb
        finally:
            self._waiting.remove(turn)

    def give_back(self, taken_mb: int) -> None:
        """An instance has ended, or was not started after all."""
        self.used_mb -= taken_mb
        self.look_again()

    def look_again(self) -> None:
        """Something has changed: an instance is idle now, or has ended."""
        for turn in self._waiting:
            turn.set()


def machine_memory_mb() -> int:
    """What models may use by default: most of the machine's memory, or of what its container is given."""
    total = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no such group, or one without a limit
        total = min(total, int(_GROUP_LIMIT.read_text()))
    return int(total * _SHARE) // _MIB
