"""Works on batch requests of versions."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.serving.dispatcher import MOST_AT_A_TIME, BatchTiming, Dispatcher, Run
from quadrat.serving.outcomes import OnRequest, Outcome
from quadrat.serving.pool import Pool
from quadrat.serving.signals import announce_requests
from quadrat.serving.store import requests as store
from quadrat.serving.types import ClaimedRequest, VersionId

FindPool = Callable[[VersionId], Awaitable[Pool | None]]
RunRequest = Callable[[Pool, ClaimedRequest], Awaitable[Outcome]]


class BatchDispatcher(Dispatcher[VersionId, ClaimedRequest, Outcome]):
    """Keeps the pools of versions supplied, and writes what they have made in the background.

    Args:
        db: Where the requests are.
        find_pool: Gives the pool of a version, or None when it cannot serve.
        run_request: Runs one request and turns everything that can go wrong into an answer; lets only
            `PoolClosedError` pass.
        on_recorded: Is told of each request whose result this engine has recorded.
        timing: See `BatchTiming`.
    """

    def __init__(
        self,
        db: Database,
        find_pool: FindPool,
        run_request: RunRequest,
        on_recorded: OnRequest,
        timing: BatchTiming | None = None,
    ) -> None:
        super().__init__(db, store.QUEUE, timing or BatchTiming(), name="batch")
        self._find_pool = find_pool
        self._run_request = run_request
        self._on_recorded = on_recorded

    def on_version(self, version_id: VersionId) -> None:
        """A version has become available, or was replaced."""
        self._wake(version_id)

    async def _plan(self, key: VersionId, running: int) -> tuple[int, Run[ClaimedRequest]] | None:
        pool = await self._find_pool(key)
        if pool is None:
            return None

        async def run(item: ClaimedRequest) -> None:
            outcome = await self._run_request(pool, item)
            self._unwritten.add(item.id)
            self._records.put(outcome)

        width = min(MOST_AT_A_TIME, pool.deployment.settings.maximum_instances * pool.depth)
        room = width - running
        # Where an instance is given many at once, they are claimed many at once.
        return (0 if running and pool.depth > 1 and room < width // 2 else room), run

    async def _take(self, tx: AsyncConnection, key: VersionId, limit: int) -> Sequence[ClaimedRequest]:
        return await store.claim(tx, key, self._owner, limit, self._lease)

    async def _write(self, block: Sequence[Outcome]) -> Sequence[bool]:
        async with self._db.begin() as tx:
            recorded = await store.record(tx, self._owner, block)
        counted = []
        for outcome in block:
            self._unwritten.discard(outcome.request_id)
            counted.append(outcome.request_id in recorded)
            if counted[-1]:
                self._on_recorded(outcome)
        return counted

    async def _list_waiting(self, tx: AsyncConnection) -> Sequence[VersionId]:
        return await store.list_waiting_versions(tx)

    async def _announce(self, tx: AsyncConnection, key: VersionId) -> None:
        await announce_requests(tx, key)
