"""All SQL of images: bytes that came, and what was found in them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, and_, any_, case, cast, delete, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import user
from quadrat.identity.types import ProjectId, UserId
from quadrat.samples.store.datasets import later, lock_dataset
from quadrat.samples.tables import dataset, fact, image, reference, sample, unread
from quadrat.samples.types import (
    ByteCounts,
    ByteState,
    DatasetId,
    Facts,
    JsonText,
    Rendition,
    SampleBytes,
    SampleId,
    StoredImage,
)


async def find_image(tx: AsyncConnection, id_: SampleId, rendition: Rendition) -> StoredImage | None:
    """What is known of stored bytes; None when none have come."""
    query = select(image.c.size_bytes, image.c.etag, image.c.media_type, image.c.uploaded_at).where(
        image.c.sample_id == id_, image.c.rendition == rendition
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else StoredImage(*row)


async def find_place(tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId) -> tuple[str | None] | None:
    """Where the image of a sample lies that was imported without a copy, or None for the store; None for no sample."""
    query = (
        select(reference.c.location)
        .select_from(sample.outerjoin(reference, reference.c.sample_id == sample.c.id))
        .where(sample.c.dataset_id == dataset_id, sample.c.id == id_)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (row[0],)


async def find_bytes(tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId) -> tuple[str | None, bool] | None:
    """As `find_place`, and whether the full image has come into the store."""
    full = and_(image.c.sample_id == sample.c.id, image.c.rendition == Rendition.FULL.value)
    query = (
        select(reference.c.location, image.c.sample_id.is_not(None))
        .select_from(sample.outerjoin(reference, reference.c.sample_id == sample.c.id).outerjoin(image, full))
        .where(sample.c.dataset_id == dataset_id, sample.c.id == id_)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def set_images(
    tx: AsyncConnection, dataset_id: DatasetId, came: Mapping[tuple[SampleId, Rendition], StoredImage]
) -> set[SampleId]:
    """Note stored bytes and keep the dataset's total; returns the samples that are there still."""
    # The dataset first, as everyone else: two images of one sample may arrive at the same time.
    if not came or await lock_dataset(tx, dataset_id) is None:
        return set()
    asked = _any({id_ for id_, _ in came})
    there = set(
        (await tx.execute(select(sample.c.id).where(sample.c.dataset_id == dataset_id, sample.c.id == asked))).scalars()
    )
    kept = {key: stored for key, stored in came.items() if key[0] in there}
    if not kept:
        return set()
    full = {id_: stored.size_bytes for (id_, rendition), stored in kept.items() if rendition is Rendition.FULL}
    before = select(func.coalesce(func.sum(image.c.size_bytes), 0)).where(
        image.c.sample_id == _any(full), image.c.rendition == Rendition.FULL.value
    )
    grown = sum(full.values()) - int((await tx.execute(before)).scalar_one())
    await _upsert_images(tx, kept)
    last = max(stored.uploaded_at for stored in kept.values())
    await tx.execute(
        update(dataset)
        .where(dataset.c.id == dataset_id)
        .values(size_bytes=dataset.c.size_bytes + grown, last_modified_at=later(dataset, last))
    )
    return {id_ for id_, _ in kept}


def _any(ids: Collection[SampleId]) -> ColumnElement[Any]:
    return any_(literal(sorted(ids), ARRAY(Text)))


async def _upsert_images(tx: AsyncConnection, came: Mapping[tuple[SampleId, Rendition], StoredImage]) -> None:
    upsert = insert(image)
    columns = ("size_bytes", "etag", "media_type", "uploaded_at")
    upsert = upsert.on_conflict_do_update(
        index_elements=[image.c.sample_id, image.c.rendition],
        set_={name: upsert.excluded[name] for name in columns},
    )
    await tx.execute(
        upsert,
        [
            {
                "sample_id": id_,
                "rendition": rendition,
                "size_bytes": stored.size_bytes,
                "etag": stored.etag,
                "media_type": stored.media_type,
                "uploaded_at": stored.uploaded_at,
            }
            for (id_, rendition), stored in came.items()
        ],
    )


