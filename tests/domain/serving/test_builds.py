"""From an upload to a version that serves, on a real worker."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs import store as jobs
from quadrat.jobs.registry import JobContext
from quadrat.jobs.types import JobState
from quadrat.runner.base import Runner
from quadrat.serving import tasks
from quadrat.serving.actions import models, packages, versions
from quadrat.serving.actions.access import ModelPath, VersionPath
from quadrat.serving.store import versions as store
from quadrat.serving.types import BuildRun, VersionStatus
from support.serving import ECHO, ServingHouse, WorkerResources, model_processes, pack

pytestmark = pytest.mark.anyio

BAD_START = """
class Model:
    def __init__(self):
        raise RuntimeError("no weights")

    def request(self, data):
        return data
"""


async def test_upload_is_built_and_becomes_available(serving: ServingHouse, runner: Runner):
    path = await serving.make_version(await serving.make_model())
    before = await serving.version(path)
    assert (before.status, before.file_updated_at) == (VersionStatus.INITIALISED, before.created_at)
    await serving.upload(path, pack(ECHO))
    assert (await serving.version(path)).status in {"building", "deploying", "available"}
    after = await serving.built(path)
    assert (after.status, after.error_message) == (VersionStatus.AVAILABLE, "")
    assert after.file_updated_at > before.file_updated_at
    assert after.serving_package_id == after.package_id
    # The instance that was tried has been stopped.
    assert model_processes(runner) == []


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ({"readme.txt": "no package"}, "building_failed", "model_package"),
        ({"model_package/data.csv": "1,2"}, "building_failed", "model.py"),
        (
            {"model_package/model.py": ECHO, "model_package/requirements.txt": "this is no requirement\n"},
            "building_failed",
            "requirement",
        ),
        ({"model_package/model.py": "import nowhere_to_be_found"}, "deploying_failed", "nowhere_to_be_found"),
        ({"model_package/model.py": BAD_START}, "deploying_failed", "no weights"),
        ({"model_package/model.py": "class Other:\n    pass\n"}, "deploying_failed", "Model"),
    ],
)
async def test_package_with_a_fault_fails_in_words_for_its_author(
    files: Mapping[str, str], status: str, words: str, serving: ServingHouse
):
    path = await serving.make_version(await serving.make_model())
    await serving.upload(path, pack(files))
    version = await serving.built(path)
    assert version.status == status, version.error_message
    assert words in version.error_message
    assert len(version.error_message) <= 500
    assert version.serving_package_id is None


async def test_fault_in_a_later_upload_keeps_the_earlier_build_serving(serving: ServingHouse):
    path = await serving.serve()
    served = (await serving.version(path)).serving_package_id
    await serving.upload(path, pack(BAD_START))
    assert (await serving.version(path)).status in {"available_building", "available_building_failed"}
    version = await serving.built(path)
    assert version.status == VersionStatus.AVAILABLE_BUILDING_FAILED
    assert "no weights" in version.error_message
    assert version.serving_package_id == served
    assert version.package_id != served
    await serving.upload(path, pack(ECHO))
    assert (await serving.built(path)).status == VersionStatus.AVAILABLE


async def test_other_language_builds_again_and_the_same_does_not(serving: ServingHouse):
    path = await serving.serve()
    first = await serving.version(path)
    async with serving.db.begin() as tx:
        _, same = await versions.update_version(tx, serving.caller, path, None, {"language": "python3.7"})
    assert (same.status, same.build) == (VersionStatus.AVAILABLE, first.build)
    async with serving.db.begin() as tx:
        _, changed = await versions.update_version(tx, serving.caller, path, None, {"language": "python3.8"})
    assert (changed.status, changed.build) == (VersionStatus.AVAILABLE_BUILDING, first.build + 1)
    assert (await serving.built(path)).status == VersionStatus.AVAILABLE


async def test_other_language_before_the_first_upload_builds_nothing(serving: ServingHouse):
    path = await serving.make_version(await serving.make_model())
    async with serving.db.begin() as tx:
        _, version = await versions.update_version(tx, serving.caller, path, None, {"language": "python3.8"})
    assert (version.status, version.settings.language) == (VersionStatus.INITIALISED, "python3.8")


async def test_build_of_an_older_upload_changes_nothing(serving: ServingHouse):
    path = await serving.make_version(await serving.make_model())
    await serving.upload(path, pack(BAD_START))
    await serving.upload(path, pack(ECHO))
    version = await serving.built(path)
    assert (version.status, version.build) == (VersionStatus.AVAILABLE, 2)
    assert await build_again(serving, version.id, 1) == {"outcome": "superseded"}
    assert (await serving.version(path)) == version


async def test_build_that_runs_twice_ends_the_same(serving: ServingHouse):
    path = await serving.serve()
    version = await serving.version(path)
    assert (await build_again(serving, version.id, version.build))["outcome"] == "available"
    after = await serving.version(path)
    assert (after.status, after.serving_package_id) == (VersionStatus.AVAILABLE, version.serving_package_id)


async def _builds(serving: ServingHouse, path: VersionPath) -> Sequence[BuildRun]:
    async with serving.db.begin() as tx:
        return await packages.list_builds(tx, serving.caller, path)


async def test_builds_are_the_jobs_of_who_uploaded_and_say_what_they_ran_in(serving: ServingHouse):
    path = await serving.make_version(await serving.make_model())
    await serving.upload(path, pack({"model_package/model.py": ECHO, "model_package/requirements.txt": "# none\n"}))
    await serving.built(path)
    await serving.upload(path, pack(BAD_START))
    await serving.built(path)
    # The version is told a moment before its job has ended.
    async with asyncio.timeout(30):
        failed, first = await _builds(serving, path)
        while failed.job.state is not JobState.FINISHED:
            failed, first = await _builds(serving, path)
    assert [(run.number, run.job.owner_id) for run in (failed, first)] == [
        (2, serving.caller.user_id),
        (1, serving.caller.user_id),
    ]
    assert (first.job.result["outcome"], first.job.result["requirements"]) == ("available", "")
    assert first.job.result["language"].startswith("python3.")
    assert (failed.job.result["outcome"], failed.job.result["environment"]) == (
        "failed",
        first.job.result["environment"],
    )
    assert "no weights" in failed.job.result["message"]
    assert failed.job.result["size_bytes"] == len(pack(BAD_START))


async def test_build_of_a_deleted_version_ends_quietly(serving: ServingHouse):
    path = await serving.serve()
    version = await serving.version(path)
    async with serving.db.begin() as tx:
        await versions.delete_version(tx, serving.caller, path)
    assert await build_again(serving, version.id, version.build) == {"outcome": "superseded"}


async def test_build_that_the_server_cannot_do_fails_at_last(serving: ServingHouse):
    path = await serving.serve()
    await serving.upload(path, pack({"model_package/model.py": ECHO, "model_package/new": "not unpacked yet"}))
    version = await serving.built(path)
    async with serving.db.begin() as tx:
        number = await store.begin_build(tx, version.id, VersionStatus.AVAILABLE_BUILDING)
    broken = WorkerResources(serving.blobs, _Broken())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="no inode"):
        await build_again(serving, version.id, number, broken)
    assert (await serving.version(path)).status == VersionStatus.AVAILABLE_BUILDING
    with pytest.raises(OSError, match="no inode"):
        await build_again(serving, version.id, number, broken, attempt=5)
    after = await serving.version(path)
    assert after.status == VersionStatus.AVAILABLE_BUILDING_FAILED
    assert "inside the server" in after.error_message
    assert "inode" not in after.error_message


async def test_packages_that_nothing_refers_to_are_removed(serving: ServingHouse):
    path = await serving.serve()
    first = await stored(serving, path)
    await serving.upload(path, pack({"model_package/model.py": ECHO, "model_package/more.txt": "x"}))
    await serving.built(path)
    second = await stored(serving, path)
    assert first != second

    async def only_second() -> bool:
        return await serving.blobs.exists(second) and not await serving.blobs.exists(first)

    async def none() -> bool:
        return not await serving.blobs.exists(second)

    await serving.until(only_second)
    async with serving.db.begin() as tx:
        await models.delete_model(tx, serving.caller, ModelPath(path.project, path.model))
    await serving.until(none)


async def test_download_before_any_upload_is_not_found(serving: ServingHouse):
    path = await serving.make_version(await serving.make_model())
    with pytest.raises(QuadratError) as refused:
        await stored(serving, path)
    assert refused.value.kind is ErrorKind.NOT_FOUND


class _Broken:
    """A runner on a machine that is out of order."""

    async def prepare(self, *_arguments: Any) -> Any:
        raise OSError("no inode left in /secret/path")


async def stored(serving: ServingHouse, path: VersionPath) -> str:
    async with serving.db.begin() as tx:
        return (await packages.get_package(tx, serving.caller, path)).blob_key


async def build_again(
    serving: ServingHouse, version_id: int, number: int, resources: WorkerResources | None = None, attempt: int = 1
) -> Mapping[str, Any]:
    """Run the handler as a worker does that has taken over from a lost one."""
    params = {"version_id": version_id, "build": number}
    async with serving.db.begin() as tx:
        # Not in the queue, so the worker of the test leaves it alone.
        job_id = await jobs.insert_job(tx, new_uuid(), tasks.BUILD, "default", params, (None, None))
        job = await jobs.begin_attempt(tx, job_id)
    assert job is not None
    offered = resources or WorkerResources(serving.blobs, serving.runner)
    return await tasks.build(JobContext(replace(job, attempt=attempt), serving.db, offered), params)
