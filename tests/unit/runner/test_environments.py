"""Environments that several processes share, and builds that are killed."""

import asyncio
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.unit.runner.conftest import OWN_LANGUAGE, Workbench, pack, revision_of

from quadrat.runner.accounts import BUILD_UID, own_account
from quadrat.runner.base import BuildError, BuildStage, Instance, Runner
from quadrat.runner.commands import Command, run
from quadrat.runner.environments import environment_key, read_requirements
from quadrat.runner.interpreters import Interpreter, Interpreters, probe
from quadrat.runner.shim import landlock_version

pytestmark = pytest.mark.anyio

MODEL = "class Model:\n    def request(self, data): return data\n"
PYTHON = Interpreter(Path("/usr/bin/python3.11"), (3, 11, 2))
BUILDER = """
import asyncio, sys
from pathlib import Path
from typing import Any
from quadrat.runner.base import Revision
from quadrat.runner.local import LocalRunner

async def fetch(target):
    target.write_bytes(Path(sys.argv[2]).read_bytes())

async def main():
    runner = LocalRunner(Path(sys.argv[1]))
    revision = Revision(sys.argv[4], sys.argv[3], fetch)
    prepared = await runner.prepare(revision, lambda line: print(line.text, flush=True))
    print("DONE", prepared.environment_key, flush=True)
    await runner.close()

asyncio.run(main())
"""
# Builds itself without any other package; says on a named pipe that it has begun, and the first time never ends.
BACKEND = """
import os, time, zipfile
# Builds of older tools write beside their sources.
open("scratch.txt", "w").close()
def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open("@PIPE@", "w") as pipe:
        pipe.write("building")
    if not os.path.exists("@SECOND@"):
        time.sleep(600)
    name = "slowpoke-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("slowpoke.py", "x = 1")
        facts = "slowpoke-1.0.dist-info/"
        wheel.writestr(facts + "METADATA", "Metadata-Version: 2.1\\nName: slowpoke\\nVersion: 1.0\\n")
        wheel.writestr(facts + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(facts + "RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "slowpoke"
version = "1.0"
"""


async def start_builder(root: Path, archive: Path, key: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", BUILDER, str(root), str(archive), OWN_LANGUAGE, key, stdout=asyncio.subprocess.PIPE
    )


async def test_prepare_in_two_processes_builds_once(open_dir: Path) -> None:
    archives = []
    for number in (1, 2):
        archive = open_dir / f"same-{number}.zip"
        requirements = "six==1.16.0\n" if number == 1 else "\n# the same\nsix==1.16.0  # really\n"
        archive.write_bytes(pack({"model_package/model.py": MODEL, "model_package/requirements.txt": requirements}))
        archives.append(archive)
    builders = [await start_builder(open_dir / "two", archive, archive.stem) for archive in archives]
    outputs = [(await builder.communicate())[0].decode() for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0]
    keys = {line for output in outputs for line in output.splitlines() if line.startswith("DONE")}
    assert len(keys) == 1
    assert sum("six==1.16.0" in output for output in outputs) == 1


async def test_prepare_after_killed_build_builds_again(open_dir: Path) -> None:
    pipe, second = open_dir / "begun", open_dir / "second"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    files = {
        "model_package/model.py": MODEL.replace("class", "import slowpoke\nclass"),
        "model_package/requirements.txt": "./slowpoke\n",
        "model_package/slowpoke/pyproject.toml": PROJECT,
        "model_package/slowpoke/backend.py": BACKEND.replace("@PIPE@", str(pipe)).replace("@SECOND@", str(second)),
    }
    archive = open_dir / "slow.zip"
    archive.write_bytes(pack(files))
    builder = await start_builder(open_dir / "slow", archive, revision_of(archive.read_bytes()).key)
    assert await asyncio.to_thread(pipe.read_text) == "building"
    builder.send_signal(signal.SIGKILL)
    await builder.wait()
    (environment,) = [path for path in (open_dir / "slow" / "environments").iterdir() if path.is_dir()]
    assert not (environment / "complete.json").exists()
    assert (environment / "bin").is_dir()

    second.touch()
    again = await start_builder(open_dir / "slow", archive, revision_of(archive.read_bytes()).key)
    assert await asyncio.to_thread(pipe.read_text) == "building"
    async with asyncio.timeout(60):
        output, _ = await again.communicate()
    assert output.decode().splitlines()[-1] == f"DONE {environment.name}"


