"""Bytes of images whose import ended before their rows were written."""

from quadrat.db.engine import Database
from quadrat.db.locks import importing
from quadrat.identity.types import ProjectId
from quadrat.objects.rules.images import project_folder
from quadrat.objects.store import imports as store
from quadrat.storage.blobs import BlobStore


async def remove_leftovers(db: Database, blobs: BlobStore, project_id: ProjectId) -> None:
    """Remove what imports into the project have left. Only for who holds the project's import lock; safe to repeat."""
    async with db.begin() as tx:
        ranges = await store.list_image_ranges(tx, project_id)
    if not ranges:
        return
    await blobs.delete_where(project_folder(project_id).rstrip("/"), lambda key: _is_within(key, ranges))
    async with db.begin() as tx:
        await store.drop_image_ranges(tx, project_id)


async def remove_all_leftovers(db: Database, blobs: BlobStore) -> None:
    """The same for every project into which nobody imports at the moment."""
    async with db.begin() as tx:
        unfinished = await store.list_unfinished_projects(tx)
    for project_id in unfinished:
        async with importing(db.dsn, project_id, wait=False) as alone:
            if alone:
                await remove_leftovers(db, blobs, project_id)


def _is_within(key: str, ranges: list[tuple[int, int]]) -> bool:
    stem = key.rpartition("/")[2].partition(".")[0].partition("_")[0]
    return stem.isdigit() and any(first <= int(stem) <= last for first, last in ranges)
