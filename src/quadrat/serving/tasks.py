"""Jobs of serving: building a version, and removing what nothing refers to any more."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.sealing import Sealer
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs.registry import DEFAULT_ATTEMPTS, Handler, JobCancelledError, JobContext
from quadrat.runner.base import BuildError, LogSink, Revision, Runner
from quadrat.serving.actions.packages import BUILD, CLEAN, clean_later
from quadrat.serving.files import Files
from quadrat.serving.housekeeping import RESULTS_KEPT
from quadrat.serving.launch import Launcher
from quadrat.serving.logbook import LogBook
from quadrat.serving.rules.versions import cut_error, on_build_failed, on_deploying
from quadrat.serving.signals import announce_version
from quadrat.serving.store import deployments as deployment_store
from quadrat.serving.store import journal as journal_store
from quadrat.serving.store import pipeline_requests as pipeline_request_store
from quadrat.serving.store import requests as request_store
from quadrat.serving.store import versions as store
from quadrat.serving.types import Build, VersionId, VersionStatus
from quadrat.serving.verification import HANDLERS as VERIFICATION_HANDLERS
from quadrat.storage.blobs import BlobStore

_log = structlog.get_logger(__name__)
_BLOCK = 1000
_REQUIREMENTS_TOLD = 20_000
_UNUSED_KEPT_S = 24 * 3600.0
"""An environment that nobody uses any more is kept for who comes back to it within a day."""


class ServingResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def blobs(self) -> BlobStore:
        """Where packages are stored."""
        ...

    @property
    def runner(self) -> Runner:
        """Builds environments."""
        ...

    @property
    def instance_start_timeout_s(self) -> float:
        """Longest time for a model to load."""
        ...

    @property
    def sealer(self) -> Sealer:
        """Opens secret variables."""
        ...


class _SupersededError(Exception):
    """Another upload came, or the version went: nobody wants this build any more."""


async def build(context: JobContext[ServingResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Build the newest package of a version and try one instance of it."""
    version_id, number = VersionId(int(params["version_id"])), int(params["build"])
    async with context.db.begin() as tx:
        found = await deployment_store.find_build(tx, version_id, number)
    if found is None:
        return {"outcome": "superseded"}
    logbook = LogBook(context.db)
    logbook.start()
    try:
        return await _build(context, found, logbook)
    except _SupersededError:
        return {"outcome": "superseded"}
    finally:
        await logbook.stop()


async def _build(context: JobContext[ServingResources], asked: Build, logbook: LogBook) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"package": asked.package.file_name, "size_bytes": asked.package.size_bytes}
    try:
        await _build_and_try(context, asked, logbook.sink(asked.deployment), facts)
    except BuildError as error:
        logbook.say(asked.deployment, f"The build failed: {error.message}")
        await _end(context.db, asked, error.message)
        return {"outcome": "failed", "message": error.message, **facts}
    except QuadratError as error:
        if error.kind is ErrorKind.NOT_FOUND:  # the bytes of a superseded package are removed at any time
            await _refuse_superseded(context.db, asked)
        if error.kind is ErrorKind.UNAVAILABLE and context.job.attempt < DEFAULT_ATTEMPTS:
            raise
        await _end(context.db, asked, error.message)
        return {"outcome": "failed", "message": error.message, **facts}
    except (JobCancelledError, asyncio.CancelledError):
        await _end_if_cancelled(context, asked)
        raise
    except _SupersededError:
        raise
    except Exception:
        if context.job.attempt >= DEFAULT_ATTEMPTS:
            await _end(context.db, asked, f"The build failed inside the server (job {context.job.id}).")
        raise
    logbook.say(asked.deployment, "The version is available.")
    return {"outcome": "available", **facts}


