"""All SQL of datasets and image samples."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, case, cast, delete, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.actions.access import visible
from quadrat.identity.types import Caller, ProjectId
from quadrat.samples.rules import name_digest
from quadrat.samples.tables import dataset, document, image, sample
from quadrat.samples.types import (
    Dataset,
    DatasetId,
    DatasetKind,
    Documents,
    ImageKind,
    ImageSample,
    JsonText,
    NewDataset,
    NewSample,
    Part,
    Rendition,
    SampleChange,
    SampleId,
    SampleKind,
    SampleList,
    SampleName,
    SampleOrder,
    StoredImage,
)

_ROWS_AT_A_TIME = 2000


# Datasets.


def _select_datasets(caller: Caller) -> Select[*tuple[Any, ...]]:
    return select(
        dataset.c.id,
        dataset.c.project_id,
        dataset.c.owner_uuid,
        dataset.c.name,
        dataset.c.kind,
        dataset.c.image_kind,
        dataset.c.parent_id,
        dataset.c.n_samples,
        dataset.c.size_bytes,
        dataset.c.created_at,
        dataset.c.last_modified_at,
    ).where(dataset.c.project_id.in_(visible(caller)))


def _to_dataset(row: Sequence[Any]) -> Dataset:
    return Dataset(
        id=DatasetId(row[0]),
        project_id=ProjectId(row[1]),
        owner=row[2],
        name=row[3],
        kind=DatasetKind(row[4]),
        image_kind=None if row[5] is None else ImageKind(row[5]),
        parent_id=None if row[6] is None else DatasetId(row[6]),
        n_samples=row[7],
        size_bytes=row[8],
        created_at=row[9],
        last_modified_at=row[10],
    )


async def insert_dataset(
    tx: AsyncConnection, id_: DatasetId, project_id: ProjectId, owner: UUID, new: NewDataset, at: datetime
) -> bool:
    """Whether it was made; False when the owner has one of that name."""
    statement = (
        insert(dataset)
        .values(
            id=id_,
            project_id=project_id,
            owner_uuid=owner,
            name=new.name,
            kind=new.kind,
            image_kind=new.image_kind,
            parent_id=new.parent_id,
            n_samples=0,
            size_bytes=0,
            created_at=at,
            last_modified_at=at,
        )
        .on_conflict_do_nothing(index_elements=[dataset.c.owner_uuid, dataset.c.name])
        .returning(dataset.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def find_dataset(tx: AsyncConnection, caller: Caller, id_: DatasetId) -> Dataset | None:
    """One that the caller may know of."""
    row = (await tx.execute(_select_datasets(caller).where(dataset.c.id == id_))).one_or_none()
    return None if row is None else _to_dataset(row)


async def list_datasets(
    tx: AsyncConnection,
    caller: Caller,
    *,
    shared: bool,
    name: str | None,
    prefix: str | None,
    page: tuple[int | None, int],
) -> list[Dataset]:
    """The caller's own, or those of others that the caller may know of, in the order of creation.

    Args:
        tx: The transaction.
        caller: Who asks.
        shared: Those of others instead of the caller's own.
        name: Only of exactly this name.
        prefix: Only those whose name begins so.
        page: Limit (None for all) and offset.
    """
    own = dataset.c.owner_uuid == caller.uuid
    query = _select_datasets(caller).where(~own if shared else own)
    if name is not None:
        query = query.where(dataset.c.name == name)
    if prefix is not None:
        query = query.where(dataset.c.name.startswith(prefix, autoescape=True))
    limit, offset = page
    query = query.order_by(dataset.c.created_at, dataset.c.id).limit(limit).offset(offset)
    return [_to_dataset(row) for row in await tx.execute(query)]


async def rename_dataset(tx: AsyncConnection, id_: DatasetId, name: str, at: datetime) -> None:
    """Change the name.

    Raises:
        IntegrityError: The owner has another one of that name.
    """
    await tx.execute(update(dataset).where(dataset.c.id == id_).values(name=name, last_modified_at=_later(dataset, at)))


async def delete_dataset(tx: AsyncConnection, id_: DatasetId) -> None:
    """Remove it with its samples."""
    await tx.execute(delete(dataset).where(dataset.c.id == id_))


def _later(table: Any, at: datetime) -> Any:
    """The time of a change; it grows strictly, also within one millisecond and when a clock goes back."""
    return func.greatest(literal(at), table.c.last_modified_at + func.make_interval(0, 0, 0, 0, 0, 0, 0.001))


# Samples.


async def lock_dataset(tx: AsyncConnection, id_: DatasetId) -> int | None:
    """The dataset's next free index, its row locked so that no index is given twice or lost; None when it is gone."""
    query = select(dataset.c.n_samples).where(dataset.c.id == id_).with_for_update()
    return (await tx.execute(query)).scalar_one_or_none()


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
        .values(n_samples=made.index + 1, last_modified_at=_later(dataset, made.created_at))
    )


