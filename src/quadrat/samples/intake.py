"""Creations of samples that arrive at the same time, written together: each answer waits for one commit of many."""

import asyncio
from collections.abc import Sequence

from quadrat.db.engine import Database
from quadrat.db.together import Together
from quadrat.identity.types import Caller
from quadrat.samples.actions.samples import create_samples
from quadrat.samples.door import Door
from quadrat.samples.types import DatasetId, NewSample, SampleId

# Of an upload, creations come between addresses and bytes: fewer at a time than connections, and each commit costs.
GATHER_S = 0.01


class Intake:
    """Takes what is to be created.

    Args:
        db: Where samples are.
        door: Knows who may create samples.
        max_samples: Most samples of one dataset.
    """

    def __init__(self, db: Database, door: Door, max_samples: int) -> None:
        self._db = db
        self._door = door
        self._max_samples = max_samples
        # One look-up for all who arrive together, not one each.
        self._checking = asyncio.Lock()
        self._together = Together(self._write, "sample-intake", gather_s=GATHER_S)

    async def create(self, caller: Caller, dataset_id: DatasetId, new: NewSample) -> SampleId:
        """The sample, once it is stored for good.

        Raises:
            QuadratError: not_found, forbidden; already_exists for another sample of that name; limit_reached.
        """
        async with self._checking:
            await self._door.check(caller, dataset_id, "samples.create")
        return await self._together.join(dataset_id, new)

    async def _write(self, dataset_id: DatasetId, new: Sequence[NewSample]) -> Sequence[SampleId | Exception]:
        async with self._db.begin() as tx:
            return await create_samples(tx, dataset_id, list(new), max_samples=self._max_samples)
