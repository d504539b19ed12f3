"""Tells every process that what it remembers of users and permissions may be wrong now."""

from typing import Protocol
from weakref import WeakSet

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.notify import notify

CHANNEL = "quadrat_identity"


class Memory(Protocol):
    """What this process remembers of users and permissions."""

    def distrust(self) -> None:
        """Remember nothing for a while: something is about to change."""
        ...


_of_this_process: WeakSet[Memory] = WeakSet()


def add_memory(memory: Memory) -> None:
    """Have it told of changes that this process makes before they are made, for as long as it lives."""
    _of_this_process.add(memory)


async def announce_change(tx: AsyncConnection) -> None:
    """Call in every transaction that changes or ends users, tokens, members, projects, roles or assignments.

    Making something new needs none, unless it changes what a known caller may do: nobody remembers what is not there.
    """
    # Whoever has been answered asks here again sooner than the news of it comes back.
    for memory in _of_this_process:
        memory.distrust()
    await notify(tx, CHANNEL)
