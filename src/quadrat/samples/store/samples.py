"""All SQL of image samples and what is known of their bytes."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, Select, Text, any_, cast, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.samples.rules.samples import name_digest
from quadrat.samples.store.datasets import later
from quadrat.samples.tables import dataset, document, fact, sample
from quadrat.samples.types import (
    DatasetId,
    Documents,
    ImageSample,
    JsonText,
    NewSample,
    Part,
    SampleChange,
    SampleId,
    SampleKind,
    SampleList,
    SampleName,
    SampleOrder,
)

_ROWS_AT_A_TIME = 2000


async def find_by_names(
    tx: AsyncConnection, dataset_id: DatasetId, file_names: Sequence[str]
) -> dict[str, tuple[SampleId, bytes]]:
    """Id and request digest of the samples of exactly these names."""
    query = select(sample.c.file_name, sample.c.id, sample.c.request_digest).where(
        sample.c.dataset_id == dataset_id,
        sample.c.file_name_digest == any_(literal([name_digest(name) for name in file_names], ARRAY(LargeBinary))),
    )
    return {row[0]: (SampleId(row[1]), row[2]) for row in await tx.execute(query)}


async def insert_samples(
    tx: AsyncConnection, dataset_id: DatasetId, made: Sequence[tuple[ImageSample, NewSample]]
) -> None:
    """New samples at the next indexes of their locked dataset, all in one statement."""
    documents = [new.documents for _, new in made]
    last = made[-1][0]
    await tx.execute(
        _INSERT,
        {
            "dataset": dataset_id,
            "at": last.created_at,
            "total": last.index + 1,
            "ids": [one.id for one, _ in made],
            "indexes": [one.index for one, _ in made],
            "kinds": [one.kind.value for one, _ in made],
            "names": [new.file_name for _, new in made],
            "name_digests": [name_digest(new.file_name) for _, new in made],
            "thumbs": [new.thumb_name for _, new in made],
            "digests": [new.digest for _, new in made],
            "exif": [document.exif for document in documents],
            "metadata": [document.metadata for document in documents],
            "custom": [document.custom_metadata for document in documents],
            "frame": [document.video_frame for document in documents],
            "crop": [document.crop for document in documents],
        },
    )


_INSERT = text(
    """
    WITH rows AS (
        SELECT * FROM unnest(
            CAST(:ids AS text[]), CAST(:indexes AS integer[]), CAST(:kinds AS text[]), CAST(:names AS text[]),
            CAST(:name_digests AS bytea[]), CAST(:thumbs AS text[]), CAST(:digests AS bytea[]), CAST(:exif AS text[]),
            CAST(:metadata AS text[]), CAST(:custom AS text[]), CAST(:frame AS text[]), CAST(:crop AS text[])
        ) AS row (id, index, kind, name, name_digest, thumb, digest, exif, metadata, custom, frame, crop)
    ), samples_made AS (
        INSERT INTO samples.sample (id, dataset_id, index, kind, file_name, file_name_digest, thumb_name,
            request_digest, created_at, last_modified_at)
        SELECT id, :dataset, index, kind, name, name_digest, thumb, digest, :at, :at FROM rows
    ), documents_made AS (
        INSERT INTO samples.document (sample_id, exif, metadata, custom_metadata, video_frame, crop)
        SELECT id, CAST(exif AS jsonb), CAST(metadata AS jsonb), CAST(custom AS jsonb), CAST(frame AS jsonb),
            CAST(crop AS jsonb)
        FROM rows WHERE coalesce(exif, metadata, custom, frame, crop) IS NOT NULL
    )
    UPDATE samples.dataset
    SET n_samples = :total, last_modified_at = greatest(:at, last_modified_at + interval '1 millisecond')
    WHERE id = :dataset
    """
)


def _json(text: JsonText) -> Any:
    return cast(literal(text, Text), JSONB)


async def find_project(tx: AsyncConnection, dataset_id: DatasetId) -> ProjectId | None:
    """The project of a dataset, whoever asks."""
    query = select(dataset.c.project_id).where(dataset.c.id == dataset_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    return None if found is None else ProjectId(found)


async def find_sample(tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId) -> ImageSample | None:
    """One sample of a dataset."""
    query = select_full().where(sample.c.dataset_id == dataset_id, sample.c.id == id_)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else to_sample(row)


async def update_sample(
    tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId, change: SampleChange, at: datetime
) -> bool:
    """Set what is given; whether there is such a sample.

    Raises:
        IntegrityError: Another sample of the dataset has the new name.
    """
    values: dict[str, Any] = {"last_modified_at": later(sample, at)}
    if change.file_name is not None:
        values |= {"file_name": change.file_name, "file_name_digest": name_digest(change.file_name)}
    if change.thumb_name is not None:
        values["thumb_name"] = change.thumb_name
    statement = update(sample).where(sample.c.dataset_id == dataset_id, sample.c.id == id_).values(values)
    if (await tx.execute(statement.returning(sample.c.id))).one_or_none() is None:
        return False
    given = {
        "exif": change.exif,
        "metadata_": change.metadata,
        "custom_metadata": change.custom_metadata,
    }
    documents = {name: _json(text) for name, text in given.items() if text is not None}
    if documents:
        upsert = insert(document).values(sample_id=id_, **documents)
        await tx.execute(
            upsert.on_conflict_do_update(
                index_elements=[document.c.sample_id], set_={name: upsert.excluded[name] for name in documents}
            )
        )
    await tx.execute(update(dataset).where(dataset.c.id == dataset_id).values(last_modified_at=later(dataset, at)))
    return True


async def iterate_samples(conn: AsyncConnection, wanted: SampleList) -> AsyncIterator[ImageSample]:
    """Samples read through a cursor of the server, so that a million of them take no more memory than a page."""
    query = _listed(select_full(), wanted).execution_options(yield_per=_ROWS_AT_A_TIME)
    rows = await conn.stream(query)
    try:
        async for row in rows:
            yield to_sample(row)
    finally:
        await rows.close()


async def iterate_names(conn: AsyncConnection, wanted: SampleList) -> AsyncIterator[Sequence[SampleName]]:
    """Ids and file names, in blocks; an index alone is read where only ids are wanted."""
    with_names = wanted.part is Part.FILE_NAMES
    columns = (sample.c.id, sample.c.file_name) if with_names else (sample.c.id,)
    if wanted.file_name is not None or wanted.order is not SampleOrder.INDEX:
        yield _to_names(await conn.execute(_listed(select(*columns), wanted)))
        return
    total = (await conn.execute(select(dataset.c.n_samples).where(dataset.c.id == wanted.dataset_id))).scalar_one()
    stop = total if wanted.limit is None else min(total, wanted.offset + wanted.limit)
    for start in range(wanted.offset, stop, _ROWS_AT_A_TIME):
        block = sample.c.index.between(start, min(start + _ROWS_AT_A_TIME, stop) - 1)
        query = select(*columns).where(sample.c.dataset_id == wanted.dataset_id, block).order_by(sample.c.index)
        yield _to_names(await conn.execute(query))


def _to_names(rows: Iterable[Sequence[Any]]) -> list[SampleName]:
    return [SampleName(*row) for row in rows]


def _listed(query: Select[*tuple[Any, ...]], wanted: SampleList) -> Select[*tuple[Any, ...]]:
    query = query.where(sample.c.dataset_id == wanted.dataset_id)
    if wanted.order is SampleOrder.INDEX and wanted.file_name is None:
        # Indexes are dense and none is ever taken away: a page is a range of them, found at once wherever it begins.
        query = query.where(sample.c.index >= wanted.offset).order_by(sample.c.index)
        return query.limit(wanted.limit)
    if wanted.file_name is not None:
        query = query.where(sample.c.file_name_digest == name_digest(wanted.file_name))
    query = query.order_by(sample.c.id if wanted.order is SampleOrder.ID else sample.c.index)
    return query.limit(wanted.limit).offset(wanted.offset)


def select_full() -> Select[*tuple[Any, ...]]:
    """Everything of samples, for `to_sample`."""
    return select(
        sample.c.id,
        sample.c.dataset_id,
        sample.c.index,
        sample.c.kind,
        sample.c.file_name,
        sample.c.thumb_name,
        sample.c.created_at,
        sample.c.last_modified_at,
        cast(document.c.exif, Text),
        cast(document.c.metadata_, Text),
        cast(document.c.custom_metadata, Text),
        cast(document.c.video_frame, Text),
        cast(document.c.crop, Text),
        cast(fact.c.exif, Text),
        cast(fact.c.metadata_, Text),
    ).select_from(
        sample.outerjoin(document, document.c.sample_id == sample.c.id).outerjoin(fact, fact.c.sample_id == sample.c.id)
    )


def to_sample(row: Sequence[Any]) -> ImageSample:
    """A row of `select_full`."""
    return ImageSample(
        id=SampleId(row[0]),
        dataset_id=DatasetId(row[1]),
        index=row[2],
        kind=SampleKind(row[3]),
        file_name=row[4],
        thumb_name=row[5],
        created_at=row[6],
        last_modified_at=row[7],
        documents=Documents(*row[8:13]),
        measured=Documents(*row[13:15]),
    )
