"""Jobs of samples."""

import asyncio
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs.actions import enqueue
from quadrat.jobs.registry import Handler, JobContext
from quadrat.jobs.types import Queueing
from quadrat.samples.actions.datasets import DELETE_BLOBS
from quadrat.samples.actions.embeddings import PROJECT_EMBEDDING, READ_EMBEDDING
from quadrat.samples.actions.images import READ_IMAGES, read_images_later
from quadrat.samples.actions.imports import IMPORT, Imported, add_block, blocks
from quadrat.samples.actions.settings import FOLLOW_UPLOAD
from quadrat.samples.embedding_tasks import project_embedding, read_embedding
from quadrat.samples.reader import ImageReader
from quadrat.samples.reading import Reading
from quadrat.samples.rules.samples import BLOB_FOLDER, dataset_folder, parse_blob_key
from quadrat.samples.store import images as store
from quadrat.samples.types import DatasetId, Rendition, SampleId, StoredImage
from quadrat.serving.actions.housekeeping import purge_tomorrow
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References
from quadrat.storage.sniff import SNIFFED_BYTES, UNKNOWN, image_type
from quadrat.storage.types import BlobFacts, ByteRange

_FOLDERS = 1000
_KEYS = 1000
PURGE = "samples.purge"
_LOOK_AGAIN = timedelta(seconds=30)
_GIVE_UP_LOOKING = 20


class SampleResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def blobs(self) -> BlobStore:
        """Where images are stored."""
        ...

    @property
    def images(self) -> ImageReader:
        """Looks into images."""
        ...

    @property
    def references(self) -> References:
        """Reads images that lie outside of the store."""
        ...


