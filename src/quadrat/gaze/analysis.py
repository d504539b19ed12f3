"""Computes statistics from what is stored, remembering by content what it has computed.

Nothing here decides about permissions: a plan is made by `quadrat.gaze.actions.statistics`, which does.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.cache import ContentCache
from quadrat.gaze.rules import masks, statistics
from quadrat.gaze.rules.label_image import Ints, LabelImage, SampleCounter, draw
from quadrat.gaze.rules.statistics import Fixations, Hits, SampleCounts
from quadrat.gaze.samples import iterate_rows, read_value
from quadrat.gaze.store import aois as aoi_store
from quadrat.gaze.store import fixations as fixation_store
from quadrat.gaze.types import (
    Aoi,
    AoiId,
    Coverage,
    Enrichment,
    Label,
    MappedRecording,
    MappingId,
    PooledMetrics,
    RecordingMetrics,
    RecordingStatistics,
    Size,
    Statistics,
    Unit,
    Visit,
)
from quadrat.storage.blobs import BlobStore

Value = TypeVar("Value")
_MIB = 1024**2
_ATTEMPTS = 3
_AT_A_TIME = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute, as it was at one moment.

    Args:
        aois: All of the enrichment; their pictures are left out.
        mappings: The recordings in scope.
    """

    enrichment: Enrichment
    aois: Sequence[Aoi]
    labels: Sequence[Label]
    mappings: Sequence[MappedRecording]


class _ChangedError(Exception):
    """What a plan speaks of has changed or gone since: make a new one."""


def plane_of(enrichment: Enrichment, unit: Unit) -> tuple[float, float]:
    """Width and height of the plane in the unit of the positions."""
    if unit is Unit.NORM:
        return 1.0, 1.0
    size = None if enrichment.reference is None else enrichment.reference.size
    return (1.0, 1.0) if size is None else (float(size.width), float(size.height))


