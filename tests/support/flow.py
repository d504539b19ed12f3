"""Pipelines for tests: built through actions, run by a real engine."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from quadrat.db.notify import Listener
from quadrat.identity.authenticator import Authenticator
from quadrat.serving.actions import connectors, graphs, pipeline_requests, pipelines
from quadrat.serving.actions.access import VersionPath
from quadrat.serving.actions.connectors import NewConnector
from quadrat.serving.actions.graphs import NewObject
from quadrat.serving.actions.pipelines import NewPipeline, PipelinePath
from quadrat.serving.connector_types import Connector
from quadrat.serving.engine import EngineTiming, ServingEngine
from quadrat.serving.files import Files
from quadrat.serving.flow.courier import Courier, CourierTiming
from quadrat.serving.flow.engine import PipelineEngine
from quadrat.serving.launch import Launcher
from quadrat.serving.pipeline_types import START, Link, PipelineRequest, StepRun
from quadrat.serving.types import Content, DataKind, Field, FieldType, RequestState
from support.house import SEALER
from support.people import unique
from support.places import open_places
from support.serving import TIMING, ServingHouse

COURIER = CourierTiming(lease_s=2.0, renew_s=0.3, first_pause_s=0.2, longest_pause_s=1.0, idle_s=1.0, retry_s=0.2)
NUMBER = {"number": FieldType.DOUBLE}


@dataclass
class Flow:
    """A house with engines that run its pipelines."""

    house: ServingHouse
    engine: ServingEngine
    pipelines: PipelineEngine
    courier: Courier
    authenticator: Authenticator

    async def ask(
        self, path: PipelinePath, data: Any, *, pipeline_timeout_s: float = 60, model_timeout_s: float = 30
    ) -> list[StepRun]:
        """Runs of models in the order in which they ended."""
        access = await self.authenticator.access(self.house.caller, path.project)
        plan = await self.pipelines.open(self.house.caller, access, path)
        encoded = json.dumps(data).encode()
        limits = {"pipeline_timeout_s": pipeline_timeout_s, "model_timeout_s": model_timeout_s}
        return (await self.pipelines.run(plan, encoded, **limits))[1]


@dataclass
class Builder:
    """Makes pipelines in a house."""

    house: ServingHouse

    @property
    def files(self) -> Files:
        """Where large contents lie."""
        return Files(self.house.db, self.house.blobs, self.house.runner)

    async def text(self, content: Content | None) -> bytes:
        """A content that is there, from wherever it lies."""
        assert content is not None
        async with self.files.brought(content) as found:
            return found

    async def pipeline(self, fields: Mapping[str, FieldType] | None = None) -> PipelinePath:
        """An empty pipeline; plain without fields."""
        kind = DataKind.STRUCTURED if fields else DataKind.PLAIN
        new = NewPipeline(unique("p"), "", kind, [Field(name, type_) for name, type_ in (fields or {}).items()])
        async with self.house.db.begin() as tx:
            _, made = await pipelines.create_pipeline(tx, self.house.caller, self.house.project.name, new)
        return PipelinePath(self.house.project.name, made.name)

    async def add(self, path: PipelinePath, name: str, version: VersionPath) -> None:
        new = NewObject(name, "model", version.model, version.version)
        async with self.house.db.begin() as tx:
            await graphs.create_object(tx, self.house.caller, path, new)

    async def add_connector(self, path: PipelinePath, name: str, connector: Connector) -> None:
        async with self.house.db.begin() as tx:
            await graphs.create_object(tx, self.house.caller, path, NewObject(name, "connector", connector.name, None))

    async def attach(self, path: PipelinePath, source: str, destination: str, *fields: str) -> None:
        """Attach objects, fields of the same name to each other."""
        links = [Link(name, name) for name in fields]
        async with self.house.db.begin() as tx:
            await graphs.create_attachment(tx, self.house.caller, path, (source, destination), links)

    async def chain(self, *versions: VersionPath, fields: Mapping[str, FieldType] | None = None) -> PipelinePath:
        """Objects ``a``, ``b``, ... behind each other, with the same fields in and out."""
        path = await self.pipeline(fields)
        before = START
        for version, name in zip(versions, "abcdefghij", strict=False):
            await self.add(path, name, version)
            await self.attach(path, before, name, *(fields or ()))
            before = name
        return path

    async def connector(
        self,
        type_: str,
        credentials: Mapping[str, str],
        configuration: Mapping[str, str],
        fields: Mapping[str, FieldType] | None = None,
    ) -> Connector:
        name = unique("k")
        async with self.house.db.begin() as tx:
            new = (name, type_, credentials)
            at = self.house.project.name
            await connectors.create_credentials(tx, self.house.caller, at, SEALER, new)
            columns = None if fields is None else [Field(name, type_) for name, type_ in fields.items()]
            asked = NewConnector(name, type_, name, configuration, columns)
            _, made = await connectors.create_connector(tx, self.house.caller, at, asked)
        return made

    async def submit(self, path: PipelinePath, *items: Any) -> list[UUID]:
        ids: list[UUID] = []
        for start in range(0, len(items), pipeline_requests.MAX_ITEMS):
            part = [json.dumps(item).encode() for item in items[start : start + pipeline_requests.MAX_ITEMS]]
            payloads = await self.files.spill(part)
            async with self.house.db.begin() as tx:
                ids += (await pipeline_requests.create_requests(tx, self.house.caller, path, part, payloads))[0]
        return ids

    async def collect(self, path: PipelinePath, ids: Sequence[UUID]) -> list[PipelineRequest]:
        found: list[PipelineRequest] = []
        async with self.house.db.begin() as tx:
            for start in range(0, len(ids), pipeline_requests.MAX_ITEMS):
                part = ids[start : start + pipeline_requests.MAX_ITEMS]
                found += (await pipeline_requests.get_requests(tx, self.house.caller, path, part))[1]
        return found

    async def finished(self, path: PipelinePath, ids: Sequence[UUID]) -> list[PipelineRequest]:
        """The requests, once all have ended."""

        async def look() -> list[PipelineRequest] | None:
            found = await self.collect(path, ids)
            ended = {RequestState.COMPLETED, RequestState.FAILED}
            return found if {item.state for item in found} <= ended else None

        result: list[PipelineRequest] = await self.house.until(look)
        return result


@asynccontextmanager
async def run_flow(
    house: ServingHouse, timing: EngineTiming = TIMING, courier_timing: CourierTiming = COURIER
) -> AsyncIterator[Flow]:
    """Engines with their own ears."""
    listener = Listener(house.db.dsn)
    authenticator = Authenticator(house.db, listener)
    launcher = Launcher(house.runner, house.blobs, SEALER, 20)
    engine = ServingEngine(house.db, listener, launcher, timing=timing)
    places = open_places()
    courier = Courier(house.db, SEALER, places, engine, courier_timing)
    running = PipelineEngine(house.db, listener, engine, courier, timing.batch)
    await places.proxy.start()
    await listener.start()
    await engine.start()
    await running.start()
    try:
        yield Flow(house, engine, running, courier, authenticator)
    finally:
        await running.stop()
        await engine.stop()
        await listener.stop()
        await places.proxy.stop()


async def until_quiet(flow: Flow) -> None:
    """Return once the courier holds nothing."""
    async with asyncio.timeout(60):
        while flow.courier._lanes:
            await asyncio.sleep(0.01)
