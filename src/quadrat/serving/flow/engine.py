"""Runs pipelines: direct requests for those who wait, batch requests from the database."""

import asyncio
from dataclasses import dataclass, field, replace
from uuid import UUID

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import require
from quadrat.identity.types import Access, Caller, ObjectType, Target
from quadrat.serving.actions.pipelines import PipelinePath, no_pipeline
from quadrat.serving.connector_types import Delivery
from quadrat.serving.direct import failed
from quadrat.serving.dispatcher import BatchTiming
from quadrat.serving.engine import ServingEngine
from quadrat.serving.files import is_large
from quadrat.serving.flow.courier import Courier
from quadrat.serving.flow.dispatcher import LeaseLostError, PipelineDispatcher, Record
from quadrat.serving.flow.plans import Plans
from quadrat.serving.flow.walk import walk
from quadrat.serving.log_types import LogPlace
from quadrat.serving.pipeline_types import ClaimedPipelineRequest, Pipeline, PipelineId, Plan, Step, StepRun
from quadrat.serving.pool import PoolClosedError
from quadrat.serving.rules.metrics import Metric
from quadrat.serving.rules.pipelines import map_data
from quadrat.serving.rules.values import check_input
from quadrat.serving.signals import DELIVERIES, PIPELINE_REQUESTS
from quadrat.serving.types import Content

_MAX_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class _Request:
    """One request on its way.

    Args:
        deadline: Of the event loop's clock; None for a batch request.
        limit_s: What the deadline was made of, for the message.
        model_timeout_s: Of each model request; None for a batch request.
        runs: Steps that have ended, in order.
    """

    id: UUID
    pipeline: Pipeline
    deadline: float | None = None
    limit_s: float = 0.0
    model_timeout_s: float | None = None
    runs: list[StepRun] = field(default_factory=list)


