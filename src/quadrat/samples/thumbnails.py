"""Thumbnails that are asked for before a job has made them: made at once, one at a time for each image."""

import asyncio
from dataclasses import dataclass, field

from quadrat.db.engine import Database
from quadrat.samples.reader import ImageReader
from quadrat.samples.store import images as store
from quadrat.samples.types import DatasetId, Rendition, SampleId


@dataclass
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Thumbnails:
    """Makes what is missing.

    Args:
        db: Where samples are.
        reader: Looks into images.
    """

    def __init__(self, db: Database, reader: ImageReader) -> None:
        self._db = db
        self._reader = reader
        self._turns: dict[SampleId, _Turn] = {}

    async def ensure(self, dataset_id: DatasetId, sample_id: SampleId) -> None:
        """Return when the sample has a thumbnail, or cannot have one.

        Raises:
            QuadratError: unavailable.
        """
        turn = self._turns.setdefault(sample_id, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                await self._make(dataset_id, sample_id)
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[sample_id]

    async def _make(self, dataset_id: DatasetId, sample_id: SampleId) -> None:
        async with self._db.begin() as tx:
            wanted = await store.find_unmade(tx, dataset_id, sample_id)
        if wanted is not None:
            await self._reader.read(dataset_id, sample_id, *wanted)


MADE = (Rendition.THUMBNAIL, Rendition.MADE_THUMBNAIL)
"""Renditions that are shown as the thumbnail, in this order."""
