"""How the server stands, for who runs it."""

import platform
import shutil
from importlib.metadata import version
from typing import NamedTuple

from fastapi import Request

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_job_card
from quadrat.api.pages.schemas import Administration, DatabaseCard, Disk, Kept, StoredKind, WorkerCard
from quadrat.api.state import Whereabouts
from quadrat.api.wire import Tx
from quadrat.db.facts import read_facts
from quadrat.gaze.store.files import measure_files
from quadrat.identity.actions.sharing import require_administrator
from quadrat.jobs.actions import list_work, look_at_workers
from quadrat.jobs.types import JobFilter, JobState
from quadrat.objects.actions.exports import EXPORT_BACKUP
from quadrat.objects.store.vault import measure_images
from quadrat.samples.store.datasets import measure_datasets
from quadrat.serving.store.blobs import measure_bytes
from quadrat.storage.blobs import BlobStore

router = new_router("Administration")

_STORED = {
    "images of objects": measure_images,
    "image samples": measure_datasets,
    "recordings and pictures of the gaze API": measure_files,
    "packages and data of models": measure_bytes,
}
_OBJECT_BACKUPS = JobFilter(kinds=frozenset({EXPORT_BACKUP}), states=frozenset({JobState.FINISHED}))
_LIBRARIES = ("fastapi", "uvicorn", "sqlalchemy", "psycopg", "procrastinate", "pydantic", "obstore", "numpy", "pillow")
_LOW_DISK_BYTES = 5_000_000_000


class DiskUse(NamedTuple):
    """Bytes of a disk."""

    total: int
    used: int
    free: int


@router.get("/disk", operation_id="disk_get")
async def disk_get(caller: SignedIn, request: Request) -> Disk:
    """Whether the store's disk has room."""
    found = _disk(request)
    told = found if caller.is_platform_admin else None
    return Disk(
        is_low=_is_low(found),
        free_bytes=None if told is None else told.free,
        size_bytes=None if told is None else told.total,
    )


@router.get("/administration", operation_id="administration_get")
async def administration_get(caller: SignedIn, request: Request, tx: Tx) -> Administration:
    """Versions, database, store, workers and jobs; for platform administrators."""
    require_administrator(caller)
    disk = _disk(request)
    database = await read_facts(tx)
    workers, jobs = await look_at_workers(tx)
    stored = []
    for kind, measure in _STORED.items():
        count, size_bytes = await measure(tx)
        stored.append(StoredKind(kind=kind, count=count, size_bytes=size_bytes))
    return Administration(
        version=version("quadrat"),
        python=platform.python_version(),
        platform=platform.platform(),
        database=DatabaseCard(
            version=database.version,
            size_bytes=database.size_bytes,
            connections=database.connections,
            migration=database.migration,
            schema_bytes=dict(database.schema_bytes),
        ),
        store="bucket" if disk is None else "disk",
        disk_free_bytes=None if disk is None else disk.free,
        disk_size_bytes=None if disk is None else disk.total,
        disk_is_low=_is_low(disk),
        stored=stored,
        workers=[WorkerCard(id=worker.id, seen_at=worker.seen_at, running=worker.running) for worker in workers],
        jobs={state.value: count for state, count in jobs.items()},
        kept=await _kept(request, tx),
        libraries={name: version(name) for name in _LIBRARIES},
    )


async def _kept(request: Request, tx: Tx) -> Kept:
    places: Whereabouts = request.state.whereabouts
    newest = await list_work(tx, _OBJECT_BACKUPS, 1)
    return Kept(
        data_dir=str(places.data_dir),
        has_own_database=places.has_own_database,
        store=places.store,
        newest_of_objects=to_job_card(newest[0]) if newest else None,
    )


def _disk(request: Request) -> DiskUse | None:
    """The disk of the store; None of a bucket."""
    blobs: BlobStore = request.state.blobs
    return None if blobs.local_root is None else DiskUse(*shutil.disk_usage(blobs.local_root))


def _is_low(disk: DiskUse | None) -> bool:
    return disk is not None and disk.free < _LOW_DISK_BYTES
