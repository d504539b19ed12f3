"""Fixations: as a recording has them, and as a person maps them onto a picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import EnrichmentPath, not_found, open_enrichment, require_write
from quadrat.gaze.store import enrichments as store
from quadrat.gaze.store import fixations as fixation_store
from quadrat.gaze.types import EnrichmentKind, MappedRecording
from quadrat.identity.types import Caller

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class PlacedFixation:
    """A fixation of a manual mapper.

    Args:
        number: Its id within the recording.
        start_s: From the start of the recording.
        end_s: From the start of the recording.
        on_plane: None while nobody has looked at it.
        position: In 0..1; None where it has none.
        updated_at: When it was mapped.
    """

    number: int
    start_s: float
    end_s: float
    on_plane: bool | None
    position: tuple[float, float] | None
    updated_at: datetime | None


async def list_placed(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, recording: UUID
) -> Sequence[PlacedFixation]:
    """The fixations of a recording in an enrichment, in order of time.

    Raises:
        QuadratError: not_found, forbidden.
    """
    mapping = await _open(tx, caller, path, recording, write=False)
    rows = (await fixation_store.read_mappings(tx, [mapping.id]))[mapping.id]
    updates = await fixation_store.list_updates(tx, mapping.id)
    return _to_placed(mapping, rows, updates)


def _to_placed(mapping: MappedRecording, rows: NDArray[np.void], updates: dict[int, datetime]) -> list[PlacedFixation]:
    zero = mapping.recording.start_ns
    return [
        PlacedFixation(
            number=number,
            start_s=(start_ns - zero) / 1e9,
            end_s=(end_ns - zero) / 1e9,
            on_plane=None if detected < 0 else detected == 1,
            position=None if math.isnan(x) or math.isnan(y) else (x, y),
            updated_at=updates.get(number),
        )
        for number, _, start_ns, end_ns, x, y, detected in rows.tolist()
    ]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a person puts a fixation.

    Args:
        on_plane: False: it looks elsewhere.
        position: In 0..1.
    """

    on_plane: bool
    position: tuple[float, float] | None


async def place_fixation(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, what: tuple[UUID, int], placement: Placement
) -> PlacedFixation:
    """Map a fixation (recording, number) by hand.

    Raises:
        QuadratError: not_found, forbidden; invalid for a position off the picture.
    """
    recording, number = what
    x, y = placement.position or (_NAN, _NAN)
    if placement.on_plane and not (0 <= x <= 1 and 0 <= y <= 1):
        raise QuadratError(ErrorKind.INVALID, "A fixation on the picture needs x and y from 0 to 1.", field="x")
    await _place(tx, caller, path, what, (x, y, int(placement.on_plane)))
    found = await list_placed(tx, caller, path, recording)
    return next(one for one in found if one.number == number)


async def unplace_fixation(tx: AsyncConnection, caller: Caller, path: EnrichmentPath, what: tuple[UUID, int]) -> None:
    """Take back where a person put a fixation.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await _place(tx, caller, path, what, (_NAN, _NAN, -1))


async def _place(
    tx: AsyncConnection,
    caller: Caller,
    path: EnrichmentPath,
    what: tuple[UUID, int],
    position: tuple[float, float, int],
) -> None:
    recording, number = what
    mapping = await _open(tx, caller, path, recording, write=True)
    at = None if position[2] < 0 else now()
    in_range = -(2**31) <= number < 2**31
    if not in_range or not await fixation_store.place_fixation(tx, mapping.id, number, position, at):
        raise not_found("Fixation", number)
    await store.set_revision(tx, mapping.id, new_uuid())


async def clear_fixations(tx: AsyncConnection, caller: Caller, path: EnrichmentPath, recording: UUID) -> None:
    """Take back all of a recording.

    Raises:
        QuadratError: not_found, forbidden.
    """
    mapping = await _open(tx, caller, path, recording, write=True)
    await fixation_store.clear_fixations(tx, mapping.id)
    await store.set_revision(tx, mapping.id, new_uuid())


async def _open(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, recording: UUID, *, write: bool
) -> MappedRecording:
    opened = await open_enrichment(tx, caller, path, None if write else "gaze.read", lock=write)
    if write:
        require_write(caller, opened.access, "gaze.update", made_by=opened.enrichment.created_by)
    if opened.enrichment.kind is not EnrichmentKind.STATIC_IMAGE:
        raise not_found("Manual mapper", path.enrichment)
    mappings = await store.list_mappings(tx, [opened.enrichment.id], path.workspace.organization.id)
    for mapping in mappings.get(opened.enrichment.id, []):
        if mapping.recording.uuid == recording:
            return mapping
    raise not_found("In this enrichment, recording", recording)
