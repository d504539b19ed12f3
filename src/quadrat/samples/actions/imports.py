"""Importing images by reference: samples whose bytes stay where they are."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_object_id
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.jobs.actions import enqueue, get_job
from quadrat.jobs.types import Job, JobId, Queueing
from quadrat.samples.actions.datasets import open_dataset, unknown_dataset
from quadrat.samples.actions.images import read_images_later
from quadrat.samples.rules.common import refusal, this_moment
from quadrat.samples.rules.samples import check_file_name, new_sample
from quadrat.samples.store import imports as store
from quadrat.samples.store.datasets import lock_dataset
from quadrat.samples.store.samples import find_by_names, insert_samples
from quadrat.samples.types import DatasetId, Documents, ImageSample, SampleId, SampleKind, StoredImage
from quadrat.storage.references import Referenced, is_within
from quadrat.storage.sniff import UNKNOWN

IMPORT = "samples.import"
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif", ".avif"})
BLOCK = 1000
_NUMBER = re.compile("[0-9]{1,18}")


@dataclass
class Imported:
    """What an import did.

    Args:
        new: Samples made.
        known: Samples that were there already with these bytes.
        changed: Samples whose file has changed since, now read again.
        skipped: Why files were left out, by name; at most `most_named` of them.
        n_skipped: How many were left out.
        most_named: None for no limit.
    """

    new: int = 0
    known: int = 0
    changed: int = 0
    n_skipped: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    most_named: int | None = 1000

    def skip(self, name: str, reason: str) -> None:
        """Leave a file out."""
        self.n_skipped += 1
        if self.most_named is None or len(self.skipped) < self.most_named:
            self.skipped[name] = reason


def blocks(found: Iterator[Sequence[Referenced]], done: Imported) -> Iterator[Sequence[Referenced]]:
    """Files that may be images, in blocks that fit one transaction; the others are skipped with their reason."""
    pending: list[Referenced] = []
    for page in found:
        for file in page:
            reason = _unfit(file)
            if reason is not None:
                done.skip(file.name, reason)
                continue
            pending.append(file)
            if len(pending) == BLOCK:
                yield pending
                pending = []
    if pending:
        yield pending


def _unfit(file: Referenced) -> str | None:
    if file.problem is not None:
        return file.problem
    if PurePosixPath(file.name).suffix.lower() not in EXTENSIONS:
        return "no image by its name"
    if file.size_bytes == 0:
        return "empty"
    try:
        file.name.encode()
        check_file_name(file.name)
    except UnicodeEncodeError:
        return "its name is no text"
    except QuadratError as error:
        return error.message
    return None


async def add_block(
    tx: AsyncConnection, dataset_id: DatasetId, files: Sequence[Referenced], max_samples: int, done: Imported
) -> None:
    """Make samples of files that are not there yet, and note files that changed. Safe to repeat.

    Raises:
        QuadratError: not_found; limit_reached.
    """
    start = await lock_dataset(tx, dataset_id)
    if start is None:
        raise unknown_dataset(dataset_id)
    known = await find_by_names(tx, dataset_id, [file.name for file in files])
    versions = await store.list_versions(tx, [sample_id for sample_id, _ in known.values()])
    at = this_moment()
    made: list[tuple[ImageSample, Referenced]] = []
    for file in files:
        existing = known.get(file.name)
        if existing is None:
            made.append((_sample(dataset_id, start + len(made), file, at), file))
        elif existing[0] not in versions:
            done.skip(file.name, "the dataset has an uploaded sample of that name")
        elif versions[existing[0]] == (file.location, file.version):
            done.known += 1
        else:
            await store.set_reference(tx, dataset_id, existing[0], file, _stored(file, at))
            done.changed += 1
    if start + len(made) > max_samples:
        message = f"A dataset holds at most {max_samples} samples."
        raise QuadratError(ErrorKind.LIMIT_REACHED, message, detail={"code": "DATASET_AT_MAX_CAPACITY"})
    if made:
        new = [(one, new_sample(one.file_name, None, Documents())) for one, _ in made]
        await insert_samples(tx, dataset_id, new)
        await store.insert_references(tx, dataset_id, [(one.id, file) for one, file in made], at)
        done.new += len(made)
    await read_images_later(tx, dataset_id, place=await store.place_of(tx, dataset_id))


def _sample(dataset_id: DatasetId, index: int, file: Referenced, at: datetime) -> ImageSample:
    return ImageSample(
        id=SampleId(new_object_id()),
        dataset_id=dataset_id,
        index=index,
        kind=SampleKind.IMAGE,
        file_name=file.name,
        thumb_name=None,
        created_at=at,
        last_modified_at=at,
        documents=Documents(),
    )


def _stored(file: Referenced, at: datetime) -> StoredImage:
    return StoredImage(file.size_bytes, file.version, UNKNOWN, at.astimezone(UTC))


async def import_later(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, source: str, roots: Sequence[str], *, max_samples: int
) -> JobId:
    """Import a folder of the server or a bucket by a job, when its operator has opened it for that.

    Args:
        tx: The transaction.
        caller: Who asks.
        dataset_id: Into which dataset.
        source: Folder, or ``s3://bucket/prefix``.
        roots: What the operator has opened.
        max_samples: Most samples of one dataset.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await open_dataset(tx, caller, dataset_id, "samples.create")
    if "\0" in source or not is_within(source, roots):
        raise QuadratError(
            ErrorKind.FORBIDDEN,
            "This server does not import from there; its operator can open folders and buckets with "
            "QUADRAT_IMPORT_ROOTS, or import with the command `quadrat samples import`.",
        )
    return await enqueue(
        tx,
        IMPORT,
        {"dataset_id": dataset_id, "source": source, "max_samples": max_samples},
        owner_id=caller.user_id,
        project_id=found.project_id,
        queueing=Queueing(lock=f"samples.import:{dataset_id}", once=True),
    )


async def get_import(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, import_id: str) -> Job:
    """How an import of one's own goes.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    if _NUMBER.fullmatch(import_id) is None:
        raise _unknown_import(import_id)
    found = await get_job(tx, caller, JobId(int(import_id)))
    if found.kind != IMPORT or found.params.get("dataset_id") != dataset_id:
        raise _unknown_import(import_id)
    return found


def _unknown_import(import_id: str) -> QuadratError:
    return refusal(ErrorKind.NOT_FOUND, "JOB_UNKNOWN", f"Import {import_id} does not exist.")
