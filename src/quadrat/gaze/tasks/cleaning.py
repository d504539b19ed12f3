"""Jobs that remove bytes of what is gone."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from quadrat.gaze.actions.cleaning import PURGE
from quadrat.gaze.actions.exports import EXPORTS, export_folder
from quadrat.gaze.store import files as store
from quadrat.gaze.tasks.resources import GazeResources
from quadrat.jobs.actions import list_missing
from quadrat.jobs.registry import JobContext
from quadrat.serving.actions.housekeeping import purge_tomorrow

_AT_ONCE = 1000


async def drop_upload(context: JobContext[GazeResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove uploaded files of an import, whatever became of it. Safe to repeat."""
    return {"removed": await context.resources.blobs.delete_prefix(str(params["folder"]))}


async def purge(context: JobContext[GazeResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove uploads that nobody uses, and the bytes of rows that are gone, in whatever way. Safe to repeat."""
    await _expire_uploads(context)
    async with context.db.begin() as tx:
        dead = await store.list_dead_blobs(tx)
    removed = 0
    for _, prefix in dead:
        removed += await context.resources.blobs.delete_prefix(prefix)
    removed += await _remove_exports(context)
    async with context.db.begin() as tx:
        await store.forget_dead_blobs(tx, [id_ for id_, _ in dead])
        if params.get("daily"):
            await purge_tomorrow(tx, PURGE)
    return {"removed": removed}


async def _expire_uploads(context: JobContext[GazeResources]) -> None:
    life, gone = context.resources.unused_upload_life, _AT_ONCE
    while gone == _AT_ONCE:
        async with context.db.begin() as tx:
            gone = await store.expire_files(tx, life, limit=_AT_ONCE)


async def _remove_exports(context: JobContext[GazeResources]) -> int:
    """Those of jobs that went with their projects. A job is there before its file."""
    folders = [UUID(name) for name in await context.resources.blobs.list_folders(EXPORTS)]
    async with context.db.begin() as tx:
        missing = await list_missing(tx, folders)
    removed = 0
    for job_uuid in missing:
        removed += await context.resources.blobs.delete_prefix(export_folder(job_uuid))
    return removed
