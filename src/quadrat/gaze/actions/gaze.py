"""Gaze over time: on a plane, and as the scene camera saw it."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import EnrichmentPath, not_found, open_enrichment
from quadrat.gaze.actions.files import get_reference
from quadrat.gaze.analysis import plane_of
from quadrat.gaze.rules.label_image import on_plane
from quadrat.gaze.samples import read_rows, read_value
from quadrat.gaze.store import enrichments as store
from quadrat.gaze.store import fixations as fixation_store
from quadrat.gaze.store import recordings as recording_store
from quadrat.gaze.types import MappedRecording, Recording, ReferenceKind, Section
from quadrat.identity.actions.workspaces import Workspace, require_in_workspace
from quadrat.identity.types import Caller
from quadrat.storage.blobs import BlobStore

BLOCK_ROWS = 20_000
_NS = 1e9
_BELOW_ONE = math.nextafter(1.0, 0.0)
_MAX_S = 1e9


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds from the start of the recording; the end is outside. None leaves a side open.

    Args:
        max_rate_hz: Leave samples out so that no more than this many come in a second.
    """

    start_s: float | None = None
    end_s: float | None = None
    max_rate_hz: float | None = None

    def check(self) -> None:
        """Refuse what is no window.

        Raises:
            QuadratError: invalid.
        """
        for field, value in (("start", self.start_s), ("end", self.end_s)):
            if value is not None and not -_MAX_S <= value <= _MAX_S:
                raise QuadratError(ErrorKind.INVALID, f"{field} is a number of seconds.", field=field)
        if self.max_rate_hz is not None and not 0 < self.max_rate_hz <= _MAX_S:
            raise QuadratError(ErrorKind.INVALID, "max_rate_hz is a number above 0.", field="max_rate_hz")

    def span(self, recording: Recording) -> tuple[int, int]:
        """Unix times in ns."""
        low = -(2**62) if self.start_s is None else recording.start_ns + round(self.start_s * _NS)
        high = 2**62 if self.end_s is None else recording.start_ns + round(self.end_s * _NS)
        return low, high

    def step(self, period_ns: int) -> int:
        """Every how many samples one is sent."""
        if self.max_rate_hz is None or not period_ns:
            return 1
        return max(1, math.ceil(_NS / period_ns / self.max_rate_hz - 1e-9))


@dataclass(frozen=True, slots=True)
class GazeOnPlane:
    """A stretch of mapped gaze that the caller may read."""

    mapping: MappedRecording
    plane: tuple[float, float]
    window: Window


async def open_gaze_on_plane(
    tx: AsyncConnection,
    caller: Caller,
    path: EnrichmentPath,
    what: tuple[ReferenceKind, UUID, UUID],
    window: Window,
) -> GazeOnPlane:
    """Gaze of a recording on a plane.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The enrichment in which the gaze was mapped.
        what: Kind and id of the plane, and the recording.
        window: When.

    Raises:
        QuadratError: not_found, forbidden; invalid for an enrichment on another plane; unsupported for an enrichment
            of another kind.
    """
    kind, reference_uuid, recording_uuid = what
    window.check()
    reference = await get_reference(tx, caller, path.workspace, reference_uuid, kind)
    opened = await open_enrichment(tx, caller, path, "gaze.read")
    found = opened.enrichment.reference
    if found is None or found.kind is not kind:
        raise QuadratError(
            ErrorKind.UNSUPPORTED, f"An enrichment of kind {opened.enrichment.kind} has no gaze on such a plane."
        )
    if found.uuid != reference.uuid:
        raise QuadratError(
            ErrorKind.INVALID, f"Enrichment {path.enrichment} lies on another plane.", field="enrichment_id"
        )
    mappings = await store.list_mappings(tx, [opened.enrichment.id], path.workspace.organization.id)
    for mapping in mappings.get(opened.enrichment.id, []):
        if mapping.recording.uuid == recording_uuid:
            return GazeOnPlane(mapping, plane_of(opened.enrichment, mapping.unit), window)
    raise not_found("In this enrichment, recording", recording_uuid)


async def stream_gaze_on_plane(blobs: BlobStore, allowed: GazeOnPlane) -> AsyncIterator[list[dict[str, Any]]]:
    """Blocks of samples in time order, with the names that the API's clients read."""
    mapping = allowed.mapping
    if mapping.blob is None:
        return
    span = allowed.window.span(mapping.recording)
    step = allowed.window.step(mapping.period_ns)
    for section in mapping.sections:
        columns = _Columns(blobs, mapping.blob, section.first_sample)
        async for block in columns.blocks(await _rows_within(columns, section, span), step, mapping.period_ns):
            yield await asyncio.to_thread(_on_plane, block, allowed)


async def _rows_within(columns: "_Columns", section: Section, span: tuple[int, int]) -> tuple[int, int]:
    return (
        await columns.search(section.n_samples, span[0]),
        await columns.search(section.n_samples, span[1]),
    )


@dataclass(frozen=True, slots=True)
class _Block:
    """Some samples, and where each ends: at the start of the next one that is sent."""

    t: NDArray[np.int64]
    ends: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    fixation: NDArray[np.int32]
    blink: NDArray[np.int32]
    detected: NDArray[np.bool_]


