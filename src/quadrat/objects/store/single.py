"""All that is known of one object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import user
from quadrat.identity.types import ProjectId
from quadrat.objects.rules.fields import FIELDS, Field, Table
from quadrat.objects.store.arrays import to_ids
from quadrat.objects.store.fields import author_name
from quadrat.objects.store.listing import details
from quadrat.objects.tables import feature, history, image, object_, taxon
from quadrat.objects.types import FormerState, Image, ImageId, ObjectId, State, TaxonId


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A former state with the names of what it mentions; None where the user or the taxon is gone."""

    object_id: ObjectId
    former: FormerState
    author_name: str | None
    taxon_name: str | None


async def find_place(tx: AsyncConnection, object_id: ObjectId) -> tuple[ProjectId, int] | None:
    """Project and sample of an object."""
    query = select(object_.c.project_id, object_.c.sample_id).where(object_.c.id == object_id)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (ProjectId(row[0]), row[1])


async def find_values(tx: AsyncConnection, object_id: ObjectId) -> Mapping[str, Any] | None:
    """All fields of the object itself by their names."""
    fields = [Field(Table.OBJECT, name, kind) for name, kind in FIELDS[Table.OBJECT].items()]
    found = (await details(tx, to_ids([object_id]), fields)).get(object_id)
    return None if found is None else dict(zip((field.name for field in fields), found, strict=True))


async def find_features(
    tx: AsyncConnection, object_id: ObjectId
) -> tuple[Sequence[float | None], Sequence[str | None]]:
    """Measured features and free texts, by position."""
    query = select(feature.c.numbers, feature.c.texts).where(feature.c.object_id == object_id)
    row = (await tx.execute(query)).one_or_none()
    return ((), ()) if row is None else (row[0], row[1])


async def list_images(tx: AsyncConnection, object_id: ObjectId) -> Sequence[Image]:
    """Images by rank."""
    query = (
        select(
            image.c.id,
            image.c.rank,
            image.c.file_name,
            image.c.extension,
            image.c.width_px,
            image.c.height_px,
            image.c.size_bytes,
            image.c.thumbnail_width_px,
            image.c.thumbnail_height_px,
        )
        .where(image.c.object_id == object_id)
        .order_by(image.c.rank)
    )
    return [Image(ImageId(row[0]), object_id, *row[1:]) for row in await tx.execute(query)]


async def list_history(tx: AsyncConnection, object_id: ObjectId) -> Sequence[HistoryLine]:
    """Former states, the newest first."""
    query = (
        select(
            history.c.entered_at,
            history.c.state,
            history.c.taxon_id,
            history.c.author_id,
            history.c.score,
            author_name,
            taxon.c.display_name,
        )
        .outerjoin(user, user.c.id == history.c.author_id)
        .outerjoin(taxon, taxon.c.id == history.c.taxon_id)
        .where(history.c.object_id == object_id)
        .order_by(history.c.change.desc())
    )
    return [
        HistoryLine(object_id, FormerState(row[0], State(row[1]), TaxonId(row[2]), row[3], row[4]), row[5], row[6])
        for row in await tx.execute(query)
    ]
