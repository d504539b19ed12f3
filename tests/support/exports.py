"""Somebody's project, exported over the API by a worker of its own."""

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import text

from quadrat.api.ecotaxa.app import create_app
from quadrat.identity.types import ProjectId
from quadrat.jobs.registry import Registry
from quadrat.jobs.tasks import HANDLERS as JOB_HANDLERS
from quadrat.jobs.worker import Worker, WorkerTiming
from quadrat.objects.importing.run import run_import
from quadrat.objects.importing.types import ImportPlace, Order, Workshop
from quadrat.objects.tasks import HANDLERS
from quadrat.storage.blobs import BlobStore
from support.house import House, Person, open_objects

IMPORTED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_TIMING = WorkerTiming(heartbeat_s=0.3, stalled_after_s=5.0, poll_s=0.3, grace_s=1.0)
_DEADLINE_S = 100


@dataclass(frozen=True, slots=True)
class Resources:
    """What the worker offers to jobs."""

    blobs: BlobStore
    common_dir: Path | None = None
    export_dir: Path | None = None
    import_processes: int = 1


@dataclass
class ExportBench:
    """A project of somebody with what exports it.

    Args:
        house: The APIs.
        owner: Whose project it is.
        project_id: The project.
        http: The owner's client.
        resources: What the worker has.
    """

    house: House
    owner: Person
    project_id: ProjectId
    http: httpx2.AsyncClient
    resources: Resources
    names: dict[str, int] = field(default_factory=dict)

    async def load(self, archive: Path, project_id: ProjectId | None = None) -> None:
        """Import an archive, as jobs do."""

        async def progress(_percent: float, _message: str) -> None:
            pass

        workshop = Workshop(self.house.db, self.resources.blobs, 1, progress)
        place = ImportPlace(project_id or self.project_id, self.owner.caller.user_id, IMPORTED_AT)
        await run_import(workshop, Order(place, archive))

    async def ask(self, operation: str, filters: Mapping[str, str] | None = None, **request: Any) -> httpx2.Response:
        """Ask for an export: operation ``/general``, ``/summary``, ``/backup`` or nothing."""
        body = {"filters": dict(filters or {}), "request": {"project_id": self.project_id, **request}}
        return await self.http.post(f"/object_set/export{operation}", json=body)

    async def job(self, operation: str, filters: Mapping[str, str] | None = None, **request: Any) -> dict[str, Any]:
        """The job of an export once it has ended."""
        answer = await self.ask(operation, filters, **request)
        assert answer.status_code == 200, answer.text
        assert answer.json()["errors"] == []
        return await self.until_ended(answer.json()["job_id"])

    async def until_ended(self, job_id: int) -> dict[str, Any]:
        """The job once it has ended; some worker has to run."""
        async with asyncio.timeout(_DEADLINE_S):
            while (found := (await self.http.get(f"/jobs/{job_id}/")).json())["state"] not in "FE":
                await asyncio.sleep(0.02)
        return dict(found)

    async def file(self, operation: str, filters: Mapping[str, str] | None = None, **request: Any) -> bytes:
        """The bytes of an export."""
        job = await self.job(operation, filters, **request)
        assert (job["state"], job["errors"]) == ("F", []), await self.log(job["id"])
        return (await self.http.get(f"/jobs/{job['id']}/file")).content

    async def log(self, job_id: int) -> str:
        return (await self.http.get(f"/jobs/{job_id}/log")).text

    async def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        async with self.house.db.begin() as tx:
            found = await tx.execute(text(query), {"p": self.project_id, **values})
            return [tuple(row) for row in found] if found.returns_rows else []

    async def make_taxon(self, name: str, parent: int | None = None, display: str | None = None) -> int:
        """A taxon under another one."""
        made = await self.rows(
            "INSERT INTO objects.taxon (parent_id, path, name, display_name) VALUES (:parent, '{}', :n, :d) "
            "RETURNING id",
            parent=parent,
            n=name,
            d=display or name,
        )
        id_ = int(made[0][0])
        await self.rows(
            "UPDATE objects.taxon SET path = coalesce((SELECT path FROM objects.taxon WHERE id = :parent), '{}') || id "
            "WHERE id = :id",
            parent=parent,
            id=id_,
        )
        return id_


async def open_bench(house: House, folder: Path, store: BlobStore | None = None) -> ExportBench:
    """A new person's empty project; its bytes on disk, or in a bucket."""
    blobs = store or BlobStore.on_disk(folder / "store", b"k" * 32)
    house.state["blobs"] = blobs
    open_objects(house, folder)
    owner = await house.make_person()
    project = await house.make_project(owner)
    made = Resources(blobs, export_dir=folder / "copies")
    return ExportBench(house, owner, project.id, house.client_for(create_app, "/api", owner), made)


@asynccontextmanager
async def run_worker(house: House, resources: Resources) -> AsyncIterator[None]:
    """A worker over the house's database."""
    stop = asyncio.Event()
    worker = Worker(house.db, Registry([*JOB_HANDLERS, *HANDLERS]), resources, concurrency=2, timing=_TIMING)
    task = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)


def members(content: bytes) -> list[str]:
    """Names of what is in a zip, in its order."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def member(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def lines(table: bytes, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    """A table as dictionaries."""
    return list(csv.DictReader(io.StringIO(table.decode(encoding), newline=""), delimiter="\t"))
