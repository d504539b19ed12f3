"""Creations of samples that arrive at the same time, written together: each answer waits for one commit of many."""

import asyncio
from collections.abc import Sequence

from quadrat.db.engine import Database
from quadrat.db.together import Together
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import require
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller, ProjectId
from quadrat.samples.actions.datasets import unknown_dataset
from quadrat.samples.actions.samples import create_samples
from quadrat.samples.store.samples import find_project
from quadrat.samples.types import DatasetId, NewSample, SampleId

_MOST_REMEMBERED = 10_000


class Intake:
    """Takes what is to be created.

    Args:
        db: Where samples are.
        authenticator: Knows what a caller may do, seconds at most behind.
        max_samples: Most samples of one dataset.
    """

    def __init__(self, db: Database, authenticator: Authenticator, max_samples: int) -> None:
        self._db = db
        self._authenticator = authenticator
        # A dataset never moves; when it is gone, writing into it finds out.
        self._projects: dict[DatasetId, ProjectId] = {}
        self._max_samples = max_samples
        # One look-up for all who arrive together, not one each.
        self._checking = asyncio.Lock()
        self._together = Together(self._write, "sample-intake")

    async def create(self, caller: Caller, dataset_id: DatasetId, new: NewSample) -> SampleId:
        """The sample, once it is stored for good.

        Raises:
            QuadratError: not_found, forbidden; already_exists for another sample of that name; limit_reached.
        """
        async with self._checking:
            await self._check(caller, dataset_id)
        return await self._together.write(dataset_id, new)

    async def _check(self, caller: Caller, dataset_id: DatasetId) -> None:
        project_id = self._projects.get(dataset_id)
        if project_id is None:
            async with self._db.begin() as tx:
                project_id = await find_project(tx, dataset_id)
            if project_id is None:
                raise unknown_dataset(dataset_id)
            if len(self._projects) >= _MOST_REMEMBERED:
                self._projects.clear()
            self._projects[dataset_id] = project_id
        try:
            access = await self._authenticator.access(caller, project_id)
        except QuadratError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                raise unknown_dataset(dataset_id) from None
            raise
        require(caller, access, "samples.create")

    async def _write(self, dataset_id: DatasetId, new: Sequence[NewSample]) -> Sequence[SampleId | Exception]:
        async with self._db.begin() as tx:
            return await create_samples(tx, dataset_id, list(new), max_samples=self._max_samples)
