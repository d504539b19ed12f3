"""Asks for the removal of bytes whose rows are gone."""

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import Queueing

PURGE = "gaze.purge"


async def ask_for_purge(tx: AsyncConnection) -> None:
    """Call in every transaction that removes or replaces what owns bytes; triggers have noted them."""
    await enqueue(tx, PURGE, {}, queueing=Queueing(once=True))