class Analyst:
    """Computes statistics. One per process.

    Args:
        db: Where areas and fixations are.
        blobs: Where gaze columns are.
    """

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs
        self._images: ContentCache[tuple[LabelImage, ...]] = ContentCache(128 * _MIB)
        self._fixations: ContentCache[Fixations] = ContentCache(128 * _MIB)
        self._counts: ContentCache[SampleCounts] = ContentCache(32 * _MIB)
        self._measured: ContentCache[tuple[tuple[RecordingMetrics, ...], tuple[RecordingMetrics, ...], Coverage]] = (
            ContentCache(64 * _MIB)
        )
        self._running: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    async def fresh(self, plan: Callable[[], Awaitable[Plan]], compute: Callable[[Plan], Awaitable[Value]]) -> Value:
        """Plan and compute; once more when something was changed in between.

        Raises:
            QuadratError: what planning refuses; unavailable when it changes all the time.
        """
        for _ in range(_ATTEMPTS):
            made = await plan()
            try:
                return await compute(made)
            except _ChangedError:
                continue
        raise QuadratError(
            ErrorKind.UNAVAILABLE, "The enrichment changes all the time; try again shortly.", retry_after_s=2
        )

    async def statistics(self, plan: Plan, *, sequences: bool = False) -> Statistics:
        """All numbers of a plan.

        Args:
            plan: What to compute.
            sequences: Also visits and transitions; otherwise they are left empty.
        """
        # Those who ask for the same at the same time wait for one computation.
        lock = self._running.setdefault(plan.enrichment.uuid, asyncio.Lock())
        async with lock:
            recordings = await self._recordings(plan, sequences=sequences)
        return Statistics(
            enrichment=plan.enrichment,
            aois=plan.aois,
            labels=plan.labels,
            recordings=recordings,
            pooled=_pool(recordings, [found.metrics for found in recordings], len(plan.aois)),
            pooled_labels=_pool(recordings, [found.labels for found in recordings], len(plan.labels)),
        )

    async def fixations_of(self, plan: Plan) -> dict[MappingId, Fixations]:
        """The fixations of a plan's recordings."""
        found: dict[MappingId, Fixations] = {}
        missing = []
        for mapping in plan.mappings:
            known = self._fixations.get((mapping.id, mapping.revision))
            if known is None:
                missing.append(mapping)
            else:
                found[mapping.id] = known
        if not missing:
            return found
        async with self._db.snapshot() as tx:
            revisions = await fixation_store.list_revisions(tx, [mapping.id for mapping in missing])
            packed = await fixation_store.read_mappings(tx, [mapping.id for mapping in missing])
        for mapping in missing:
            if revisions.get(mapping.id) != mapping.revision:
                raise _ChangedError
            made = await asyncio.to_thread(_unpack, packed[mapping.id])
            self._fixations.put((mapping.id, mapping.revision), made, packed[mapping.id].nbytes)
            found[mapping.id] = made
        return found

    async def images_of(self, plan: Plan) -> tuple[LabelImage, ...]:
        """The areas of a plan as label images, one for each size of mask."""
        key = tuple(aoi.mask.digest for aoi in plan.aois)
        known = self._images.get(key)
        if known is not None:
            return known
        async with self._db.begin() as tx:
            packed = await aoi_store.list_masks(tx, [aoi.id for aoi in plan.aois])
        if any(aoi.id not in packed or packed[aoi.id][1] != aoi.mask.digest for aoi in plan.aois):
            raise _ChangedError
        images = await asyncio.to_thread(_draw_all, plan.aois, {id_: bits for id_, (bits, _) in packed.items()})
        self._images.put(key, images, sum(image.pixels.nbytes + image.parents.nbytes * 2 for image in images))
        return images

    async def hits_of(self, plan: Plan) -> list[tuple[MappedRecording, Fixations, Hits]]:
        """Which fixation of which recording is on which area."""
        fixations = await self.fixations_of(plan)
        images = await self.images_of(plan)
        return [
            (mapping, fixations[mapping.id], await asyncio.to_thread(self._hits, plan, mapping, fixations, images))
            for mapping in plan.mappings
        ]

    def _hits(
        self,
        plan: Plan,
        mapping: MappedRecording,
        fixations: dict[MappingId, Fixations],
        images: Sequence[LabelImage],
    ) -> Hits:
        plane = plane_of(plan.enrichment, mapping.unit)
        return statistics.find_hits(fixations[mapping.id], images, len(plan.aois), plane)

    async def _recordings(self, plan: Plan, *, sequences: bool) -> list[RecordingStatistics]:
        # The database packs fixations while this process counts samples.
        fixations, images = await asyncio.gather(self.fixations_of(plan), self._count_ahead(plan))

        async def one(mapping: MappedRecording) -> RecordingStatistics:
            async with self._slots:
                return await self._recording(plan, mapping, (fixations, images), sequences=sequences)

        tasks = [asyncio.ensure_future(one(mapping)) for mapping in plan.mappings]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _count_ahead(self, plan: Plan) -> tuple[LabelImage, ...]:
        """The label images, once the samples of all recordings have been counted in them."""
        images = await self.images_of(plan)

        async def count(mapping: MappedRecording) -> None:
            async with self._slots:
                await self._count_samples(plan, mapping, images)

        await asyncio.gather(*(count(mapping) for mapping in plan.mappings))
        return images

    async def _recording(
        self,
        plan: Plan,
        mapping: MappedRecording,
        given: tuple[dict[MappingId, Fixations], tuple[LabelImage, ...]],
        *,
        sequences: bool,
    ) -> RecordingStatistics:
        fixations, images = given
        digests = tuple(image.digest for image in images)
        groups = _groups(plan)
        key = (mapping.id, mapping.revision, mapping.recording.start_ns, len(plan.aois), digests, groups)
        known = self._measured.get(key)
        hits: Hits | None = None
        if known is None or sequences:
            hits = await asyncio.to_thread(self._hits, plan, mapping, fixations, images)
        if known is None:
            assert hits is not None  # noqa: S101 - made just above
            counts = await self._count_samples(plan, mapping, images)
            known = await asyncio.to_thread(_measure, plan, mapping, (fixations[mapping.id], hits, counts))
            self._measured.put(key, known, 200 * (len(known[0]) + len(known[1]) + 1))
        visits: tuple[Visit, ...] = ()
        transitions: tuple[tuple[int, ...], ...] = ()
        if hits is not None and sequences:
            visits = await asyncio.to_thread(statistics.list_visits, fixations[mapping.id], hits)
            transitions = await asyncio.to_thread(statistics.count_transitions, hits)
        return RecordingStatistics(mapping, *known, visits, transitions)

    async def _count_samples(
        self, plan: Plan, mapping: MappedRecording, images: Sequence[LabelImage]
    ) -> SampleCounts | None:
        """Samples by area; None where there is no gaze."""
        if mapping.blob is None or not mapping.n_samples:
            return None
        samples = np.zeros(len(plan.aois), np.int64)
        first_ns = np.full(len(plan.aois), -1, np.int64)
        missing = []
        for image in images:
            known = self._counts.get((mapping.blob, image.digest))
            if known is None:
                missing.append(image)
            else:
                _add(samples, first_ns, known)
        if missing:
            for image, counts in zip(missing, await self._count(plan, mapping, missing), strict=True):
                self._counts.put((mapping.blob, image.digest), counts, 200 + 16 * len(samples))
                _add(samples, first_ns, counts)
        return SampleCounts(samples, first_ns)

    async def _count(self, plan: Plan, mapping: MappedRecording, images: Sequence[LabelImage]) -> list[SampleCounts]:
        assert mapping.blob is not None  # noqa: S101 - looked at by the caller
        plane = plane_of(plan.enrichment, mapping.unit)
        counters = [SampleCounter(image, plane) for image in images]
        try:
            async for x, y, detected in iterate_rows(
                self._blobs, mapping.blob, ("x", "y", "detected"), mapping.n_samples
            ):
                await asyncio.to_thread(_feed, counters, x, y, detected)
            made = []
            for counter in counters:
                samples, firsts = counter.per_area()
                first_ns = firsts.copy()
                for row in {int(row) for row in firsts if row >= 0}:
                    first_ns[firsts == row] = await read_value(self._blobs, mapping.blob, "t", row)
                made.append(SampleCounts(samples, first_ns))
        except QuadratError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                raise _ChangedError from error
            raise
        return made


