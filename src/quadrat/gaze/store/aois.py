"""SQL of areas of interest and of the labels over them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.gaze.tables import aoi, enrichment, label, label_aoi, label_recording, recording
from quadrat.gaze.types import Aoi, AoiId, Box, EnrichmentId, Label, LabelId, MaskFacts, Size
from quadrat.identity.tables import project
from quadrat.identity.types import OrganizationId


def _select_aois(*, pictures: bool = True) -> Select[*tuple[Any, ...]]:
    return select(
        aoi.c.id,
        aoi.c.uuid,
        enrichment.c.uuid,
        aoi.c.name,
        aoi.c.description,
        aoi.c.color,
        aoi.c.width,
        aoi.c.height,
        aoi.c.digest,
        aoi.c.box,
        aoi.c.centroid,
        aoi.c.area_px,
        aoi.c.png if pictures else literal(b""),
        aoi.c.proposed_by,
        aoi.c.created_by,
        aoi.c.created_at,
        aoi.c.updated_at,
    ).join(enrichment, enrichment.c.id == aoi.c.enrichment_id)


def _to_aoi(row: Sequence[Any]) -> Aoi:
    return Aoi(
        id=AoiId(row[0]),
        uuid=row[1],
        enrichment_uuid=row[2],
        name=row[3],
        description=row[4],
        color=row[5],
        mask=MaskFacts(Size(row[6], row[7]), row[8], Box(*row[9]), (row[10][0], row[10][1]), row[11]),
        png=row[12],
        proposed_by=row[13],
        created_by=row[14],
        created_at=row[15],
        updated_at=row[16],
    )


async def list_aois(tx: AsyncConnection, enrichment_id: EnrichmentId, *, pictures: bool = True) -> list[Aoi]:
    """All of an enrichment, in the order of creation; with or without their pictures, which are long."""
    query = _select_aois(pictures=pictures).where(aoi.c.enrichment_id == enrichment_id).order_by(aoi.c.id)
    return [_to_aoi(row) for row in await tx.execute(query)]


async def list_masks(tx: AsyncConnection, ids: Collection[AoiId]) -> dict[AoiId, tuple[bytes, bytes]]:
    """Packed inside pixels of areas, and their digests."""
    query = select(aoi.c.id, aoi.c.bits, aoi.c.digest).where(aoi.c.id.in_(ids))
    return {AoiId(id_): (bits, digest) for id_, bits, digest in await tx.execute(query)}


async def find_aoi(tx: AsyncConnection, enrichment_id: EnrichmentId, uuid: UUID, *, lock: bool = False) -> Aoi | None:
    """One of an enrichment's areas."""
    query = _select_aois().where(aoi.c.enrichment_id == enrichment_id, aoi.c.uuid == uuid)
    row = (await tx.execute(query.with_for_update(of=aoi) if lock else query)).one_or_none()
    return None if row is None else _to_aoi(row)


def mask_values(facts: MaskFacts, png: bytes, bits: bytes) -> dict[str, Any]:
    """The columns of a mask."""
    return {
        "width": facts.size.width,
        "height": facts.size.height,
        "digest": facts.digest,
        "box": [facts.box.left, facts.box.right, facts.box.top, facts.box.bottom],
        "centroid": list(facts.centroid),
        "area_px": facts.area_px,
        "png": png,
        "bits": bits,
    }


