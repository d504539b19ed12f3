"""Uploaded packages: accepted, built, served, removed."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs.actions import enqueue, list_work
from quadrat.jobs.types import JobFilter, Queueing
from quadrat.serving.actions.access import VersionPath, open_version
from quadrat.serving.rules.versions import on_build_asked
from quadrat.serving.signals import announce_version
from quadrat.serving.store import versions as store
from quadrat.serving.types import Archive, BuildRun, Package, Version

BUILD = "serving.build"
CLEAN = "serving.clean"

_MOST_BUILDS = 50
_UPLOAD = "models.versions.files.create"


async def allow_upload(tx: AsyncConnection, caller: Caller, path: VersionPath) -> None:
    """Say no before the bytes are taken in.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_version(tx, caller, path, _UPLOAD)


async def accept_upload(tx: AsyncConnection, caller: Caller, path: VersionPath, archive: Archive) -> None:
    """Make the archive the version's newest package and build it; a build that runs is restarted.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project, _, version = await open_version(tx, caller, path, _UPLOAD, lock=True)
    package_id = await store.insert_package(tx, version.id, archive)
    await store.set_uploaded(tx, version.id, package_id)
    if version.package_id is not None:
        await clean_later(tx)
    await start_build(tx, caller, project.id, version)


async def get_package(tx: AsyncConnection, caller: Caller, path: VersionPath) -> Package:
    """The newest upload of a version.

    Raises:
        QuadratError: forbidden; not_found, also before the first upload.
    """
    _, _, version = await open_version(tx, caller, path, "models.versions.files.get")
    package = None if version.package_id is None else await store.find_package(tx, version.package_id)
    if package is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"No file has been uploaded for version {version.name} yet.")
    return package


async def list_builds(tx: AsyncConnection, caller: Caller, path: VersionPath) -> Sequence[BuildRun]:
    """The newest builds of a version, the newest first, as long as their jobs are kept.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project, _, version = await open_version(tx, caller, path, "models.versions.get")
    wanted = JobFilter(frozenset({BUILD}), project_id=project.id, about={"version_id": version.id})
    return [BuildRun(int(job.params["build"]), job) for job in await list_work(tx, wanted, _MOST_BUILDS)]


async def start_build(tx: AsyncConnection, caller: Caller, project_id: ProjectId, version: Version) -> None:
    """Have the newest package built, as a job of the caller's; the version's row is locked."""
    number = await store.begin_build(tx, version.id, on_build_asked(version.status))
    params = {"version_id": version.id, "build": number}
    await enqueue(tx, BUILD, params, owner_id=caller.user_id, project_id=project_id)
    await announce_version(tx, version.id)


async def clean_later(tx: AsyncConnection) -> None:
    """Have the bytes removed that nothing refers to after this transaction."""
    # Of no project: the job must outlive the one whose packages it removes.
    await enqueue(tx, CLEAN, {}, queueing=Queueing(once=True))