def _feed(
    counters: Sequence[SampleCounter],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    detected: NDArray[np.uint8],
) -> None:
    for counter in counters:
        counter.add(x, y, detected)


def _add(samples: Ints, first_ns: Ints, found: SampleCounts) -> None:
    samples += found.samples
    first_ns[found.first_ns >= 0] = found.first_ns[found.first_ns >= 0]


def _unpack(packed: NDArray[np.void]) -> Fixations:
    return Fixations(
        ids=packed["fixation_id"].astype(np.int32),
        start_ns=packed["start_ns"].astype(np.int64),
        end_ns=packed["end_ns"].astype(np.int64),
        x=packed["x"].astype(np.float64),
        y=packed["y"].astype(np.float64),
        detected=packed["detected"] == 1,
        section=packed["section"].astype(np.int32),
        unplaced=packed["detected"] < 0,
    )


def _draw_all(aois: Sequence[Aoi], packed: dict[AoiId, bytes]) -> tuple[LabelImage, ...]:
    by_size: dict[Size, list[tuple[int, masks.Inside]]] = defaultdict(list)
    for index, aoi in enumerate(aois):
        by_size[aoi.mask.size].append((index, masks.unpack(packed[aoi.id], aoi.mask.size)))
    return tuple(draw(found, len(aois)) for found in by_size.values())


def _groups(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """For each label the indexes of its areas."""
    places = {aoi.uuid: index for index, aoi in enumerate(plan.aois)}
    return tuple(tuple(places[uuid] for uuid in label.aoi_uuids if uuid in places) for label in plan.labels)


def _measure(
    plan: Plan, mapping: MappedRecording, given: tuple[Fixations, Hits, SampleCounts | None]
) -> tuple[tuple[RecordingMetrics, ...], tuple[RecordingMetrics, ...], Coverage]:
    fixations, hits, counts = given
    start_ns = mapping.recording.start_ns
    gaze = None if counts is None else (counts, mapping.period_ns)
    metrics = statistics.measure(fixations, hits, mapping.sections, start_ns, gaze)
    united = statistics.unite(hits, _groups(plan))
    labels = statistics.measure(fixations, united, mapping.sections, start_ns, None)
    plane = plane_of(plan.enrichment, mapping.unit)
    samples = (mapping.n_samples, mapping.n_mapped, mapping.period_ns)
    return metrics, labels, statistics.cover(fixations, mapping.sections, samples, plane)


def _pool(
    recordings: Sequence[RecordingStatistics], metrics: Sequence[Sequence[RecordingMetrics]], n_areas: int
) -> tuple[PooledMetrics, ...]:
    wearers = [
        found.mapping.recording.uuid if found.mapping.recording.wearer is None else found.mapping.recording.wearer.uuid
        for found in recordings
    ]
    return tuple(statistics.pool(wearers, [found[area] for found in metrics]) for area in range(n_areas))