async def insert_aoi(tx: AsyncConnection, enrichment_id: EnrichmentId, uuid: UUID, values: dict[str, Any]) -> bool:
    """A new area; False when the enrichment has one of this id already."""
    statement = (
        insert(aoi)
        .values(enrichment_id=enrichment_id, uuid=uuid, **values)
        .on_conflict_do_nothing(index_elements=[aoi.c.enrichment_id, aoi.c.uuid])
        .returning(aoi.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def update_aoi(tx: AsyncConnection, id_: AoiId, values: dict[str, Any]) -> None:
    """Change columns; the time of the change grows strictly."""
    later = func.greatest(func.clock_timestamp(), aoi.c.updated_at + func.make_interval(0, 0, 0, 0, 0, 0, 0.000001))
    await tx.execute(update(aoi).where(aoi.c.id == id_).values(updated_at=later, **values))


async def delete_aois(tx: AsyncConnection, ids: Collection[AoiId]) -> None:
    """Remove areas."""
    await tx.execute(delete(aoi).where(aoi.c.id.in_(ids)))


async def read_bits(tx: AsyncConnection, id_: AoiId) -> bytes:
    """Packed inside pixels of one area."""
    bits: bytes = (await tx.execute(select(aoi.c.bits).where(aoi.c.id == id_))).scalar_one()
    return bits


# Labels.


def _select_labels() -> Select[*tuple[Any, ...]]:
    return select(label.c.id, label.c.uuid, label.c.name, label.c.created_by, label.c.created_at, label.c.updated_at)


async def _to_labels(tx: AsyncConnection, rows: Iterable[Sequence[Any]]) -> list[Label]:
    found = list(rows)
    ids = [row[0] for row in found]
    aois: dict[int, list[UUID]] = defaultdict(list)
    query = select(label_aoi.c.label_id, aoi.c.uuid).join(aoi, aoi.c.id == label_aoi.c.aoi_id)
    for label_id, uuid in await tx.execute(query.where(label_aoi.c.label_id.in_(ids)).order_by(aoi.c.id)):
        aois[label_id].append(uuid)
    recordings: dict[int, list[UUID]] = defaultdict(list)
    query = select(label_recording.c.label_id, recording.c.uuid).join(
        recording, recording.c.id == label_recording.c.recording_id
    )
    for label_id, uuid in await tx.execute(query.where(label_recording.c.label_id.in_(ids)).order_by(recording.c.id)):
        recordings[label_id].append(uuid)
    return [
        Label(
            id=LabelId(row[0]),
            uuid=row[1],
            name=row[2],
            aoi_uuids=tuple(aois[row[0]]),
            recording_uuids=tuple(recordings[row[0]]),
            created_by=row[3],
            created_at=row[4],
            updated_at=row[5],
        )
        for row in found
    ]


async def list_labels(tx: AsyncConnection, organization_id: OrganizationId) -> list[Label]:
    """All of a workspace, in the order of creation."""
    query = _select_labels().where(label.c.organization_id == organization_id).order_by(label.c.id)
    return await _to_labels(tx, await tx.execute(query))


async def list_labels_of(tx: AsyncConnection, enrichment_id: EnrichmentId) -> list[Label]:
    """Those that lie over at least one area of an enrichment."""
    over = (
        select(label_aoi.c.label_id)
        .join(aoi, aoi.c.id == label_aoi.c.aoi_id)
        .where(aoi.c.enrichment_id == enrichment_id)
    )
    return await _to_labels(tx, await tx.execute(_select_labels().where(label.c.id.in_(over)).order_by(label.c.id)))


async def find_label(
    tx: AsyncConnection, organization_id: OrganizationId, uuid: UUID, *, lock: bool = False
) -> Label | None:
    """One of a workspace's labels."""
    query = _select_labels().where(label.c.organization_id == organization_id, label.c.uuid == uuid)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else (await _to_labels(tx, [row]))[0]


async def insert_label(
    tx: AsyncConnection, organization_id: OrganizationId, uuid: UUID, name: str, created_by: UUID
) -> LabelId | None:
    """A new label; None when the workspace has one of this id already."""
    statement = (
        insert(label)
        .values(organization_id=organization_id, uuid=uuid, name=name, created_by=created_by)
        .on_conflict_do_nothing(index_elements=[label.c.organization_id, label.c.uuid])
        .returning(label.c.id)
    )
    id_ = (await tx.execute(statement)).scalar_one_or_none()
    return None if id_ is None else LabelId(id_)


async def rename_label(tx: AsyncConnection, id_: LabelId, name: str) -> None:
    """Change the name, or only the time of the last change."""
    await tx.execute(update(label).where(label.c.id == id_).values(name=name, updated_at=func.clock_timestamp()))


async def set_label_aois(
    tx: AsyncConnection, organization_id: OrganizationId, id_: LabelId, uuids: Collection[UUID]
) -> set[UUID]:
    """Lay a label over these areas of its workspace and no others; returns those that there are."""
    query = (
        select(aoi.c.id, aoi.c.uuid)
        .join(enrichment, enrichment.c.id == aoi.c.enrichment_id)
        .join(project, project.c.id == enrichment.c.project_id)
        .where(aoi.c.uuid.in_(uuids), project.c.organization_id == organization_id)
    )
    found = (await tx.execute(query)).all()
    await tx.execute(delete(label_aoi).where(label_aoi.c.label_id == id_))
    if found:
        await tx.execute(insert(label_aoi), [{"label_id": id_, "aoi_id": row[0]} for row in found])
    return {row[1] for row in found}


async def set_label_recordings(
    tx: AsyncConnection, organization_id: OrganizationId, id_: LabelId, uuids: Collection[UUID]
) -> set[UUID]:
    """Lay a label over these recordings of its workspace and no others; returns those that there are."""
    query = select(recording.c.id, recording.c.uuid).where(
        recording.c.uuid.in_(uuids), recording.c.organization_id == organization_id
    )
    found = (await tx.execute(query)).all()
    await tx.execute(delete(label_recording).where(label_recording.c.label_id == id_))
    if found:
        await tx.execute(insert(label_recording), [{"label_id": id_, "recording_id": row[0]} for row in found])
    return {row[1] for row in found}


async def delete_labels(tx: AsyncConnection, organization_id: OrganizationId, uuids: Collection[UUID]) -> list[UUID]:
    """Remove a workspace's labels; returns those that there were."""
    statement = (
        delete(label).where(label.c.organization_id == organization_id, label.c.uuid.in_(uuids)).returning(label.c.uuid)
    )
    return list((await tx.execute(statement)).scalars())
