"""Where images lie, looked up for all who ask at the same time: it is asked for every single one."""

import time
from collections.abc import Callable, Sequence

from quadrat.db.engine import Database
from quadrat.db.together import Together
from quadrat.identity.authenticator import Authenticator
from quadrat.samples.store import images as store
from quadrat.samples.types import DatasetId, SampleId

Place = tuple[str | None]
_IN_STORE: Place = (None,)
_LIFE_S = 5.0
_MOST_REMEMBERED = 50_000


class Places:
    """Remembers for seconds which samples are there with their bytes in the store; all who ask at once share a look.

    What ends samples ends the memory of them: a dataset's end at once, that of its project when its news comes.

    Args:
        db: Where samples are.
        authenticator: Hears of datasets and projects that end.
        clock: Monotonic seconds.
    """

    def __init__(self, db: Database, authenticator: Authenticator, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._authenticator = authenticator
        self._clock = clock
        self._together = Together(self._find, "sample-places", gather_s=0)
        self._until: dict[tuple[DatasetId, SampleId], float] = {}
        self._generation = authenticator.generation
        self._ended: set[DatasetId] = set()

    def is_in_store(self, dataset_id: DatasetId, sample_id: SampleId) -> bool:
        """Whether it is remembered that the sample is there and not imported without a copy."""
        if self._generation != self._authenticator.generation:
            self._forget()
        return self._until.get((dataset_id, sample_id), 0.0) > self._clock()

    async def find(self, dataset_id: DatasetId, sample_id: SampleId) -> Place | None:
        """Where the image of a sample lies that was imported without a copy, or None for the store; None for no sample.

        Raises:
            QuadratError: unavailable.
        """
        if self.is_in_store(dataset_id, sample_id):
            return _IN_STORE
        return await self._together.join(dataset_id, sample_id)

    def end(self, dataset_id: DatasetId) -> None:
        """Remember nothing of a dataset any more, which is about to end."""
        self._ended.add(dataset_id)
        self._until = {key: until for key, until in self._until.items() if key[0] != dataset_id}

    async def _find(self, dataset_id: DatasetId, ids: Sequence[SampleId]) -> Sequence[Place | None]:
        generation = self._authenticator.generation
        async with self._db.look() as tx:
            found = await store.find_places(tx, dataset_id, ids)
        if generation == self._authenticator.generation and dataset_id not in self._ended:
            self._remember(dataset_id, [id_ for id_, place in found.items() if place == _IN_STORE])
        return [found.get(id_) for id_ in ids]

    def _remember(self, dataset_id: DatasetId, ids: Sequence[SampleId]) -> None:
        if len(self._until) + len(ids) > _MOST_REMEMBERED:
            self._until.clear()
        until = self._clock() + _LIFE_S
        self._until |= dict.fromkeys([(dataset_id, id_) for id_ in ids], until)

    def _forget(self) -> None:
        self._generation = self._authenticator.generation
        self._until.clear()
