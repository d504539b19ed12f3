"""All SQL of imports by reference."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import any_, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text

from quadrat.identity.types import ProjectId, UserId
from quadrat.samples.store.datasets import later
from quadrat.samples.store.images import mark_unread, owner_of, set_images
from quadrat.samples.tables import dataset, image, reference, unread
from quadrat.samples.types import DatasetId, Rendition, SampleId, StoredImage
from quadrat.storage.references import Referenced
from quadrat.storage.sniff import UNKNOWN


async def list_versions(tx: AsyncConnection, ids: Sequence[SampleId]) -> dict[SampleId, tuple[str, str]]:
    """Location and version of those samples that were imported by reference."""
    query = select(reference.c.sample_id, reference.c.location, reference.c.version).where(
        reference.c.sample_id == any_(literal(list(ids), ARRAY(Text)))
    )
    return {SampleId(row[0]): (row[1], row[2]) for row in await tx.execute(query)}


async def insert_references(
    tx: AsyncConnection, dataset_id: DatasetId, made: Sequence[tuple[SampleId, Referenced]], at: datetime
) -> None:
    """Note where the images of new samples lie, and have them looked into."""
    await tx.execute(
        insert(reference),
        [{"sample_id": id_, "location": file.location, "version": file.version} for id_, file in made],
    )
    await tx.execute(
        insert(image),
        [
            {
                "sample_id": id_,
                "rendition": Rendition.FULL,
                "size_bytes": file.size_bytes,
                "etag": file.version,
                "media_type": UNKNOWN,
                "uploaded_at": at,
            }
            for id_, file in made
        ],
    )
    await tx.execute(insert(unread), [{"sample_id": id_, "dataset_id": dataset_id, "at": at} for id_, _ in made])
    grown = sum(file.size_bytes for _, file in made)
    await tx.execute(
        update(dataset)
        .where(dataset.c.id == dataset_id)
        .values(size_bytes=dataset.c.size_bytes + grown, last_modified_at=later(dataset, at))
    )


async def set_reference(
    tx: AsyncConnection, dataset_id: DatasetId, id_: SampleId, file: Referenced, stored: StoredImage
) -> None:
    """The file of a sample has changed or moved."""
    values = {"location": file.location, "version": file.version}
    await tx.execute(update(reference).where(reference.c.sample_id == id_).values(**values))
    await set_images(tx, dataset_id, {(id_, Rendition.FULL): stored})
    await mark_unread(tx, dataset_id, [id_], stored.uploaded_at)


async def place_of(tx: AsyncConnection, dataset_id: DatasetId) -> tuple[UserId | None, ProjectId | None]:
    """Owner and project of a dataset, for jobs."""
    return await owner_of(tx, dataset_id) or (None, None)
