"""All SQL of images: bytes that came, and what was found in them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    and_,
    any_,
    case,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
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


async def find_places(
    tx: AsyncConnection, dataset_id: DatasetId, ids: Collection[SampleId]
) -> dict[SampleId, tuple[str | None]]:
    """As `find_place`, for those of many samples that are there."""
    query = (
        select(sample.c.id, reference.c.location)
        .select_from(sample.outerjoin(reference, reference.c.sample_id == sample.c.id))
        .where(sample.c.dataset_id == dataset_id, sample.c.id == _any(ids))
    )
    return {SampleId(row[0]): (row[1],) for row in await tx.execute(query)}


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


async def take_in(
    tx: AsyncConnection, dataset_id: DatasetId, came: Mapping[tuple[SampleId, Rendition], StoredImage]
) -> tuple[set[SampleId], tuple[UserId, ProjectId]] | None:
    """Note bytes that came: keep the dataset's total, forget where full images lay before, have them looked into.

    Thumbnails that were made of what was there before go.

    Returns:
        The samples that are there still, and owner and project of the dataset; None when it is gone.
    """
    # The dataset first, as everyone else; what the next statement sees is then what the one before has left.
    place = (await tx.execute(_LOCK_AND_HURRY, {"dataset_id": dataset_id})).one_or_none()
    if place is None:
        return None
    keys, stored = zip(*came.items(), strict=True)
    rows = await tx.execute(
        _TAKE_IN,
        {
            "dataset_id": dataset_id,
            "ids": [id_ for id_, _ in keys],
            "renditions": [rendition.value for _, rendition in keys],
            "sizes": [one.size_bytes for one in stored],
            "etags": [one.etag for one in stored],
            "types": [one.media_type for one in stored],
            "times": [one.uploaded_at for one in stored],
        },
    )
    return {SampleId(id_) for id_ in rows.scalars()}, (UserId(place[0]), ProjectId(place[1]))


# The bytes themselves lie where the operating system writes them down within seconds. To wait for the disk with what is
# said of them would keep nothing more, and have the disk write all bytes before. Killed processes lose nothing.
_LOCK_AND_HURRY = text(
    """
    SELECT u.id, d.project_id, set_config('synchronous_commit', 'off', true)
    FROM samples.dataset d JOIN identity."user" u ON u.uuid = d.owner_uuid
    WHERE d.id = :dataset_id FOR NO KEY UPDATE OF d
    """
)

# One way to the database for what is done for every image that comes. The full rendition and the made thumbnail of a
# sample are different rows, so no row is written twice. Here as in `keep_facts` samples come in the order of their ids,
# and of each its full image's row first: nobody waits for somebody who waits for them.
_TAKE_IN = text(
    """
    WITH came AS (
        SELECT c.* FROM unnest(
            CAST(:ids AS text[]), CAST(:renditions AS text[]), CAST(:sizes AS bigint[]), CAST(:etags AS text[]),
            CAST(:types AS text[]), CAST(:times AS timestamptz[])
        ) AS c (sample_id, rendition, size_bytes, etag, media_type, uploaded_at)
        JOIN samples.sample s ON s.id = c.sample_id AND s.dataset_id = :dataset_id
    ), whole AS (
        SELECT * FROM came WHERE rendition = 'full'
    ), grown AS (
        SELECT coalesce(sum(w.size_bytes - coalesce(i.size_bytes, 0)), 0) AS size_bytes
        FROM whole w LEFT JOIN samples.image i ON i.sample_id = w.sample_id AND i.rendition = 'full'
    ), noted AS (
        INSERT INTO samples.image (sample_id, rendition, size_bytes, etag, media_type, uploaded_at)
        SELECT sample_id, rendition, size_bytes, etag, media_type, uploaded_at FROM came ORDER BY sample_id, rendition
        ON CONFLICT (sample_id, rendition) DO UPDATE SET size_bytes = excluded.size_bytes, etag = excluded.etag,
            media_type = excluded.media_type, uploaded_at = excluded.uploaded_at
        RETURNING sample_id, rendition, uploaded_at
    ), renewed AS (
        SELECT * FROM noted WHERE rendition = 'full'
    ), waiting AS (
        INSERT INTO samples.unread (sample_id, dataset_id, at) SELECT sample_id, :dataset_id, uploaded_at FROM renewed
        ON CONFLICT (sample_id) DO UPDATE SET at = excluded.at
    ), elsewhere AS (
        DELETE FROM samples.reference r USING renewed n WHERE r.sample_id = n.sample_id
    ), outdated AS (
        DELETE FROM samples.image i USING renewed n WHERE i.sample_id = n.sample_id AND i.rendition = 'auto'
    ), total AS (
        UPDATE samples.dataset d SET size_bytes = d.size_bytes + grown.size_bytes, last_modified_at = greatest(
            (SELECT max(uploaded_at) FROM came), d.last_modified_at + interval '1 millisecond'
        )
        FROM grown WHERE d.id = :dataset_id AND EXISTS (SELECT FROM came)
    )
    SELECT DISTINCT sample_id FROM came
    """
)


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


async def keep_facts(
    tx: AsyncConnection,
    dataset_id: DatasetId,
    found: Sequence[tuple[SampleId, Facts, StoredImage | None]],
    at: datetime,
) -> set[SampleId]:
    """Keep what was found in images, and their thumbnails.

    Returns:
        The samples whose facts were kept: not those of which other bytes have come meanwhile, or which are gone.
    """
    # Whoever removes the dataset goes first or waits, and is not in the middle of its rows.
    await tx.execute(select(dataset.c.id).where(dataset.c.id == dataset_id).with_for_update(read=True, key_share=True))
    facts = [one for _, one, _ in found]
    thumbnails = [one for _, _, one in found]
    rows = await tx.execute(
        _KEEP_FACTS,
        {
            "dataset_id": dataset_id,
            "at": at,
            "ids": [id_ for id_, _, _ in found],
            "etags": [one.etag for one in facts],
            "problems": [one.problem for one in facts],
            "digests": [None if one.sha256 is None else bytes.fromhex(one.sha256) for one in facts],
            "hashes": [one.perceptual_hash for one in facts],
            "widths": [None if one.size_px is None else one.size_px[0] for one in facts],
            "heights": [None if one.size_px is None else one.size_px[1] for one in facts],
            "formats": [one.format for one in facts],
            "depths": [one.bit_depth for one in facts],
            "channels": [one.channels for one in facts],
            "metadata": [one.metadata for one in facts],
            "exifs": [one.exif for one in facts],
            "sizes": [None if one is None else one.size_bytes for one in thumbnails],
            "thumbnail_etags": [None if one is None else one.etag for one in thumbnails],
            "types": [None if one is None else one.media_type for one in thumbnails],
        },
    )
    return {SampleId(id_) for id_ in rows.scalars()}


_KEEP_FACTS = text(
    """
    WITH found AS (
        SELECT * FROM unnest(
            CAST(:ids AS text[]), CAST(:etags AS text[]), CAST(:problems AS text[]), CAST(:digests AS bytea[]),
            CAST(:hashes AS bigint[]), CAST(:widths AS int[]), CAST(:heights AS int[]), CAST(:formats AS text[]),
            CAST(:depths AS int[]), CAST(:channels AS int[]), CAST(:metadata AS text[]), CAST(:exifs AS text[]),
            CAST(:sizes AS bigint[]), CAST(:thumbnail_etags AS text[]), CAST(:types AS text[])
        ) AS f (
            sample_id, etag, problem, sha256, perceptual_hash, width_px, height_px, format, bit_depth, channels,
            metadata, exif, size_bytes, thumbnail_etag, media_type
        )
    ), held AS (
        SELECT f.* FROM found f
        JOIN samples.image i ON i.sample_id = f.sample_id AND i.rendition = 'full' AND i.etag = f.etag
        ORDER BY f.sample_id FOR UPDATE OF i
    ), kept AS (
        INSERT INTO samples.fact AS old (
            sample_id, dataset_id, etag, problem, sha256, perceptual_hash, width_px, height_px, format, bit_depth,
            channels, metadata, exif, made_at
        )
        SELECT sample_id, :dataset_id, etag, problem, sha256, perceptual_hash, width_px, height_px, format, bit_depth,
            channels, CAST(metadata AS jsonb), CAST(exif AS jsonb), :at FROM held
        ON CONFLICT (sample_id) DO UPDATE SET (
            etag, problem, sha256, perceptual_hash, width_px, height_px, format, bit_depth, channels, metadata, exif,
            made_at
        ) = (
            excluded.etag, excluded.problem, excluded.sha256, excluded.perceptual_hash, excluded.width_px,
            excluded.height_px, excluded.format, excluded.bit_depth, excluded.channels, excluded.metadata,
            excluded.exif, excluded.made_at
        )
    ), done AS (
        DELETE FROM samples.unread u USING held h WHERE u.sample_id = h.sample_id
    ), shown AS (
        INSERT INTO samples.image (sample_id, rendition, size_bytes, etag, media_type, uploaded_at)
        SELECT sample_id, 'auto', size_bytes, thumbnail_etag, media_type, :at FROM held WHERE size_bytes IS NOT NULL
        ON CONFLICT (sample_id, rendition) DO UPDATE SET size_bytes = excluded.size_bytes, etag = excluded.etag,
            media_type = excluded.media_type, uploaded_at = excluded.uploaded_at
    )
    SELECT sample_id FROM held
    """
)


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


async def list_etags(
    tx: AsyncConnection, dataset_id: DatasetId, ids: Collection[SampleId]
) -> dict[SampleId, dict[Rendition, str]]:
    """Entity tags of what has come, of those of many samples that are there."""
    query = (
        select(sample.c.id, image.c.rendition, image.c.etag)
        .outerjoin(image, image.c.sample_id == sample.c.id)
        .where(sample.c.dataset_id == dataset_id, sample.c.id == _any(ids))
    )
    found: dict[SampleId, dict[Rendition, str]] = {}
    for id_, rendition, etag in await tx.execute(query):
        etags = found.setdefault(SampleId(id_), {})
        if rendition is not None:
            etags[Rendition(rendition)] = etag
    return found


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
