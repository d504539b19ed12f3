"""What has to go one day: lines of logs, counts, and what a deleted project leaves behind."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.actions import projects
from quadrat.identity.actions.access import ProjectRef
from quadrat.identity.types import Caller
from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import Queueing

PURGE = "serving.purge"
# The domains above have theirs, which are known here by name only.
_PURGES = (PURGE, "samples.purge", "objects.purge", "gaze.purge")
_DAILY = {"daily": True}


async def delete_project(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> None:
    """Remove a project and all that is in it; bytes and lines of logs go by jobs, soon after.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await projects.delete_project(tx, caller, ref)
    for kind in _PURGES:
        await enqueue(tx, kind, {}, queueing=Queueing(once=True, lock=kind))


async def purge_daily(tx: AsyncConnection, *, after: timedelta | None = None) -> None:
    """Let everything be purged once, and by that again a day later; nothing new while such a job waits."""
    for kind in _PURGES:
        await enqueue(tx, kind, _DAILY, queueing=Queueing(once=True, lock=kind, after=after))


async def purge_tomorrow(tx: AsyncConnection, kind: str) -> None:
    """Call at the end of a daily purge of this kind."""
    await enqueue(tx, kind, _DAILY, queueing=Queueing(once=True, lock=kind, after=timedelta(days=1)))
