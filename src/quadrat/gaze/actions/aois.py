"""What can be done with areas of interest."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import EnrichmentPath, Opened, not_found, open_enrichment, require_plane, require_write
from quadrat.gaze.pictures.pool import Pictures
from quadrat.gaze.rules import masks
from quadrat.gaze.rules.masks import Inside
from quadrat.gaze.rules.texts import check_color, check_name, check_text
from quadrat.gaze.store import aois as store
from quadrat.gaze.types import PLANAR_KINDS, Aoi, AoiChange, MaskFacts, MaskSource, NewAoi, Size
from quadrat.identity.types import Caller


async def list_aois(tx: AsyncConnection, caller: Caller, path: EnrichmentPath) -> Sequence[Aoi]:
    """All of an enrichment, in the order of creation; none on kinds without a plane.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened = await open_enrichment(tx, caller, path, "aois.read")
    if opened.enrichment.kind not in PLANAR_KINDS:
        return []
    return await store.list_aois(tx, opened.enrichment.id)


async def get_aoi(tx: AsyncConnection, caller: Caller, path: EnrichmentPath, uuid: UUID) -> Aoi:
    """One of them.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened = await open_enrichment(tx, caller, path, "aois.read")
    return await _get(tx, opened, uuid)


async def open_for_new(tx: AsyncConnection, caller: Caller, path: EnrichmentPath) -> Opened:
    """An enrichment in which the caller may draw areas.

    Raises:
        QuadratError: not_found, forbidden; wrong_state without a plane.
    """
    opened = await open_enrichment(tx, caller, path, "aois.create", creates=True)
    require_plane(opened.enrichment)
    return opened


async def add_aoi(tx: AsyncConnection, caller: Caller, opened: Opened, new: NewAoi, pictures: Pictures) -> Aoi:
    """Draw an area in an enrichment that is open for it.

    Raises:
        QuadratError: invalid; already_exists for a used id.
    """
    uuid = new.uuid or new_uuid()
    values = {
        "name": check_name(new.name),
        "description": check_text(new.description, "description"),
        "color": check_color(new.color),
        "proposed_by": new.proposed_by,
        "created_by": caller.uuid,
        **await _mask_values(pictures, new.mask, _plane(opened), new.color),
    }
    if not await store.insert_aoi(tx, opened.enrichment.id, uuid, values):
        raise QuadratError(ErrorKind.ALREADY_EXISTS, f"The enrichment has an area {uuid} already.", field="id")
    return await _get(tx, opened, uuid)


async def update_aoi(
    tx: AsyncConnection, caller: Caller, where: tuple[EnrichmentPath, UUID], change: AoiChange, pictures: Pictures
) -> Aoi:
    """Change what is given about an area (enrichment, id); a new colour repaints the mask.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    path, uuid = where
    opened = await open_enrichment(tx, caller, path, None)
    found = await _get(tx, opened, uuid, lock=True)
    require_write(caller, opened.access, "aois.update", made_by=found.created_by)
    values: dict[str, Any] = {"proposed_by": None} if change.accepted else {}
    if change.name is not None:
        values["name"] = check_name(change.name)
    if change.description is not None:
        values["description"] = check_text(change.description, "description")
    if change.color is not None:
        values["color"] = check_color(change.color)
    color = change.color if change.color is not None else found.color
    if change.mask is not None:
        values |= await _mask_values(pictures, change.mask, _plane(opened), color)
    elif masks.paint_of(color) != masks.paint_of(found.color):
        bits = await store.read_bits(tx, found.id)
        values["png"] = await asyncio.to_thread(_repaint, bits, found.mask.size, color)
    await store.update_aoi(tx, found.id, values)
    return await _get(tx, opened, uuid)


async def delete_aoi(tx: AsyncConnection, caller: Caller, path: EnrichmentPath, uuid: UUID) -> None:
    """Remove an area.

    Raises:
        QuadratError: not_found, forbidden.
    """
    opened = await open_enrichment(tx, caller, path, None)
    found = await store.find_aoi(tx, opened.enrichment.id, uuid)
    require_write(caller, opened.access, "aois.delete", made_by=None if found is None else found.created_by)
    if found is None:
        raise not_found("Area", uuid)
    await store.delete_aois(tx, [found.id])


async def delete_aois(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, uuids: Collection[UUID]
) -> tuple[list[UUID], list[UUID]]:
    """Remove those that there are; returns them, and those that there are not.

    Raises:
        QuadratError: not_found for the enrichment; forbidden, when one of them may not be removed.
    """
    opened = await open_enrichment(tx, caller, path, None)
    wanted = dict.fromkeys(uuids)
    found = [aoi for aoi in await store.list_aois(tx, opened.enrichment.id) if aoi.uuid in wanted]
    makers = {aoi.created_by for aoi in found} or {caller.uuid}
    for made_by in makers:
        require_write(caller, opened.access, "aois.delete", made_by=made_by)
    await store.delete_aois(tx, [aoi.id for aoi in found])
    gone = {aoi.uuid for aoi in found}
    return [uuid for uuid in wanted if uuid in gone], [uuid for uuid in wanted if uuid not in gone]


async def _get(tx: AsyncConnection, opened: Opened, uuid: UUID, *, lock: bool = False) -> Aoi:
    found = await store.find_aoi(tx, opened.enrichment.id, uuid, lock=lock)
    if found is None:
        raise not_found("Area", uuid)
    return found


def _plane(opened: Opened) -> Size | None:
    reference = opened.enrichment.reference
    return None if reference is None else reference.size


async def _mask_values(pictures: Pictures, source: MaskSource, plane: Size | None, color: str | None) -> dict[str, Any]:
    if source.png is not None:
        decoded = await pictures.read_mask(source.png)
        inside = masks.check_mask(decoded, plane)
    elif source.box is not None:
        inside = masks.fill_box(source.box, plane or masks.DEFAULT_SIZE)
    else:
        raise QuadratError(
            ErrorKind.INVALID, "An area needs mask_image_data_url or bounding_box.", field="mask_image_data_url"
        )
    return store.mask_values(*await asyncio.to_thread(_draw, inside, color))


def _draw(inside: Inside, color: str | None) -> tuple[MaskFacts, bytes, bytes]:
    return masks.describe(inside), masks.paint(inside, color), masks.pack(inside)


def _repaint(bits: bytes, size: Size, color: str | None) -> bytes:
    return masks.paint(masks.unpack(bits, size), color)