async def test_prepare_cancelled_leaves_room_for_the_next(
    open_dir: Path, make_local_runner: Callable[[], Runner]
) -> None:
    pipe, second = open_dir / "begun-2", open_dir / "second-2"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    files = {
        "model_package/model.py": MODEL,
        "model_package/requirements.txt": "./slowpoke\n",
        "model_package/slowpoke/pyproject.toml": PROJECT,
        "model_package/slowpoke/backend.py": BACKEND.replace("@PIPE@", str(pipe)).replace("@SECOND@", str(second)),
    }
    bench = Workbench(make_local_runner())
    building = asyncio.create_task(bench.prepare(files))
    assert await asyncio.to_thread(pipe.read_text) == "building"
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    second.touch()
    building = asyncio.create_task(bench.prepare(files))
    assert await asyncio.to_thread(pipe.read_text) == "building"
    async with asyncio.timeout(60):
        assert (await building).python.exists()
    await bench.runner.close()


async def test_prepare_without_requirements_shares_one_environment_with_fast_json(bench: Workbench) -> None:
    first = await bench.prepare({"model_package/model.py": MODEL, "model_package/a.txt": "1"})
    second = await bench.prepare({"model_package/model.py": MODEL, "model_package/a.txt": "2"})
    assert first.environment_key == second.environment_key
    assert first.revision_key != second.revision_key
    assert list(first.python.parent.parent.glob("lib/python*/site-packages/msgspec/__pycache__/__init__.*.pyc"))