async def mark_unread(tx: AsyncConnection, dataset_id: DatasetId, ids: Collection[SampleId], at: datetime) -> None:
    """Have the full images of samples looked into; thumbnails of what was there before go."""
    upsert = insert(unread)
    upsert = upsert.on_conflict_do_update(index_elements=[unread.c.sample_id], set_={"at": upsert.excluded.at})
    await tx.execute(upsert, [{"sample_id": id_, "dataset_id": dataset_id, "at": at} for id_ in sorted(ids)])
    old = image.c.rendition == Rendition.MADE_THUMBNAIL
    await tx.execute(delete(image).where(image.c.sample_id == _any(ids), old))


async def list_unread(tx: AsyncConnection, dataset_id: DatasetId, limit: int) -> list[tuple[SampleId, str, str | None]]:
    """Samples that wait to be looked into, oldest first, with the entity tag of what is there and its reference."""
    query = (
        select(unread.c.sample_id, image.c.etag, reference.c.location)
        .join(image, and_(image.c.sample_id == unread.c.sample_id, image.c.rendition == Rendition.FULL.value))
        .outerjoin(reference, reference.c.sample_id == unread.c.sample_id)
        .where(unread.c.dataset_id == dataset_id)
        .order_by(unread.c.at, unread.c.sample_id)
        .limit(limit)
    )
    return [(SampleId(row[0]), row[1], row[2]) for row in await tx.execute(query)]


async def count_unread(tx: AsyncConnection, dataset_id: DatasetId) -> int:
    """How many samples wait to be looked into."""
    return (
        await tx.execute(select(func.count()).select_from(unread).where(unread.c.dataset_id == dataset_id))
    ).scalar_one()


