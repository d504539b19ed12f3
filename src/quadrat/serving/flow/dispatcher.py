"""Works on batch requests of pipelines, and records them step by step."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.serving.connector_types import Delivery
from quadrat.serving.dispatcher import MOST_AT_A_TIME, BatchTiming, Dispatcher, Run
from quadrat.serving.flow.courier import Courier
from quadrat.serving.pipeline_types import ClaimedPipelineRequest, PipelineId, StepRun
from quadrat.serving.signals import announce_pipeline_requests
from quadrat.serving.store import deliveries as delivery_store
from quadrat.serving.store import pipeline_requests as store


class LeaseLostError(Exception):
    """The request was deleted, or another engine has taken it over."""


@dataclass(frozen=True, slots=True)
class Record:
    """Something to be written of a request.

    Args:
        run: A step that has ended; None for the end of the request.
        delivery: The message that the step sends.
        message: Why the request failed, at its end.
    """

    request_id: UUID
    run: StepRun | None = None
    delivery: Delivery | None = None
    message: str | None = None


RunRequest = Callable[[PipelineId, ClaimedPipelineRequest], Awaitable[None]]


class PipelineDispatcher(Dispatcher[PipelineId, ClaimedPipelineRequest, Record]):
    """Keeps requests of pipelines on their way.

    A step's result is written before the steps behind it start, so that a request whose engine was lost goes on
    elsewhere from the last written result.

    Args:
        db: Where the requests are.
        courier: Takes the messages for connectors.
        run_request: Runs one request and records its steps and end; lets only `PoolClosedError` and `LeaseLostError`
            pass.
        timing: See `BatchTiming`.
    """

    def __init__(self, db: Database, courier: Courier, run_request: RunRequest, timing: BatchTiming) -> None:
        super().__init__(db, store.QUEUE, timing, name="pipelines")
        self._courier = courier
        self._run_request = run_request

    async def record(self, record: Record) -> None:
        """Return once it is written.

        Raises:
            LeaseLostError: It was not, since the request is not this engine's any more.
        """
        if not await self._records.put(record):
            raise LeaseLostError

    def record_later(self, record: Record) -> None:
        """Have it written before all that is recorded after it."""
        self._records.put(record)

    async def _plan(self, key: PipelineId, running: int) -> tuple[int, Run[ClaimedPipelineRequest]]:
        async def run(item: ClaimedPipelineRequest) -> None:
            with suppress(LeaseLostError):
                await self._run_request(key, item)

        return (MOST_AT_A_TIME - running if running <= MOST_AT_A_TIME // 2 else 0), run

    async def _take(self, tx: AsyncConnection, key: PipelineId, limit: int) -> Sequence[ClaimedPipelineRequest]:
        return await store.claim(tx, key, self._owner, limit, self._lease)

    async def _write(self, block: Sequence[Record]) -> Sequence[bool]:
        async with self._db.begin() as tx:
            held = await store.QUEUE.hold(tx, self._owner, {item.request_id for item in block})
            runs = [(item.request_id, item.run) for item in block if item.run is not None and item.request_id in held]
            if runs:
                await store.insert_runs(tx, runs)
            sent = [item.delivery for item in block if item.delivery is not None and item.request_id in held]
            accepted = set()
            if sent:
                accepted = await delivery_store.insert_deliveries(tx, self._courier.owner, sent, self._courier.lease)
            ended = {item.request_id: item.message for item in block if item.run is None and item.request_id in held}
            if ended:
                await store.finish(tx, ended)
        self._courier.take([item for item in sent if item.id in accepted])
        return [item.request_id in held for item in block]

    async def _list_waiting(self, tx: AsyncConnection) -> Sequence[PipelineId]:
        return await store.list_waiting_pipelines(tx)

    async def _announce(self, tx: AsyncConnection, key: PipelineId) -> None:
        await announce_pipeline_requests(tx, key)
