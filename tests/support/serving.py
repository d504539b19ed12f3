"""A working serving domain for tests: packages made from text, builds by a real worker, a real engine."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from quadrat.base.sealing import Sealer
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller, Project
from quadrat.jobs.registry import Registry
from quadrat.jobs.worker import Worker, WorkerTiming
from quadrat.runner.base import Runner
from quadrat.runner.local import LocalRunner
from quadrat.serving.actions import models, packages, requests, versions
from quadrat.serving.actions.access import ModelPath, VersionPath
from quadrat.serving.actions.models import NewModel
from quadrat.serving.dispatcher import BatchTiming
from quadrat.serving.engine import EngineTiming, ServingEngine
from quadrat.serving.launch import Launcher
from quadrat.serving.pool import PoolTiming
from quadrat.serving.signals import REQUESTS, VERSIONS
from quadrat.serving.tables import log
from quadrat.serving.targets.places import Places
from quadrat.serving.tasks import HANDLERS
from quadrat.serving.types import (
    Answer,
    Archive,
    BatchRequest,
    DataKind,
    Field,
    FieldType,
    RequestState,
    Version,
    VersionSettings,
)
from quadrat.storage.blobs import BlobStore
from support.house import SEALER
from support.people import make_caller, make_project, unique
from support.places import open_places

TIMING = EngineTiming(
    pool=PoolTiming(patience_s=0.05, back_off_s=0.1, stop_grace_s=1.0),
    batch=BatchTiming(lease_s=1.5, renew_s=0.3, drain_s=2.0, retry_s=0.1),
)
_WORKER = WorkerTiming(heartbeat_s=0.3, stalled_after_s=2.0, poll_s=1.0, grace_s=1.0)
_DEADLINE_S = 60

ECHO = """
class Model:
    def __init__(self, base_directory, context):
        self.context = context

    def request(self, data):
        return data
