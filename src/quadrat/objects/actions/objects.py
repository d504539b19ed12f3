"""Single objects, corrections, removal."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs.actions import enqueue
from quadrat.objects.actions.access import open_set, open_sets
from quadrat.objects.actions.classification import begin_change, check_found, open_objects
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.frames.sets import distinct
from quadrat.objects.frames.specs import Ids
from quadrat.objects.rules.corrections import read_corrections
from quadrat.objects.rules.sun import sun_position
from quadrat.objects.store import objects as store
from quadrat.objects.store import single
from quadrat.objects.store.clock import note_change
from quadrat.objects.store.import_updates import read_moments
from quadrat.objects.store.projects import free_columns
from quadrat.objects.types import ChangeKind, FreeColumns, Image, ObjectId, Permission

DELETE_IMAGES = "objects.delete_images"
_IMAGES_PER_JOB = 5_000


@dataclass(frozen=True, slots=True)
class ObjectSheet:
    """All that is known of one object.

    Args:
        values: The fields of the object itself by their names.
        sample_id: Where it comes from.
        project_id: Where it is.
        images: By rank.
        numbers: Measured features by position; may be shorter than the columns.
        texts: Free texts by position; may be shorter than the columns.
        columns: Names of the free columns.
    """

    values: Mapping[str, Any]
    sample_id: int
    project_id: int
    images: Sequence[Image]
    numbers: Sequence[float | None]
    texts: Sequence[str | None]
    columns: FreeColumns


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal took away; files are images and thumbnails."""

    n_objects: int = 0
    n_images: int = 0
    n_files: int = 0


async def get_object(tx: AsyncConnection, caller: Caller | None, object_id: ObjectId) -> ObjectSheet:
    """One object.

    Raises:
        QuadratError: not_found, forbidden; a stranger sees only validated objects.
    """
    place = await single.find_place(tx, object_id)
    if place is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "Object not found")
    project_id, sample_id = place
    await open_set(tx, caller, project_id, Permission.READ)
    values = await single.find_values(tx, object_id)
    if values is None or (caller is None and values["classif_qual"] != "V"):
        raise QuadratError(ErrorKind.NOT_FOUND, "Object not found")
    numbers, texts = await single.find_features(tx, object_id)
    return ObjectSheet(
        values=values,
        sample_id=sample_id,
        project_id=project_id,
        images=await single.list_images(tx, object_id),
        numbers=numbers,
        texts=texts,
        columns=await free_columns(tx, project_id),
    )


async def list_history(tx: AsyncConnection, caller: Caller | None, object_id: ObjectId) -> Sequence[single.HistoryLine]:
    """The former states of an object, the newest first; nothing for an unknown one.

    Raises:
        QuadratError: forbidden.
    """
    place = await single.find_place(tx, object_id)
    if place is None:
        return []
    await open_set(tx, caller, place[0], Permission.READ)
    return await single.list_history(tx, object_id)


async def correct_objects(
    tx: AsyncConnection, cache: ColumnCache, caller: Caller, object_ids: Ids, given: Sequence[tuple[str, str]]
) -> int:
    """Give objects of one project new values; how many there are, 0 when nothing could be corrected.

    Raises:
        QuadratError: invalid values or objects of several projects; not_found, forbidden.
    """
    project_id = await open_objects(tx, caller, object_ids, Permission.UPDATE, cache)
    change = await begin_change(tx, project_id)
    wanted = read_corrections(given, await free_columns(tx, project_id), change.at)
    chosen = distinct(object_ids)
    n = 0
    if wanted.facts:
        n = await store.update_facts(tx, project_id, chosen, wanted.facts)
        if wanted.moves:
            await _renew_sun_positions(tx, project_id, chosen)
    if wanted.numbers or wanted.texts:
        n = max(n, await store.update_features(tx, project_id, chosen, wanted.numbers, wanted.texts))
    if n:
        check_found(n, chosen)
        await note_change(tx, project_id, change.number, ChangeKind.CONTENT, chosen)
    return n


async def _renew_sun_positions(tx: AsyncConnection, project_id: ProjectId, object_ids: Ids) -> None:
    moments = await read_moments(tx, object_ids.tolist())
    found = await asyncio.to_thread(lambda: [sun_position(*moment) for _, *moment in moments])
    for letter in sorted(set(found)):
        chosen = [moment[0] for moment, position in zip(moments, found, strict=True) if position == letter]
        await store.update_facts(tx, project_id, np.array(chosen, np.int64), {"sun_position": letter})


async def erase_objects(tx: AsyncConnection, caller: Caller, object_ids: Ids) -> Removal:
    """Remove objects of any projects with all that belongs to them; the bytes of images go by a job.

    Raises:
        QuadratError: forbidden, when one of the projects may not be changed so.
    """
    known = sorted(await store.projects_of(tx, object_ids))
    await open_sets(tx, caller, known, Permission.DELETE)
    n_objects = n_images = n_files = 0
    # Always in the same order: two removals that concern the same projects must not wait for each other.
    for project_id in known:
        change = await begin_change(tx, project_id)
        n, images = await store.remove_objects(tx, project_id, change.number, np.unique(object_ids))
        await delete_image_bytes(tx, project_id, images)
        n_objects += n
        n_images += len(images)
        n_files += len(images) + sum(image.has_thumbnail for image in images)
    return Removal(n_objects, n_images, n_files)


async def delete_image_bytes(tx: AsyncConnection, project_id: ProjectId, images: Sequence[store.RemovedImage]) -> None:
    """Ask for the bytes of removed images to be deleted, once this transaction has committed."""
    for part in _parts(images):
        listed = [[image.id, image.extension, image.has_thumbnail] for image in part]
        await enqueue(tx, DELETE_IMAGES, {"project_id": project_id, "images": listed})


def _parts(images: Sequence[store.RemovedImage]) -> Iterator[Sequence[store.RemovedImage]]:
    for start in range(0, len(images), _IMAGES_PER_JOB):
        yield images[start : start + _IMAGES_PER_JOB]