async def test_what_is_installed_is_compiled_and_nothing_of_it_executed(bench: Workbench, open_dir: Path) -> None:
    executed = open_dir / "executed"
    open_dir.chmod(0o777)
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        code = f"open({str(executed)!r}, 'w').close()"
        archive.writestr("eager.py", code)
        archive.writestr("broken.py", "this is no Python")
        # Whatever starts in the environment would execute this line.
        archive.writestr("eager.pth", f"import os; {code}\n")
        facts = "eager-1.0.dist-info/"
        archive.writestr(facts + "METADATA", "Metadata-Version: 2.1\nName: eager\nVersion: 1.0\n")
        archive.writestr(facts + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(facts + "RECORD", "")
    files = {
        "model_package/model.py": MODEL,
        "model_package/requirements.txt": "./eager-1.0-py3-none-any.whl\n",
        "model_package/eager-1.0-py3-none-any.whl": wheel.getvalue(),
    }
    prepared = await bench.prepare(files)
    (packages,) = prepared.python.parent.parent.glob("lib/python*/site-packages")
    assert [path.name.split(".")[0] for path in packages.glob("__pycache__/*.pyc") if "eager" in path.name] == ["eager"]
    assert not executed.exists()
    # It would have been seen.
    await asyncio.to_thread(subprocess.run, [prepared.python, "-c", ""], check=True)
    assert executed.exists()


async def test_prepare_builds_what_others_cannot_change(bench: Workbench) -> None:
    prepared = await bench.prepare({"model_package/model.py": MODEL})
    for path in (prepared.python.parent, prepared.package_dir, prepared.package_dir / "model.py"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0


async def test_prepare_requirements_that_are_no_text_are_refused(bench: Workbench) -> None:
    with pytest.raises(BuildError, match=r"requirements\.txt is not UTF-8 text") as refused:
        await bench.prepare({"model_package/model.py": MODEL, "model_package/requirements.txt": b"\x80\x81"})
    assert refused.value.stage is BuildStage.REQUIREMENTS


@pytest.mark.parametrize("wanted", ["./no-such-folder", "--no-index\nno-such-package"])
async def test_prepare_requirements_that_fail_are_refused_without_a_path_of_the_server(
    bench: Workbench, wanted: str
) -> None:
    with pytest.raises(BuildError, match="The requirements could not be installed") as refused:
        await bench.prepare({"model_package/model.py": MODEL, "model_package/requirements.txt": wanted})
    assert "no-such-" in refused.value.message
    assert tempfile.gettempdir() not in refused.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_read_requirements_in_the_encodings_of_windows_is_the_same(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "requirements.txt").write_bytes("six==1.0  # ä\r\n\r\n#x\r\nnumpy".encode(encoding))
    assert read_requirements(tmp_path).text == "six==1.0\nnumpy\n"


def test_read_requirements_keeps_fragments_of_addresses(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("x @ https://host/x.zip#sha256=1\n")
    found = read_requirements(tmp_path)
    assert found.text == "x @ https://host/x.zip#sha256=1\n"
    assert not found.local


@pytest.mark.parametrize("line", ["-r more.txt", "-e .", "./lib", "--requirement=x.txt", "x @ file:x", "-c c.txt"])
def test_environment_key_with_files_of_the_package_depends_on_the_package(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(line)
    wanted = read_requirements(tmp_path)
    assert environment_key(PYTHON, wanted, "a") != environment_key(PYTHON, wanted, "b")


def test_environment_key_depends_on_interpreter_and_lines_but_not_their_order(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\nnumpy\n")
    first = read_requirements(tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy\nsix")
    second = read_requirements(tmp_path)
    assert environment_key(PYTHON, first, "a") == environment_key(PYTHON, second, "b")
    assert environment_key(Interpreter(PYTHON.path, (3, 11, 3)), first, "a") != environment_key(PYTHON, first, "a")
    (tmp_path / "requirements.txt").write_text("numpy")
    assert environment_key(PYTHON, read_requirements(tmp_path), "a") != environment_key(PYTHON, first, "a")


async def test_find_language_newer_than_all_gives_the_newest() -> None:
    found = await Interpreters(own_account()).find("python3.99")
    assert found is not None
    assert found.version >= sys.version_info[:2]


async def test_probe_program_that_is_no_python_finds_nothing(tmp_path: Path) -> None:
    script = tmp_path / "python3.11"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    assert await probe(script, own_account()) is None
    assert await probe(tmp_path / "missing", own_account()) is None


async def test_interpreter_behind_a_script_is_known_by_its_own_place(tmp_path: Path) -> None:
    real = await probe(Path(sys.executable), own_account())
    script = tmp_path / OWN_LANGUAGE
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    assert await probe(script, own_account()) == real
    assert real is not None
    assert real.path == Path(sys.executable).resolve()


# A package that is built from sources, and what its build finds out.
SPY = """
import json, os, zipfile

def tried(do):
    try:
        return repr(do())[:80]
    except OSError as error:
        return type(error).__name__

def build_wheel(folder, config_settings=None, metadata_directory=None):
    runner = @RUNNER@
    learned = {
        "uid": os.getuid(),
        "environments": tried(lambda: os.listdir(os.path.join(runner, "environments"))),
        "other_read": tried(lambda: open(@OTHER@).read()),
        "other_write": tried(lambda: open(@OTHER@, "a").write("x")),
        "cache": tried(lambda: os.listdir(os.path.join(runner, "cache"))),
        "environ": tried(lambda: open("/proc/@SERVER@/environ", "rb").read()),
        "signal": tried(lambda: os.kill(@SERVER@, 0)),
    }
    # It may stay after its build, and is ended then.
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 100)
        while True:
            __import__("time").sleep(1)
    name = "spy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("learned.json", json.dumps(learned))
        facts = "spy-1.0.dist-info/"
        wheel.writestr(facts + "METADATA", "Metadata-Version: 2.1\\nName: spy\\nVersion: 1.0\\n")
        wheel.writestr(facts + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(facts + "RECORD", "")
    return name
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")
async def test_build_from_sources_learns_and_changes_nothing_of_others(bench: Workbench, open_dir: Path) -> None:
    other = await bench.prepare({"model_package/model.py": MODEL, "model_package/requirements.txt": "six\n"})
    (six,) = other.python.parent.parent.glob("lib/python*/site-packages/six.py")
    facts = {"@RUNNER@": repr(str(open_dir / "runner")), "@OTHER@": repr(str(six)), "@SERVER@": str(os.getpid())}
    backend = SPY
    for name, value in facts.items():
        backend = backend.replace(name, value)
    files = {
        "model_package/model.py": MODEL,
        "model_package/requirements.txt": "./spy\n",
        "model_package/spy/pyproject.toml": PROJECT.replace("slowpoke", "spy"),
        "model_package/spy/backend.py": backend,
    }
    spied = await bench.prepare(files)
    (learned,) = spied.python.parent.parent.glob("lib/python*/site-packages/learned.json")
    found = json.loads(learned.read_text())
    uid = found.pop("uid")
    if os.geteuid() != 0 and not landlock_version():
        pytest.skip("nothing is between a build and the server's files here")
    assert set(found.values()) <= {"PermissionError", "FileNotFoundError"}, found
    if os.geteuid() == 0:
        assert uid not in {0, BUILD_UID}
        owners = {path.lstat().st_uid for path in spied.python.parent.parent.rglob("*")}
        assert owners <= {0, BUILD_UID}
        async with asyncio.timeout(20):
            while uid in map(uid_of, psutil.pids()):
                await asyncio.sleep(0.05)


# A requirement that is built from sources, whose build does more than that.
BUILD = """
import os, pathlib, time, zipfile

def environment():
    arguments = pathlib.Path("/proc/%d/cmdline" % os.getppid()).read_text().split(chr(0))
    return pathlib.Path(arguments[arguments.index("--python") + 1]).parent.parent

def build_wheel(folder, config_settings=None, metadata_directory=None):
@DO@
    name = "odd-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in @FILES@.items():
            wheel.writestr(path, text)
        facts = "odd-1.0.dist-info/"
        wheel.writestr(facts + "METADATA", "Metadata-Version: 2.1\\nName: odd\\nVersion: 1.0\\n")
        wheel.writestr(facts + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(facts + "RECORD", "")
    return name
"""


def package_with(do: str, files: Mapping[str, str], model: str = MODEL) -> dict[str, str | bytes]:
    """A model whose requirement does this when it is built, and consists of these files."""
    backend = BUILD.replace("@DO@", textwrap.indent(do.strip("\n"), " " * 4)).replace("@FILES@", repr(dict(files)))
    return {
        "model_package/model.py": model,
        "model_package/requirements.txt": "./odd\n",
        "model_package/odd/pyproject.toml": PROJECT.replace("slowpoke", "odd"),
        "model_package/odd/backend.py": backend,
    }


# A build that leaves in its environment what others would run or follow after it.
# A build that puts another program in the place of the environment's Python.
REPLACER = """
python = environment() / "bin" / "python"
real = os.path.realpath(python)
python.unlink()
python.write_text("#!/bin/sh\\ntouch @EXECUTED@\\nexec %s \\"$@\\"\\n" % real)
python.chmod(0o755)
"""
TRAP = f"""{REPLACER}
(packages,) = environment().glob("lib/python*/site-packages")
(packages / "__pycache__").symlink_to("@OTHER@")
"""
with_landlock = pytest.mark.skipif(not landlock_version(), reason="the walls are Linux's, and this kernel has none")


@with_landlock
async def test_what_a_build_leaves_is_neither_run_nor_followed_outside_of_its_walls(
    bench: Workbench, open_dir: Path
) -> None:
    other = await bench.prepare({"model_package/model.py": MODEL, "model_package/requirements.txt": "six\n"})
    (compiled,) = other.python.parent.parent.glob("lib/python*/site-packages/__pycache__/six.*.pyc")
    before, executed = compiled.read_bytes(), open_dir / "sprung"
    open_dir.chmod(0o777)
    trap = TRAP.replace("@EXECUTED@", str(executed)).replace("@OTHER@", str(compiled.parent))
    trapped = await bench.prepare(package_with(trap, {"six.py": "x = 'trap'"}))
    assert trapped.python.read_text().startswith("#!/bin/sh"), "the trap was set"
    assert list(trapped.python.parent.parent.glob("lib/python*/site-packages/six.py"))
    assert not executed.exists()
    assert compiled.read_bytes() == before


# A build that leaves a link under the names that the server writes next.
LINKER = """
for name in ("complete.new", "complete.json"):
    (environment() / name).symlink_to("@VICTIM@")
"""


@with_landlock
async def test_marker_of_an_environment_is_not_written_through_a_link(bench: Workbench, open_dir: Path) -> None:
    victim = open_dir / "victim"
    victim.write_text("untouched")
    prepared = await bench.prepare(package_with(LINKER.replace("@VICTIM@", str(victim)), {}))
    assert victim.read_text() == "untouched"
    assert not (prepared.python.parent.parent / "complete.json").is_symlink()


@pytest.fixture
async def for_all(runner: Runner, open_dir: Path) -> Path:
    """A directory into which everybody could write, where models have no business."""
    await runner.open()
    place = open_dir / "runner" / "for-all"
    place.mkdir(exist_ok=True)
    place.chmod(0o777)
    return place


# What runs when Python starts tells what it could do; the model passes it on.
EARLY = """
import sys
try:
    sys.early = open("@OTHER@").read()
except OSError as error:
    sys.early = type(error).__name__
try:
    open("@PLACE@/early", "w").close()
except OSError:
    pass
"""
TELLS = "import sys\nclass Model:\n    def request(self, data): return sys.early\n"


@with_landlock
@pytest.mark.parametrize("declared", [{}, {"PYTHONHASHSEED": "1"}])
async def test_what_is_installed_runs_only_within_the_walls_of_an_instance(
    bench: Workbench, for_all: Path, declared: dict[str, str]
) -> None:
    other = await bench.prepare({"model_package/model.py": MODEL + "# of somebody else\n"})
    early = EARLY.replace("@OTHER@", str(other.package_dir / "model.py")).replace("@PLACE@", str(for_all))
    files = package_with("", {"early.pth": "import early\n", "early.py": early}, TELLS)
    instance = await bench.start(files, environment=declared)
    refused = (await instance.send("r", b"1", 20.0)).result
    assert refused in (b'"PermissionError"', b'"FileNotFoundError"')  # the latter where bubblewrap shows nothing
    assert list(for_all.iterdir()) == []


@with_landlock
@pytest.mark.parametrize("declared", [{}, {"PYTHONHASHSEED": "1"}])
async def test_python_that_a_build_left_runs_only_within_the_walls_of_an_instance(
    bench: Workbench, for_all: Path, declared: dict[str, str]
) -> None:
    files = package_with(REPLACER.replace("@EXECUTED@", str(for_all / "replaced")), {})
    instance = await bench.start(files, environment=declared)
    assert (await instance.send("r", b"1", 20.0)).result == b"1"
    assert list(for_all.iterdir()) == []


STAYER = """
print("building", flush=True)
if os.fork() == 0:
    if @FLEE@:
        os.setsid()
    time.sleep(3600)
time.sleep(1.5)  # at work while another process of it sleeps
"""


@pytest.mark.parametrize("flee", [False, True])
async def test_build_does_not_wait_for_what_holds_its_output(bench: Workbench, flee: bool) -> None:
    files = package_with(STAYER.replace("@FLEE@", str(flee)), {})
    async with asyncio.timeout(60):
        assert (await bench.prepare(files)).python.exists()


@pytest.mark.parametrize("flee", ["", "setsid "])
async def test_program_that_leaves_a_child_with_its_output_has_ended(flee: str, tmp_path: Path) -> None:
    lines: list[str] = []
    script = f"{flee}sleep 3600 & echo $!; echo last; printf unended"
    command = Command(argv=["/bin/sh", "-c", script], cwd=tmp_path, env=os.environ, account=own_account())
    async with asyncio.timeout(30):
        assert await run(command, lines.append) == 0
    assert lines[1:] == ["last", "unended"]
    left = int(lines[0])
    if flee:
        os.kill(left, signal.SIGKILL)
    async with asyncio.timeout(30):
        while uid_of(left) is not None:
            await asyncio.sleep(0.01)


async def test_lines_of_a_program_come_whole_and_in_order(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "import sys\nfor n in range(50_000): print(n, 'é' * (n % 50))\nsys.exit(len(sys.stdin.read()))"
    argv = [sys.executable, "-X", "utf8", "-c", script]
    command = Command(argv=argv, cwd=tmp_path, env=os.environ, account=own_account(), stdin=b"12345")
    assert await run(command, lines.append) == 5
    assert lines == [f"{n} {'é' * (n % 50)}".rstrip() for n in range(50_000)]


async def test_source_distribution_without_a_wheel_is_installed_and_logged(bench: Workbench) -> None:
    lines = len(bench.lines)
    files = {"model_package/model.py": MODEL, "model_package/requirements.txt": "docopt==0.6.2\n"}
    prepared = await bench.prepare(files)
    assert list(prepared.python.parent.parent.glob("lib/python*/site-packages/docopt.py"))
    said = [line.text for line in bench.lines[lines:]]
    assert any("docopt==0.6.2" in text for text in said)
    assert not any("no usable wheels" in text for text in said)


def uid_of(pid: int) -> int | None:
    """Of a process that has not ended."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.uids().real
    except psutil.Error:
        return None


async def test_instances_run_the_script_that_their_interpreter_has_compiled(bench: Workbench) -> None:
    source = "import sys\nclass Model:\n    def request(self, data):\n        return sys.argv[0], 1 / data\n"
    prepared = await bench.prepare({"model_package/model.py": source})
    instance = await bench.start(source)
    (script, _), compiled = await asked(instance, b"1"), prepared.entrance.parent.parent / "shim.pyc"
    assert script == str(compiled)
    assert not (await instance.send("r", b"0", 20)).success
    assert "shim" not in "\n".join(bench.texts("r"))
    assert not list(prepared.python.parent.parent.glob("*.pyc"))


async def asked(instance: Instance, data: bytes) -> Any:
    reply = await instance.send("r", data, 20)
    assert reply.success, reply.error_message
    return json.loads(reply.result)
