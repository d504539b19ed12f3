"""All SQL of image samples and what is known of their bytes."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Text, cast, literal, null, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

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


async def find_by_name(tx: AsyncConnection, dataset_id: DatasetId, file_name: str) -> tuple[SampleId, bytes] | None:
    """Id and request digest of the sample of exactly this name."""
    query = select(sample.c.id, sample.c.request_digest).where(
        sample.c.dataset_id == dataset_id, sample.c.file_name_digest == name_digest(file_name)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (SampleId(row[0]), row[1])


async def insert_sample(tx: AsyncConnection, made: ImageSample, new: NewSample) -> None:
    """A new sample at the next index of its locked dataset."""
    await tx.execute(
        insert(sample).values(
            id=made.id,
            dataset_id=made.dataset_id,
            index=made.index,
            kind=made.kind,
            file_name=new.file_name,
            file_name_digest=name_digest(new.file_name),
            thumb_name=new.thumb_name,
            request_digest=new.digest,
            created_at=made.created_at,
            last_modified_at=made.last_modified_at,
        )
    )
    documents = new.documents
    if documents != Documents():
        values = {
            "exif": _json(documents.exif),
            "metadata_": _json(documents.metadata),
            "custom_metadata": _json(documents.custom_metadata),
            "video_frame": _json(documents.video_frame),
            "crop": _json(documents.crop),
        }
        await tx.execute(insert(document).values(sample_id=made.id, **values))
    await tx.execute(
        update(dataset)
        .where(dataset.c.id == made.dataset_id)
        .values(n_samples=made.index + 1, last_modified_at=later(dataset, made.created_at))
    )


def _json(text: JsonText | None) -> Any:
    # Python's None would become the JSON value null, which is something that a client has said.
    return null() if text is None else cast(literal(text, Text), JSONB)


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


async def iterate_samples(conn: AsyncConnection, wanted: SampleList) -> AsyncIterator[ImageSample | SampleName]:
    """Samples read through a cursor of the server, so that a million of them take no more memory than a page."""
    if wanted.part is Part.FULL:
        query: Select[*tuple[Any, ...]] = select_full()
    elif wanted.part is Part.FILE_NAMES:
        query = select(sample.c.id, sample.c.file_name)
    else:
        query = select(sample.c.id)
    query = query.where(sample.c.dataset_id == wanted.dataset_id)
    if wanted.file_name is not None:
        query = query.where(sample.c.file_name_digest == name_digest(wanted.file_name))
    query = query.order_by(sample.c.id if wanted.order is SampleOrder.ID else sample.c.index)
    query = query.limit(wanted.limit).offset(wanted.offset).execution_options(yield_per=_ROWS_AT_A_TIME)
    rows = await conn.stream(query)
    try:
        async for row in rows:
            if wanted.part is Part.FULL:
                yield to_sample(row)
            else:
                yield SampleName(SampleId(row[0]), row[1] if wanted.part is Part.FILE_NAMES else None)
    finally:
        await rows.close()


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
