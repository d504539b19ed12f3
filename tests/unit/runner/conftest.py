"""Packages made from text, and runners on directories that other users can reach (pytest's own are closed to them)."""

import hashlib
import io
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from quadrat.runner.base import Instance, InstanceSpec, LogLine, Prepared, Revision, Runner
from quadrat.runner.local import LocalRunner

OWN_LANGUAGE = f"python3.{sys.version_info[1]}"
MIB = 1024 * 1024


def pack(files: Mapping[str, str | bytes]) -> bytes:
    """A zip archive with these files; the same for the same ones, whenever it is made."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def revision_of(archive: bytes, language: str = OWN_LANGUAGE) -> Revision:
    """A revision whose archive is at hand."""

    async def fetch(target: Path) -> None:
        target.write_bytes(archive)

    return Revision(hashlib.sha256(archive).hexdigest(), language, fetch)


@dataclass
class Workbench:
    """A runner, and what it wrote to the logs."""

    runner: Runner
    lines: list[LogLine] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)

    async def prepare(self, files: Mapping[str, str | bytes], language: str = OWN_LANGUAGE) -> Prepared:
        return await self.runner.prepare(revision_of(pack(files), language), self.lines.append)

    async def start(
        self, files: Mapping[str, str | bytes] | str, language: str = OWN_LANGUAGE, **options: Any
    ) -> Instance:
        """Start a package; text alone is its main file."""
        package = {"model_package/model.py": files} if isinstance(files, str) else files
        prepared = await self.prepare(package, language)
        spec = InstanceSpec(prepared, **{"context": {}, **options})
        instance = await self.runner.start(spec, self.lines.append)
        self.instances.append(instance)
        return instance

    def texts(self, request_id: str | None = None, *, system: bool = False) -> list[str]:
        return [line.text for line in self.lines if line.request_id == request_id and line.system == system]


@pytest.fixture(scope="module")
def open_dir() -> Iterator[Path]:
    """A directory that every user of the machine may enter."""
    folder = Path(tempfile.mkdtemp(prefix="quadrat-runner-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def make_local_runner(open_dir: Path) -> Callable[[], Runner]:
    """Makes runners that share environments."""
    return lambda: LocalRunner(open_dir / "runner")


@pytest.fixture(scope="module", params=["local"])
async def runner(
    request: pytest.FixtureRequest, make_local_runner: Callable[[], Runner], anyio_backend: str
) -> AsyncIterator[Runner]:
    """Each kind of runner in turn; a new kind is added to the params and must pass the same tests."""
    runner = {"local": make_local_runner}[request.param]()
    yield runner
    await runner.close()


@pytest.fixture
async def bench(runner: Runner) -> AsyncIterator[Workbench]:
    bench = Workbench(runner)
    yield bench
    for instance in bench.instances:
        await instance.stop(grace_s=0.2)


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)
