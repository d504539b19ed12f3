"""Where images lie, looked up for all who ask at the same time: it is asked for every single one."""

from collections.abc import Sequence

from quadrat.db.engine import Database
from quadrat.db.together import Together
from quadrat.samples.store import images as store
from quadrat.samples.types import DatasetId, SampleId

Place = tuple[str | None]


class Places:
    """Remembers nothing: all who ask while one look is under way share the next.

    Args:
        db: Where samples are.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._together = Together(self._find, "sample-places", gather_s=0)

    async def find(self, dataset_id: DatasetId, sample_id: SampleId) -> Place | None:
        """Where the image of a sample lies that was imported without a copy, or None for the store; None for no sample.

        Raises:
            QuadratError: unavailable.
        """
        return await self._together.join(dataset_id, sample_id)

    async def _find(self, dataset_id: DatasetId, ids: Sequence[SampleId]) -> Sequence[Place | None]:
        async with self._db.look() as tx:
            found = await store.find_places(tx, dataset_id, ids)
        return [found.get(id_) for id_ in ids]