class _Columns:
    """Rows of a recording's columns, counted from one of them."""

    def __init__(self, blobs: BlobStore, folder: str, first: int) -> None:
        self._blobs = blobs
        self._folder = folder
        self._first = first

    async def search(self, n_rows: int, at_ns: int) -> int:
        """The first row at or after a time: a binary search in the store."""
        low, high = 0, n_rows
        while high - low > 1 << 16:
            middle = (low + high) // 2
            if await read_value(self._blobs, self._folder, "t", self._first + middle) < at_ns:
                low = middle + 1
            else:
                high = middle
        times = await self._read("t", low, high)
        return low + int(np.searchsorted(times, at_ns))

    async def blocks(self, rows: tuple[int, int], step: int, period_ns: int) -> AsyncIterator[_Block]:
        """Every `step`-th of the rows, block by block."""
        start, stop = rows
        for low in range(start, stop, BLOCK_ROWS * step):
            high = min(stop, low + BLOCK_ROWS * step)
            # One more row says where the last sample ends.
            times = await self._read("t", low, min(stop, high + 1))
            kept = times[: high - low : step]
            follower = times[high - low] if len(times) > high - low else times[-1] + period_ns
            yield _Block(
                t=kept,
                ends=np.append(kept[1:], follower),
                x=(await self._read("x", low, high))[::step],
                y=(await self._read("y", low, high))[::step],
                fixation=(await self._read("fixation", low, high))[::step],
                blink=(await self._read("blink", low, high))[::step],
                detected=(await self._read("detected", low, high))[::step].astype(bool),
            )

    async def _read(self, name: str, low: int, high: int) -> NDArray[Any]:
        return await read_rows(self._blobs, self._folder, name, self._first + low, self._first + high)


def _on_plane(block: _Block, allowed: GazeOnPlane) -> list[dict[str, Any]]:
    width, height = allowed.plane
    zero = allowed.mapping.recording.start_ns
    # Positions outside the plane are told as they are; inside they count only where the plane was detected.
    shown = np.isfinite(block.x) & np.isfinite(block.y)
    shown &= block.detected | ~on_plane(block.x, block.y, allowed.plane)
    x, y = _normalized(block.x, width), _normalized(block.y, height)
    return [
        {
            "start_timestamp": start,
            "end_timestamp": end,
            "gaze_in_aoi_x": at_x if there else None,
            "gaze_in_aoi_y": at_y if there else None,
            "fixation_id": None if fixation < 0 else fixation,
        }
        for start, end, at_x, at_y, there, fixation in zip(
            ((block.t - zero) / _NS).tolist(),
            ((block.ends - zero) / _NS).tolist(),
            x.tolist(),
            y.tolist(),
            shown.tolist(),
            block.fixation.tolist(),
            strict=True,
        )
    ]


def _normalized(values: NDArray[np.float64], extent: float) -> NDArray[np.float64]:
    """In 0..1; never exactly 1, since clients index ``mask[int(y * height)]``."""
    scaled = values / extent
    scaled[scaled == 1.0] = _BELOW_ONE
    return scaled


# The scene camera.


async def open_recording(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> Recording:
    """A recording whose gaze the caller may read.

    Raises:
        QuadratError: not_found, forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    found = await recording_store.find_recording(tx, workspace.organization.id, uuid)
    if found is None:
        raise not_found("Recording", uuid)
    return found


async def stream_gaze(blobs: BlobStore, recording: Recording, window: Window) -> AsyncIterator[list[dict[str, Any]]]:
    """Blocks of samples in scene camera pixels; the client takes whole pixels only."""
    if recording.blob is None:
        return
    columns = _Columns(blobs, recording.blob, 0)
    low, high = window.span(recording)
    rows = (await columns.search(recording.n_samples, low), await columns.search(recording.n_samples, high))
    async for block in columns.blocks(rows, window.step(recording.period_ns), recording.period_ns):
        yield await asyncio.to_thread(_in_scene, block, recording.start_ns)


def _in_scene(block: _Block, zero: int) -> list[dict[str, Any]]:
    return [
        {
            "start_timestamp": start,
            "end_timestamp": end,
            "x": round(x) if math.isfinite(x) else None,
            "y": round(y) if math.isfinite(y) else None,
            "worn": int(worn),
            "fixation_id": None if fixation < 0 else fixation,
            "blink_id": None if blink < 0 else blink,
        }
        for start, end, x, y, worn, fixation, blink in zip(
            ((block.t - zero) / _NS).tolist(),
            ((block.ends - zero) / _NS).tolist(),
            block.x.tolist(),
            block.y.tolist(),
            block.detected.tolist(),
            block.fixation.tolist(),
            block.blink.tolist(),
            strict=True,
        )
    ]


@dataclass(frozen=True, slots=True)
class OwnFixation:
    """A fixation of a recording in scene camera pixels; times in seconds from its start."""

    number: int
    start_s: float
    end_s: float
    x: float
    y: float


async def list_own_fixations(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID, window: Window
) -> list[OwnFixation]:
    """Fixations of a recording that touch a window, in order of time.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    window.check()
    recording = await open_recording(tx, caller, workspace, uuid)
    rows = await fixation_store.read_recording(tx, recording.id)
    low, high = window.span(recording)
    zero = recording.start_ns
    return [
        OwnFixation(number, (start_ns - zero) / _NS, (end_ns - zero) / _NS, x, y)
        for number, _, start_ns, end_ns, x, y, _ in rows.tolist()
        if end_ns > low and start_ns < high
    ]
