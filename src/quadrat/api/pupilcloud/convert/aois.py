"""Areas and labels between the wire and the domain."""

import json
import math
from collections.abc import Sequence
from uuid import UUID

from pydantic import ValidationError

from quadrat.api.pupilcloud.schemas import aois as wire
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.labels import LabelContent
from quadrat.gaze.rules import masks
from quadrat.gaze.types import Aoi, AoiChange, Box, Label, MaskSource, NewAoi


def aoi(found: Aoi) -> wire.Aoi:
    """An area. Its box is named as the clients' tutorials read it: `max_y` is the top edge."""
    box, center = found.mask.box, found.mask.centroid
    return wire.Aoi(
        id=str(found.uuid),
        enrichment_id=str(found.enrichment_uuid),
        name=found.name,
        description=found.description,
        color=found.color,
        mask_image_data_url=masks.data_url(found.png),
        bounding_box=wire.BoundingBox(min_x=box.left, max_x=box.right, min_y=box.bottom, max_y=box.top),
        centroid_xy=wire.Point(x=center[0], y=center[1]),
        created_at=found.created_at.isoformat(),
        updated_at=found.updated_at.isoformat(),
        created_by_user_id=None if found.created_by is None else str(found.created_by),
        proposed_by=found.proposed_by,
    )


def new_aoi(body: wire.AoiPost, path: tuple[UUID, str | None]) -> NewAoi:
    """An area to be made; the path (enrichment, perhaps the area's id) and the body have to agree.

    Raises:
        QuadratError: invalid.
    """
    enrichment, in_path = path
    refuse_other("enrichment_id", body.enrichment_id, str(enrichment))
    if in_path is not None and body.id is not None:
        refuse_other("id", body.id, in_path)
    given = in_path if body.id is None else body.id
    source = mask_source(body.mask_image_data_url, body.bounding_box)
    return NewAoi(
        name=body.name,
        mask=source or MaskSource(),
        uuid=None if given is None else to_id(given, "id"),
        description=body.description,
        color=body.color,
    )


def aoi_change(body: wire.AoiPatch, path: tuple[UUID, UUID]) -> AoiChange:
    """What changes about an area (enrichment, area).

    Raises:
        QuadratError: wrong_state when the body speaks of another area or enrichment; invalid.
    """
    enrichment, uuid = path
    for field, given, known in (("enrichment_id", body.enrichment_id, enrichment), ("id", body.id, uuid)):
        if given is not None and _lower(given) != str(known):
            raise QuadratError(ErrorKind.WRONG_STATE, f"{field} differs from that of the path.", field=field)
    return AoiChange(
        name=body.name,
        description=body.description,
        color=body.color,
        mask=mask_source(body.mask_image_data_url, body.bounding_box),
        accepted=bool(body.accepted),
    )


def refuse_other(field: str, given: str, known: str) -> None:
    """Refuse an id in the body that is not the one of the path.

    Raises:
        QuadratError: invalid.
    """
    if _lower(given) != _lower(known):
        raise QuadratError(ErrorKind.INVALID, f"{field} differs from that of the path.", field=field)


def _lower(text: str) -> str:
    return text.strip().lower()


def to_id(text: str, field: str) -> UUID:
    """An id that a client has chosen.

    Raises:
        QuadratError: invalid.
    """
    try:
        return UUID(text)
    except ValueError:
        raise QuadratError(ErrorKind.INVALID, f"{field} is no UUID.", field=field) from None


def mask_source(url: str | None, box: wire.BoundingBox | str | None) -> MaskSource | None:
    """Where a mask comes from; a picture wins over a box. None when neither is given.

    Raises:
        QuadratError: invalid.
    """
    if url is not None:
        return MaskSource(png=masks.decode_data_url(url))
    if box is None:
        return None
    given = _box_from_text(box) if isinstance(box, str) else box
    values = (given.min_x, given.max_x, given.min_y, given.max_y)
    if not all(math.isfinite(value) for value in values):
        raise QuadratError(ErrorKind.INVALID, "bounding_box holds something that is no number.", field="bounding_box")
    # Both ways of naming top and bottom are in use.
    top, bottom = sorted((given.min_y, given.max_y))
    return MaskSource(box=Box(left=given.min_x, right=given.max_x, top=top, bottom=bottom))


def _box_from_text(text: str) -> wire.BoundingBox:
    try:
        return wire.BoundingBox.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError):
        raise QuadratError(
            ErrorKind.INVALID, "bounding_box is no JSON object of min_x, max_x, min_y, max_y.", field="bounding_box"
        ) from None


def known_ids(texts: Sequence[str]) -> tuple[list[UUID], list[str]]:
    """Ids that may exist, and those that cannot."""
    found, strange = [], []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            strange.append(text)
    return found, strange


def label(found: Label) -> wire.Label:
    """A label."""
    return wire.Label(
        id=str(found.uuid),
        name=found.name,
        aoi_ids=[str(uuid) for uuid in found.aoi_uuids],
        recording_ids=[str(uuid) for uuid in found.recording_uuids],
        template_ids=[],
        created_at=found.created_at.isoformat(),
        updated_at=found.updated_at.isoformat(),
        created_by_user_id=None if found.created_by is None else str(found.created_by),
    )


def label_content(body: wire.LabelPost, in_path: str | None = None) -> LabelContent:
    """What is said of a label.

    Raises:
        QuadratError: invalid.
    """
    if in_path is not None and body.id is not None:
        refuse_other("id", body.id, in_path)
    given = in_path if body.id is None else body.id
    return LabelContent(
        name=body.name,
        uuid=None if given is None else to_id(given, "id"),
        aois=None if body.aoi_ids is None else [to_id(text, "aoi_ids") for text in body.aoi_ids],
        recordings=None
        if body.recording_ids is None
        else [to_id(text, "recording_ids") for text in body.recording_ids],
    )
