"""Creations of samples that arrive at the same time, written together: each answer waits for one commit of many."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import require
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller, ProjectId
from quadrat.samples.actions.datasets import unknown_dataset
from quadrat.samples.actions.samples import create_samples
from quadrat.samples.store.samples import find_project
from quadrat.samples.types import DatasetId, NewSample, SampleId

_MOST_TOGETHER = 200
_GATHER_S = 0.003
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    new: NewSample
    answer: "asyncio.Future[SampleId]"


class Intake:
    """Takes what is to be created. While one transaction of a dataset runs, what arrives waits for the next.

    All of a dataset lock its row in turn anyway; so nothing is slower for one caller, and many share a commit.

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
        self._waiting: dict[DatasetId, list[_Waiting]] = defaultdict(list)
        self._busy: dict[DatasetId, asyncio.Task[None]] = {}

    async def create(self, caller: Caller, dataset_id: DatasetId, new: NewSample) -> SampleId:
        """The sample, once it is stored for good.

        Raises:
            QuadratError: not_found, forbidden; already_exists for another sample of that name; limit_reached.
        """
        async with self._checking:
            await self._check(caller, dataset_id)
        answer: asyncio.Future[SampleId] = asyncio.get_running_loop().create_future()
        self._waiting[dataset_id].append(_Waiting(new, answer))
        if dataset_id not in self._busy:
            self._busy[dataset_id] = asyncio.create_task(self._drain(dataset_id), name="sample-intake")
        return await answer

    async def _drain(self, dataset_id: DatasetId) -> None:
        crowded = False
        try:
            while waiting := self._waiting.pop(dataset_id, []):
                if crowded:
                    # The answers of the last transaction bring the next requests: together they cost one, not several.
                    await asyncio.sleep(_GATHER_S)
                    waiting += self._waiting.pop(dataset_id, [])
                crowded = len(waiting) > 1
                for start in range(0, len(waiting), _MOST_TOGETHER):
                    await self._write(dataset_id, waiting[start : start + _MOST_TOGETHER])
        finally:
            del self._busy[dataset_id]

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

    async def _write(self, dataset_id: DatasetId, waiting: Sequence[_Waiting]) -> None:
        try:
            async with self._db.begin() as tx:
                outcomes = await create_samples(
                    tx, dataset_id, [one.new for one in waiting], max_samples=self._max_samples
                )
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            await self._one_by_one(dataset_id, waiting, error)
            return
        for one, outcome in zip(waiting, outcomes, strict=True):
            _answer(one, outcome)

    async def _one_by_one(self, dataset_id: DatasetId, group: Sequence[_Waiting], error: Exception) -> None:
        """What one of many broke must not fail the others."""
        if len(group) == 1 or isinstance(error, QuadratError):
            for one in group:
                _answer(one, error)
            return
        for one in group:
            await self._write(dataset_id, [one])


def _answer(one: _Waiting, outcome: SampleId | Exception) -> None:
    if one.answer.done():  # whoever asked has gone
        return
    if isinstance(outcome, Exception):
        one.answer.set_exception(outcome)
    else:
        one.answer.set_result(outcome)
