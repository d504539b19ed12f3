"""Jobs that remove bytes of what is gone."""

from collections.abc import Mapping
from typing import Any

from quadrat.gaze.store import files as store
from quadrat.gaze.tasks.resources import GazeResources
from quadrat.jobs.registry import JobContext


async def drop_upload(context: JobContext[GazeResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove uploaded files of an import, whatever became of it. Safe to repeat."""
    return {"removed": await context.resources.blobs.delete_prefix(str(params["folder"]))}


async def sweep(context: JobContext[GazeResources], _params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove the bytes of rows that are gone, in whatever way they went. Safe to repeat."""
    async with context.db.begin() as tx:
        dead = await store.list_dead_blobs(tx)
    removed = 0
    for _, prefix in dead:
        removed += await context.resources.blobs.delete_prefix(prefix)
    async with context.db.begin() as tx:
        await store.forget_dead_blobs(tx, [id_ for id_, _ in dead])
    return {"removed": removed}