"""


def pack(source: str | Mapping[str, str | bytes]) -> bytes:
    """A zip archive; text alone is its main file."""
    files = {"model_package/model.py": source} if isinstance(source, str) else source
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


@dataclass(frozen=True, slots=True)
class WorkerResources:
    blobs: BlobStore
    runner: Runner
    instance_start_timeout_s: float = 20.0
    sealer: Sealer = SEALER
    places: Places = field(default_factory=open_places)


@dataclass
class ServingHouse:
    """Everything that serving needs, and what its tests often do."""

    db: Database
    blobs: BlobStore
    runner: Runner
    caller: Caller
    project: Project
    changes: asyncio.Event = field(default_factory=asyncio.Event)

    async def make_model(
        self,
        inputs: Mapping[str, FieldType] | None = None,
        outputs: Mapping[str, FieldType] | None = None,
        name: str | None = None,
    ) -> str:
        """A model with these fields; plain where there are none."""
        new = NewModel(
            name or unique("model"),
            "",
            DataKind.STRUCTURED if inputs else DataKind.PLAIN,
            DataKind.STRUCTURED if outputs else DataKind.PLAIN,
            [Field(name, type_) for name, type_ in (inputs or {}).items()],
            [Field(name, type_) for name, type_ in (outputs or {}).items()],
        )
        async with self.db.begin() as tx:
            _, model = await models.create_model(tx, self.caller, self.project.name, new)
        return model.name

    async def make_version(self, model: str, **settings: Any) -> VersionPath:
        async with self.db.begin() as tx:
            path = ModelPath(self.project.name, model)
            chosen = VersionSettings(**{"memory_allocation_mb": 256, **settings})
            _, version = await versions.create_version(tx, self.caller, path, unique("v"), chosen)
        return VersionPath(self.project.name, model, version.name)

    async def upload(self, path: VersionPath, content: bytes) -> None:
        blob_key = f"packages/{unique('p')}"
        facts, digest = await self.blobs.put(blob_key, content)
        archive = Archive(digest, blob_key, "package.zip", facts.size_bytes)
        async with self.db.begin() as tx:
            await packages.accept_upload(tx, self.caller, path, archive)

    async def serve(
        self,
        source: str | Mapping[str, str | bytes] = ECHO,
        inputs: Mapping[str, FieldType] | None = None,
        outputs: Mapping[str, FieldType] | None = None,
        **settings: Any,
    ) -> VersionPath:
        """A version that is available."""
        path = await self.make_version(await self.make_model(inputs, outputs), **settings)
        await self.upload(path, pack(source))
        version = await self.built(path)
        assert version.status == "available", version.error_message
        return path

    async def version(self, path: VersionPath) -> Version:
        async with self.db.begin() as tx:
            return (await versions.get_version(tx, self.caller, path))[1]

    async def built(self, path: VersionPath) -> Version:
        """The version, once its build has ended."""

        async def look() -> Version | None:
            version = await self.version(path)
            return version if version.status == "available" or "failed" in version.status else None

        return await self.until(look)

    async def submit(self, path: VersionPath, *items: bytes) -> list[UUID]:
        async with self.db.begin() as tx:
            return (await requests.create_requests(tx, self.caller, path, items))[0]

    async def collect(self, path: VersionPath, ids: list[UUID]) -> list[BatchRequest]:
        found: list[BatchRequest] = []
        async with self.db.begin() as tx:
            for start in range(0, len(ids), requests.MAX_ITEMS):
                part = ids[start : start + requests.MAX_ITEMS]
                found += await requests.get_requests(tx, self.caller, path, part)
        return found

    async def finished(self, path: VersionPath, ids: list[UUID]) -> list[BatchRequest]:
        """The requests, once all have ended."""

        async def look() -> list[BatchRequest] | None:
            found = await self.collect(path, ids)
            ended = {RequestState.COMPLETED, RequestState.FAILED}
            return found if {item.state for item in found} <= ended else None

        return await self.until(look)

    async def log_of(self, request_id: UUID) -> list[tuple[str, bool]]:
        """Text and origin of the lines of one request that have been written so far."""
        query = select(log.c.text, log.c.system).where(log.c.request_id == request_id).order_by(log.c.id)
        async with self.db.begin() as tx:
            return [(text, system) for text, system in await tx.execute(query)]

    async def until(self, look: Callable[[], Any]) -> Any:
        """What `look` finds, looked for whenever the database changes; results of batches come unannounced."""
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                self.changes.clear()
                found = await look()
                if found:
                    return found
                try:
                    async with asyncio.timeout(0.05):
                        await self.changes.wait()
                except TimeoutError:
                    continue


@asynccontextmanager
async def open_serving(
    database_url: str, root: Path, runner: Runner, *, worker: bool = True
) -> AsyncIterator[ServingHouse]:
    """A house whose builds are done by a worker in this process, if at all."""
    db = Database(database_url, pool_size=10)
    blobs = open_blobs(root)
    async with db.begin() as tx:
        caller = await make_caller(tx)
        project = await make_project(tx, caller)
    house = ServingHouse(db, blobs, runner, caller, project)
    listener = Listener(db.dsn)
    for channel in (VERSIONS, REQUESTS):
        listener.subscribe(channel, lambda _payload: house.changes.set())
    await listener.start()
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(db, blobs, runner, stop) if worker else stop.wait())
    try:
        yield house
    finally:
        stop.set()
        await working
        await listener.stop()
        await db.close()


def open_blobs(root: Path) -> BlobStore:
    return BlobStore.on_disk(root / "store", b"k" * 32)


async def run_worker(db: Database, blobs: BlobStore, runner: Runner, stop: asyncio.Event) -> None:
    """Build until told to stop."""
    resources = WorkerResources(blobs, runner)
    worker = Worker(db, Registry(HANDLERS), resources, concurrency=2, timing=_WORKER)
    await resources.places.proxy.start()
    try:
        await worker.run(stop)
    finally:
        await resources.places.proxy.stop()


@dataclass
class Engine:
    """An engine with its own ears."""

    engine: ServingEngine
    listener: Listener
    authenticator: Authenticator
    house: ServingHouse

    async def ask(self, path: VersionPath, data: bytes, timeout_s: float = 30.0) -> Answer:
        access = await self.authenticator.access(self.house.caller, path.project)
        deployment = await self.engine.open(self.house.caller, access, path)
        return (await self.engine.run(deployment, data, timeout_s))[1]


@asynccontextmanager
async def run_engine(house: ServingHouse, timing: EngineTiming = TIMING) -> AsyncIterator[Engine]:
    listener = Listener(house.db.dsn)
    authenticator = Authenticator(house.db, listener)
    engine = ServingEngine(house.db, listener, Launcher(house.runner, house.blobs, SEALER, 20), timing=timing)
    await listener.start()
    await engine.start()
    try:
        yield Engine(engine, listener, authenticator, house)
    finally:
        await engine.stop()
        await listener.stop()


GATED = """
import os, time

class Model:
    def request(self, data):
        folder, name = data.rsplit("/", 1)
        with open(os.path.join(folder, f"{name}.{os.getpid()}.began"), "w"):
            pass
        while not os.path.exists(os.path.join(folder, name + ".open")):
            time.sleep(0.01)
        return f"{name} through"
"""


class Gates:
    """Holds requests of the model `GATED` until they are let through.

    Args:
        folder: Made here; models of any user write into it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        folder.chmod(0o777)

    @property
    def folder(self) -> Path:
        """Where models leave their marks."""
        return self._folder

    def data(self, name: str) -> bytes:
        """Request data that waits at the gate of this name."""
        return json.dumps(f"{self._folder}/{name}").encode()

    def began(self, name: str) -> int:
        """How many processes have come to the gate."""
        return len(list(self._folder.glob(f"{name}.*.began")))

    def open(self, name: str) -> None:
        """Let everyone through, from now on."""
        (self._folder / f"{name}.open").touch()

    async def reached(self, name: str, times: int = 1) -> None:
        """Return once a model stands at the gate."""
        async with asyncio.timeout(_DEADLINE_S):
            while self.began(name) < times:
                await asyncio.sleep(0.01)


def model_processes(runner: Runner) -> list[int]:
    """The processes of the instances that run now."""
    assert isinstance(runner, LocalRunner)
    return [instance.pid for instance in runner._instances if instance.alive]


async def wait_until(look: Callable[[], bool]) -> None:
    """Return once it is so; for what no notification tells of, such as the end of a process."""
    async with asyncio.timeout(_DEADLINE_S):
        while not look():
            await asyncio.sleep(0.01)
