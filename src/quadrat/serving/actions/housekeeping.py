"""What has to go one day: lines of logs, counts, and what a deleted project leaves behind."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.actions import projects, users
from quadrat.identity.actions.access import ProjectRef
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import Queueing
from quadrat.serving.signals import announce_models, announce_pipelines

PURGE = "serving.purge"
# The domains above have theirs, which are known here by name only.
_PURGES = (PURGE, "samples.purge", "objects.purge", "gaze.purge")
_DAILY = {"daily": True}
_LAST_WORDS = timedelta(seconds=5)
"""What instances that end say, and what was counted of them, is written by then."""


async def delete_project(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> None:
    """Remove a project and all that is in it; bytes and lines of logs go by jobs, soon after.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await projects.delete_project(tx, caller, ref)
    await _clear_out(tx)


async def remove_project(tx: AsyncConnection, project_id: ProjectId) -> None:
    """The same, when the caller has been allowed to in another way."""
    await projects.remove_project(tx, project_id)
    await _clear_out(tx)


async def _clear_out(tx: AsyncConnection) -> None:
    """Stop what runs for a project that is gone, and have the rest of it removed."""
    await announce_models(tx)
    await announce_pipelines(tx)
    await purge_soon(tx)


async def delete_user(tx: AsyncConnection, caller: Caller) -> None:
    """Remove the caller with the personal organization; its bytes go by jobs, soon after.

    Raises:
        QuadratError: forbidden for a service user; wrong_state for the last administrator of an organization that
            still has projects.
    """
    await users.delete_user(tx, caller)
    await purge_soon(tx)


async def purge_soon(tx: AsyncConnection) -> None:
    """Have everything removed that nothing refers to after this transaction."""
    for kind in _PURGES:
        await enqueue(tx, kind, {}, queueing=Queueing(once=True, after=_LAST_WORDS))


async def purge_daily(tx: AsyncConnection, *, after: timedelta | None = None) -> None:
    """Let everything be purged once, and by that again a day later; nothing new while such a job waits."""
    for kind in _PURGES:
        await enqueue(tx, kind, _DAILY, queueing=Queueing(once=True, after=after))


async def purge_tomorrow(tx: AsyncConnection, kind: str) -> None:
    """Call at the end of a daily purge of this kind."""
    await enqueue(tx, kind, _DAILY, queueing=Queueing(once=True, after=timedelta(days=1)))