async def find_full(tx: AsyncConnection, id_: SampleId) -> tuple[str, str | None] | None:
    """Entity tag and reference of a sample's full image; None while its bytes are missing."""
    query = (
        select(image.c.etag, reference.c.location)
        .outerjoin(reference, reference.c.sample_id == image.c.sample_id)
        .where(image.c.sample_id == id_, image.c.rendition == Rendition.FULL.value)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def find_reference(tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId) -> str | None:
    """Where the image of a sample lies that was imported without a copy."""
    query = (
        select(reference.c.location)
        .join(sample, sample.c.id == reference.c.sample_id)
        .where(sample.c.dataset_id == dataset_id, reference.c.sample_id == id_)
    )
    return (await tx.execute(query)).scalar_one_or_none()


async def set_facts(
    tx: AsyncConnection,
    dataset_id: DatasetId,
    id_: SampleId,
    found: Facts,
    thumbnail: StoredImage | None,
    at: datetime,
) -> bool:
    """Keep what was found; False when other bytes have come meanwhile, or the sample is gone."""
    full = select(image.c.etag).where(image.c.sample_id == id_, image.c.rendition == Rendition.FULL.value)
    if (await tx.execute(full.with_for_update())).scalar_one_or_none() != found.etag:
        return False
    width, height = found.size_px or (None, None)
    values: dict[str, Any] = {
        "etag": found.etag,
        "problem": found.problem,
        "sha256": None if found.sha256 is None else bytes.fromhex(found.sha256),
        "perceptual_hash": found.perceptual_hash,
        "width_px": width,
        "height_px": height,
        "format": found.format,
        "bit_depth": found.bit_depth,
        "channels": found.channels,
        "metadata_": _json(found.metadata),
        "exif": _json(found.exif),
        "made_at": at,
    }
    upsert = insert(fact).values(sample_id=id_, dataset_id=dataset_id, **values)
    await tx.execute(upsert.on_conflict_do_update(index_elements=[fact.c.sample_id], set_=values))
    await tx.execute(delete(unread).where(unread.c.sample_id == id_))
    if thumbnail is not None:
        await _upsert_images(tx, {(id_, Rendition.MADE_THUMBNAIL): thumbnail})
    return True


def _json(text: JsonText | None) -> Any:
    return null() if text is None else cast(literal(text, Text), JSONB)


async def list_bytes(
    tx: AsyncConnection, dataset_id: DatasetId, state: ByteState | None, page: tuple[int | None, int]
) -> list[SampleBytes]:
    """Samples in the order of their index with the state of their bytes; of one state, or of all."""
    query = _with_bytes(
        select(sample.c.id, sample.c.file_name, _STATE, fact.c.etag == image.c.etag, image.c.size_bytes, fact.c.problem)
    ).where(sample.c.dataset_id == dataset_id)
    if state is not None:
        query = query.where(state.value == _STATE)
    limit, offset = page
    query = query.order_by(sample.c.index).limit(limit).offset(offset)
    return [
        SampleBytes(SampleId(row[0]), row[1], ByteState(row[2]), bool(row[3]), row[4], row[5])
        for row in await tx.execute(query)
    ]


async def count_bytes(tx: AsyncConnection, dataset_id: DatasetId) -> ByteCounts:
    """How many samples of a dataset are in which state."""
    query = _with_bytes(select(_STATE, func.count())).where(sample.c.dataset_id == dataset_id).group_by(_STATE)
    counts = dict((await tx.execute(query)).all())
    return ByteCounts(
        missing=counts.get(ByteState.MISSING.value, 0),
        stored=counts.get(ByteState.STORED.value, 0),
        undecodable=counts.get(ByteState.UNDECODABLE.value, 0),
        waiting=await count_unread(tx, dataset_id),
    )


_STATE: ColumnElement[str] = case(
    (image.c.sample_id.is_(None), literal(ByteState.MISSING.value)),
    (and_(fact.c.problem.is_not(None), fact.c.etag == image.c.etag), literal(ByteState.UNDECODABLE.value)),
    else_=literal(ByteState.STORED.value),
)


def _with_bytes(query: Any) -> Any:
    full = and_(image.c.sample_id == sample.c.id, image.c.rendition == Rendition.FULL.value)
    return query.select_from(sample.outerjoin(image, full).outerjoin(fact, fact.c.sample_id == sample.c.id))


async def list_missing(tx: AsyncConnection, dataset_id: DatasetId) -> Sequence[SampleId]:
    """Samples of a dataset whose bytes are not known to have come."""
    query = _with_bytes(select(sample.c.id)).where(sample.c.dataset_id == dataset_id, image.c.sample_id.is_(None))
    return [SampleId(row[0]) for row in await tx.execute(query)]


async def find_unmade(tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId) -> tuple[str, str | None] | None:
    """Entity tag and reference of a sample's image when a thumbnail could be made of it and is not there."""
    shown = select(literal(1)).where(image.c.sample_id == id_, image.c.rendition != Rendition.FULL.value)
    if (await tx.execute(shown.limit(1))).one_or_none() is not None:
        return None
    hopeless = select(literal(1)).where(fact.c.sample_id == id_, fact.c.problem.is_not(None))
    found = await find_full(tx, id_) if await find_place(tx, dataset_id, id_) is not None else None
    if found is None or (await tx.execute(hopeless.where(fact.c.etag == found[0]))).one_or_none() is not None:
        return None
    return found


async def forget_references(tx: AsyncConnection, ids: Collection[SampleId]) -> None:
    """The images of the samples lie in the store from now on."""
    await tx.execute(delete(reference).where(reference.c.sample_id == _any(ids)))


async def owner_of(tx: AsyncConnection, dataset_id: DatasetId) -> tuple[UserId, ProjectId] | None:
    """Owner and project of a dataset, for the jobs that belong to it."""
    query = (
        select(user.c.id, dataset.c.project_id)
        .join(user, user.c.uuid == dataset.c.owner_uuid)
        .where(dataset.c.id == dataset_id)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (UserId(row[0]), ProjectId(row[1]))


async def list_known_datasets(tx: AsyncConnection, ids: Collection[DatasetId]) -> set[DatasetId]:
    """Those of the ids that are datasets."""
    query = select(dataset.c.id).where(dataset.c.id.in_(ids))
    return {DatasetId(id_) for id_ in (await tx.execute(query)).scalars()}