async def delete_blobs(context: JobContext[SampleResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove the bytes of a dataset that is gone. Safe to repeat."""
    removed = await context.resources.blobs.delete_prefix(dataset_folder(DatasetId(params["dataset_id"])))
    return {"removed": removed}


async def purge(context: JobContext[SampleResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove the bytes of datasets that went with their projects. Safe to repeat."""
    folders = [DatasetId(name) for name in await context.resources.blobs.list_folders(BLOB_FOLDER)]
    removed = 0
    for start in range(0, len(folders), _FOLDERS):
        # The row of a dataset is there before the first of its bytes.
        part = folders[start : start + _FOLDERS]
        async with context.db.begin() as tx:
            known = await store.list_known_datasets(tx, part)
        for dataset_id in sorted(set(part) - known):
            removed += await context.resources.blobs.delete_prefix(dataset_folder(dataset_id))
    if params.get("daily"):
        async with context.db.begin() as tx:
            await purge_tomorrow(tx, PURGE)
    return {"removed": removed}


async def read_images(context: JobContext[SampleResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Look into all images of a dataset that came and were not looked into. Safe to repeat: what is done stays done."""
    dataset_id = DatasetId(params["dataset_id"])
    blobs = context.resources.blobs
    found = 0 if blobs.is_local else await note_arrivals(context.db, blobs, dataset_id)
    async with context.db.begin() as tx:
        waiting = await store.count_unread(tx, dataset_id)
    reading = Reading(context.db, context.resources.images, dataset_id)
    try:
        while await reading.go_on():
            done, of = reading.done, max(waiting, reading.done)
            await context.progress(100 * done / of if of else 0, f"{done} of {of} images read")
    finally:
        await reading.stop()
    if reading.given_up:
        many = len(reading.given_up)
        raise QuadratError(
            ErrorKind.UNAVAILABLE, f"{many} images could not be read from where they are; tried again later."
        )
    return {"read": reading.done, "undecodable": reading.problems, "arrived": found}


async def note_arrivals(db: Database, blobs: BlobStore, dataset_id: DatasetId) -> int:
    """Note bytes that went straight into a bucket, for the first time or again; how many images that were."""
    count = 0
    pending: dict[tuple[SampleId, Rendition], tuple[str, BlobFacts]] = {}
    async for key, facts in blobs.list_prefix(dataset_folder(dataset_id)):
        named = parse_blob_key(key)
        if named is not None and named[2] is not Rendition.MADE_THUMBNAIL:
            pending[named[1:]] = (key, facts)
        if len(pending) == _KEYS:
            count += await _note_new(db, blobs, dataset_id, pending)
            pending.clear()
    return count + await _note_new(db, blobs, dataset_id, pending)


async def _note_new(
    db: Database,
    blobs: BlobStore,
    dataset_id: DatasetId,
    found: Mapping[tuple[SampleId, Rendition], tuple[str, BlobFacts]],
) -> int:
    async with db.begin() as tx:
        known = await store.list_etags(tx, dataset_id, {id_ for id_, _ in found})
    new = {
        place: one for place, one in found.items() if place[0] in known and known[place[0]].get(place[1]) != one[1].etag
    }
    if not new:
        return 0
    came = {
        place: StoredImage(facts.size_bytes, facts.etag, await _media_type(blobs, key, facts), now())
        for place, (key, facts) in new.items()
    }
    async with db.begin() as tx:
        taken = await store.take_in(tx, dataset_id, came)
    return 0 if taken is None else sum(id_ in taken[0] for id_, rendition in came if rendition is Rendition.FULL)


async def _media_type(blobs: BlobStore, key: str, facts: BlobFacts) -> str:
    if not facts.size_bytes:
        return UNKNOWN
    reader = await blobs.open(key, ByteRange(0, min(SNIFFED_BYTES, facts.size_bytes)))
    return image_type(b"".join([chunk async for chunk in reader.chunks])) or UNKNOWN


async def follow_upload(context: JobContext[SampleResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Record how far an upload is; with a bucket, which tells nobody of what arrives, look again until it is done."""
    dataset_id = DatasetId(params["dataset_id"])
    async with context.db.begin() as tx:
        counts = await store.count_bytes(tx, dataset_id)
        stored = counts.stored + counts.undecodable
        total = max(int(params.get("total") or 0), stored + counts.missing)
        looks = int(params.get("looks") or 0) + 1
        unchanged = looks if stored == params.get("stored") else 1
        if counts.missing and not context.resources.blobs.is_local and unchanged < _GIVE_UP_LOOKING:
            place = (context.job.owner_id, context.job.project_id)
            await read_images_later(tx, dataset_id, place=place)
            again = {**params, "stored": stored, "looks": unchanged}
            later = math.ceil(unchanged / 5) * _LOOK_AGAIN
            await _enqueue_later(tx, context, again, later)
    return {
        "total": total,
        "stored": stored,
        "missing": counts.missing,
        "undecodable": counts.undecodable,
        "waiting": counts.waiting,
    }


async def import_images(context: JobContext[SampleResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make samples of the images of a folder or bucket, which stay where they are. Safe to repeat."""
    dataset_id = DatasetId(params["dataset_id"])
    done = Imported()
    found = blocks(context.resources.references.walk(params["source"]), done)
    # Looking through folders and buckets blocks, so it goes through a thread.
    while block := await asyncio.to_thread(next, found, None):
        async with context.db.begin() as tx:
            await add_block(tx, dataset_id, block, params["max_samples"], done)
        await context.progress(0, f"{done.new} new, {done.known} known, {done.n_skipped} skipped")
    return {
        "new": done.new,
        "known": done.known,
        "changed": done.changed,
        "n_skipped": done.n_skipped,
        "skipped": done.skipped,
    }


async def _enqueue_later(
    tx: Any, context: JobContext[SampleResources], params: Mapping[str, Any], later: timedelta
) -> None:
    await enqueue(
        tx,
        FOLLOW_UPLOAD,
        params,
        owner_id=context.job.owner_id,
        project_id=context.job.project_id,
        queueing=Queueing(after=later, once=True),
    )


HANDLERS = (
    Handler(PURGE, purge),
    Handler(DELETE_BLOBS, delete_blobs),
    Handler(READ_IMAGES, read_images),
    Handler(FOLLOW_UPLOAD, follow_upload),
    Handler(IMPORT, import_images),
    Handler(READ_EMBEDDING, read_embedding),
    Handler(PROJECT_EMBEDDING, project_embedding),
)