def _json(text: JsonText | None) -> Any:
    # Python's None would become the JSON value null, which is something that a client has said.
    return null() if text is None else cast(literal(text, Text), JSONB)


async def find_sample(tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId) -> ImageSample | None:
    """One sample of a dataset."""
    query = _select_full().where(sample.c.dataset_id == dataset_id, sample.c.id == id_)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _to_sample(row)


async def update_sample(
    tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId, change: SampleChange, at: datetime
) -> bool:
    """Set what is given; whether there is such a sample.

    Raises:
        IntegrityError: Another sample of the dataset has the new name.
    """
    values: dict[str, Any] = {"last_modified_at": _later(sample, at)}
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
    await tx.execute(update(dataset).where(dataset.c.id == dataset_id).values(last_modified_at=_later(dataset, at)))
    return True


async def iterate_samples(conn: AsyncConnection, wanted: SampleList) -> AsyncIterator[ImageSample | SampleName]:
    """Samples read through a cursor of the server, so that a million of them take no more memory than a page."""
    if wanted.part is Part.FULL:
        query: Select[*tuple[Any, ...]] = _select_full()
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
                yield _to_sample(row)
            else:
                yield SampleName(SampleId(row[0]), row[1] if wanted.part is Part.FILE_NAMES else None)
    finally:
        await rows.close()


def _select_full() -> Select[*tuple[Any, ...]]:
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
    ).outerjoin(document, document.c.sample_id == sample.c.id)


def _to_sample(row: Sequence[Any]) -> ImageSample:
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
    )


# Bytes.


async def find_image(tx: AsyncConnection, id_: SampleId, rendition: Rendition) -> StoredImage | None:
    """What is known of stored bytes; None when none have come."""
    query = select(image.c.size_bytes, image.c.etag, image.c.media_type, image.c.uploaded_at).where(
        image.c.sample_id == id_, image.c.rendition == rendition
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else StoredImage(*row)


async def has_sample(tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId) -> bool:
    """Whether the sample exists, whoever asks."""
    query = select(literal(1)).where(sample.c.dataset_id == dataset_id, sample.c.id == id_)
    return (await tx.execute(query)).one_or_none() is not None


async def set_image(
    tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId, rendition: Rendition, stored: StoredImage
) -> bool:
    """Note stored bytes and keep the dataset's total; False when the sample is gone."""
    # The dataset first, as everyone else: two images of one sample may arrive at the same time.
    if await lock_dataset(tx, dataset_id) is None or not await has_sample(tx, dataset_id, id_):
        return False
    before = await find_image(tx, id_, rendition)
    values = {
        "size_bytes": stored.size_bytes,
        "etag": stored.etag,
        "media_type": stored.media_type,
        "uploaded_at": stored.uploaded_at,
    }
    upsert = insert(image).values(sample_id=id_, rendition=rendition, **values)
    await tx.execute(upsert.on_conflict_do_update(index_elements=[image.c.sample_id, image.c.rendition], set_=values))
    grown = stored.size_bytes - (0 if before is None else before.size_bytes)
    full = case((literal(rendition) == Rendition.FULL.value, grown), else_=0)
    await tx.execute(
        update(dataset)
        .where(dataset.c.id == dataset_id)
        .values(
            size_bytes=dataset.c.size_bytes + full,
            last_modified_at=_later(dataset, stored.uploaded_at),
        )
    )
    return True