class PipelineEngine:
    """Runs what pipelines ask for, on the instances of a serving engine.

    Args:
        db: The database.
        listener: Hears of changed pipelines and new requests; not started yet.
        engine: Runs the models; started before this and stopped after it.
        courier: Writes to connectors; started and stopped with this.
        timing: Of the batch requests.
    """

    def __init__(
        self,
        db: Database,
        listener: Listener,
        engine: ServingEngine,
        courier: Courier,
        timing: BatchTiming | None = None,
    ) -> None:
        self._engine = engine
        self._courier = courier
        self.plans = Plans(db, listener)
        self._batch = PipelineDispatcher(db, courier, self._run_batch, timing or BatchTiming())
        listener.subscribe(PIPELINE_REQUESTS, self._batch.on_requests, on_reset=self._batch.on_reset)
        listener.subscribe(DELIVERIES, courier.on_change, on_reset=courier.on_reset)

    async def start(self) -> None:
        """Begin to work: what the database holds from an earlier life goes on."""
        self._courier.start()
        self._batch.start()

    async def stop(self) -> None:
        """Finish what runs within the grace, and give unfinished batch requests back."""
        await self._batch.stop()
        await self._courier.stop()

    async def open(self, caller: Caller, access: Access, path: PipelinePath) -> Plan:
        """The pipeline that a direct request is for; from memory where possible.

        Raises:
            QuadratError: not_found; forbidden, whether or not there is such a pipeline.
        """
        found = await self.plans.find(access.project.id, path.pipeline)
        target = None if found is None else Target(ObjectType.PIPELINE, found.pipeline.uuid)
        require(caller, access, "pipelines.requests.create", target)
        if found is None:
            raise no_pipeline(path.pipeline)
        return found

    async def run(
        self, plan: Plan, data: bytes, *, pipeline_timeout_s: float, model_timeout_s: float
    ) -> tuple[UUID, list[StepRun]]:
        """Run a direct request. It leaves nothing but log lines and what connectors write.

        Args:
            plan: From `open`.
            data: The request data as JSON text.
            pipeline_timeout_s: For everything.
            model_timeout_s: For each model request, its cold start included.

        Returns:
            The request's id, and the runs of models in the order in which they ended.

        Raises:
            QuadratError: invalid when the data does not fit, or nothing is attached to the start.
        """
        check_input(plan.pipeline.input, data)
        refuse_unattached(plan)
        deadline = asyncio.get_running_loop().time() + pipeline_timeout_s
        request = _Request(new_uuid(), plan.pipeline, deadline, pipeline_timeout_s, model_timeout_s)

        async def execute(step: Step, given: Content) -> StepRun:
            assert isinstance(given, bytes)  # noqa: S101 - nothing of a direct request is stored
            mapped = map_data(given, step.mapping)
            if step.object.version_id is not None:
                done = await self._run_model(request, step, mapped)
            else:
                message, done = self._message(request, step, mapped)
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._courier.send(message)
                except TimeoutError:
                    self._say(request, step, "The message is accepted, and was not written within the request's time.")
            request.runs.append(done)
            return done

        await walk(plan.steps, data, execute)
        self._count(request, len(data))
        return request.id, [item for item in request.runs if item.is_model]

    # Batch requests.

    async def _run_batch(self, pipeline_id: PipelineId, item: ClaimedPipelineRequest) -> None:
        plan = await self.plans.find_by_id(pipeline_id)
        if plan is None:
            raise LeaseLostError
        async with self._engine.files.brought(item.data) as data:
            input_bytes = len(data)
            try:
                check_input(plan.pipeline.input, data)
                refuse_unattached(plan)
            except QuadratError as error:
                # The pipeline has changed since the request was accepted.
                await self._batch.record(Record(item.id, message=error.message))
                return
        del data
        request = _Request(item.id, plan.pipeline)

        async def execute(step: Step, given: Content) -> StepRun:
            done = item.done.get(step.path) or await self._execute_durably(request, step, given)
            request.runs.append(done)
            return done

        await walk(plan.steps, item.data, execute)
        await self._batch.record(Record(item.id, message=summary_of(request.runs)))
        self._count(request, input_bytes)

    async def _execute_durably(self, request: _Request, step: Step, given: Content) -> StepRun:
        """Run a step and write what it has made before anything behind it starts."""
        message = None
        async with self._engine.files.brought(given) as text:
            mapped = map_data(text, step.mapping)
            if step.object.version_id is None:
                message, done = self._message(request, step, mapped)
            else:
                done = await self._run_model(request, step, mapped)
            if is_large(mapped) or (isinstance(done.result, bytes) and is_large(done.result)):
                known = [] if isinstance(given, bytes) else [(text, given)]
                data = await self._to_keep(mapped, known)
                result = done.result if done.result is None else await self._to_keep(done.result, known)
                done = replace(done, data=data, result=result)
        record = Record(request.id, done, message)
        if message is not None:
            await self._batch.record(record)
            await self._courier.attempted(message.id)
        elif done.success and step.following:
            await self._batch.record(record)
        else:
            self._batch.record_later(record)
        return done

    async def _to_keep(self, content: Content, known: list[tuple[bytes, UUID]]) -> Content:
        """What is written of a content: its payload when it is large, which may be one of those that are known."""
        if not isinstance(content, bytes) or not is_large(content):
            return content
        payload_id = next((id_ for text, id_ in known if text == content), None)
        if payload_id is None:
            payload_id = await self._engine.files.add_payload(content)
            known.append((content, payload_id))
        return payload_id

    # Steps.

    async def _run_model(self, request: _Request, step: Step, given: bytes) -> StepRun:
        version_id, started_at, request_id = step.object.version_id, now(), new_uuid()
        assert version_id is not None  # noqa: S101 - the step is a model's
        place = self._place(request, step)
        self._engine.logbook.relate(request_id, place)
        made: UUID | None = request_id
        try:
            if request.deadline is None:
                answer = await self._engine.run_durable(version_id, request_id, given)
            else:
                assert request.model_timeout_s is not None  # noqa: S101 - it has a deadline
                async with asyncio.timeout_at(request.deadline):
                    answer = await self._engine.run_version(version_id, request_id, given, request.model_timeout_s)
        except TimeoutError:
            answer = failed(f"The pipeline took longer than {request.limit_s:g} seconds.")
        except QuadratError as error:
            if request.deadline is None and error.kind is ErrorKind.UNAVAILABLE:
                raise  # the database or the store is away: it goes on from here when its lease has ended
            answer, made = failed(error.message), None
        except PoolClosedError:
            if request.deadline is None and self._engine.is_stopping:
                raise
            answer = failed("The version was deleted or the server stopped before the request was run.")
        if not answer.success and made is None:
            self._say(request, step, f"The object was not run: {answer.error_message}")
        self._engine.meter.count(request.pipeline.project_id, Metric.PIPELINE_OBJECT_REQUESTS, request.pipeline.uuid)
        return StepRun(
            step.path,
            step.object.name,
            True,
            made,
            answer.success,
            given,
            answer.result,
            answer.error_message,
            started_at,
            now(),
        )

    def _message(self, request: _Request, step: Step, given: bytes) -> tuple[Delivery, StepRun]:
        connector_id, at = step.object.connector_id, now()
        assert connector_id is not None  # noqa: S101 - the step is a connector's
        message = Delivery(
            new_uuid(),
            connector_id,
            request.pipeline.id,
            step.object.id,
            step.object.name,
            request.id,
            given,
            1,
            at,
        )
        self._engine.meter.count(request.pipeline.project_id, Metric.PIPELINE_OBJECT_REQUESTS, request.pipeline.uuid)
        return message, StepRun(step.path, step.object.name, False, message.id, True, given, None, None, at, at)

    def _place(self, request: _Request, step: Step) -> LogPlace:
        return LogPlace(
            request.pipeline.project_id,
            step.object.version_id,
            request.pipeline.id,
            step.object.id,
            step.object.connector_id,
            request.id,
        )

    def _say(self, request: _Request, step: Step, text: str) -> None:
        self._engine.logbook.write(self._place(request, step), text)

    def _count(self, request: _Request, input_bytes: int) -> None:
        meter, pipeline = self._engine.meter, request.pipeline
        meter.count(pipeline.project_id, Metric.PIPELINE_REQUESTS, pipeline.uuid)
        meter.count(pipeline.project_id, Metric.PIPELINE_INPUT_BYTES, pipeline.uuid, input_bytes)


def refuse_unattached(plan: Plan) -> None:
    """A request of a pipeline with nothing attached to its start would do nothing.

    Raises:
        QuadratError: invalid.
    """
    if not plan.steps:
        raise QuadratError(
            ErrorKind.INVALID, f"Nothing is attached to the start of pipeline {plan.pipeline.name}: attach an object."
        )


def summary_of(runs: list[StepRun]) -> str | None:
    """Why a request counts as failed; None when all of its objects have succeeded."""
    bad = [item for item in runs if not item.success]
    if not bad:
        return None
    told = "; ".join(f"{item.object_name}: {item.error_message}" for item in bad)
    message = f"{len(bad)} of {len(runs)} objects failed. {told}"
    return message if len(message) <= _MAX_MESSAGE else f"{message[: _MAX_MESSAGE - 1]}…"