async def _build_and_try(
    context: JobContext[ServingResources], asked: Build, log: LogSink, facts: dict[str, Any]
) -> None:
    resources = context.resources
    launcher = Launcher(resources.runner, resources.blobs, resources.sealer, resources.instance_start_timeout_s)
    await context.progress(10, "Building")
    prepared = await launcher.prepare(asked.package, asked.language, log)
    facts |= {"language": prepared.language, "environment": prepared.environment_key}
    facts["requirements"] = prepared.requirements[:_REQUIREMENTS_TOLD].replace("\0", "")
    async with context.db.begin() as tx:
        await _move(tx, asked, on_deploying(await _status(tx, asked)))
    await context.progress(60, "Deploying")
    instance = await launcher.start(asked.deployment, prepared, log)
    await instance.stop()
    async with context.db.begin() as tx:
        await _status(tx, asked)
        await store.set_serving(tx, asked.version_id, asked.package.id, asked.language)
        await _move(tx, asked, VersionStatus.AVAILABLE)
        if asked.has_served:
            await clean_later(tx)


async def _end_if_cancelled(context: JobContext[ServingResources], asked: Build) -> None:
    """An administrator cancelled the job, or this worker stops and another one builds again."""
    try:
        await context.check_cancelled()
    except JobCancelledError:
        await _end(context.db, asked, "The build was cancelled.")


async def _end(db: Database, asked: Build, message: str) -> None:
    async with db.begin() as tx:
        await _move(tx, asked, on_build_failed(await _status(tx, asked)), message)


async def _refuse_superseded(db: Database, asked: Build) -> None:
    async with db.begin() as tx:
        await _status(tx, asked)


async def _status(tx: AsyncConnection, asked: Build) -> VersionStatus:
    """The version's status, its row locked.

    Raises:
        _SupersededError: This build is not the newest any more.
    """
    status = await store.lock_status(tx, asked.version_id, asked.number)
    if status is None:
        raise _SupersededError
    return status


async def _move(tx: AsyncConnection, asked: Build, status: VersionStatus, message: str = "") -> None:
    await store.set_status(tx, asked.version_id, status, cut_error(message))
    await announce_version(tx, asked.version_id)


async def clean(context: JobContext[ServingResources], _params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove what nothing refers to and what has been kept long enough: packages, blobs, requests, payloads."""
    packages = 0
    while True:
        async with context.db.begin() as tx:
            unused = await store.list_unused_packages(tx, _BLOCK)
        if not unused:
            break
        for package_id, blob_key in unused:
            # The row goes last: a run that is cut off here finds it again.
            await context.resources.blobs.delete(blob_key)
            async with context.db.begin() as tx:
                await store.delete_package(tx, package_id)
        packages += len(unused)
    requests = await _delete_old(context.db, request_store.QUEUE.delete_finished_before)
    requests += await _delete_old(context.db, journal_store.delete_before)
    requests += await _delete_old(context.db, pipeline_request_store.QUEUE.delete_finished_before)
    async with context.db.begin() as tx:
        wanted = [Revision(key, language, _no_fetch) for key, language in await store.list_wanted(tx)]
    unused_environments = await context.resources.runner.collect(wanted, _UNUSED_KEPT_S)
    files = Files(context.db, context.resources.blobs, context.resources.runner)
    removed_files = await files.remove_waste(_BLOCK)
    _log.info("serving.cleaned", packages=packages, requests=requests, **removed_files)
    return {"packages": packages, "requests": requests, "unused": unused_environments, **removed_files}


async def _no_fetch(_target: Path) -> None:
    """For revisions that are only named."""


async def _delete_old(db: Database, delete: Callable[[AsyncConnection, datetime, int], Awaitable[int]]) -> int:
    """Delete block by block; returns how many there were."""
    total = 0
    while True:
        async with db.begin() as tx:
            removed = await delete(tx, now() - RESULTS_KEPT, _BLOCK)
        total += removed
        if removed < _BLOCK:
            return total


HANDLERS = (Handler(BUILD, build), Handler(CLEAN, clean), *VERIFICATION_HANDLERS)
