"""What users' code on this machine can reach, and what is left when something is killed."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.unit.runner.conftest import Workbench, pack, revision_of

from quadrat.runner import local
from quadrat.runner.accounts import own_account
from quadrat.runner.base import Instance, InstanceSpec, RequestTimeoutError, Revision, Runner
from quadrat.runner.instance import LocalInstance
from quadrat.runner.interpreters import Interpreters
from quadrat.runner.local import LocalRunner
from quadrat.runner.usage import INSTANCE_VARIABLE

pytestmark = pytest.mark.anyio

MODEL = """
import os, stat, subprocess, sys, tempfile, time
class Model:
    def __init__(self, base_directory):
        self.base = base_directory
    def request(self, data):
        return eval(data, {**globals(), "self": self})
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run models as other users")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
WRITE = "(lambda path: os.access(path, os.W_OK))"


async def ask(instance: Instance, do: str, timeout_s: float = 20.0) -> Any:
    reply = await instance.send("r", json.dumps(do).encode(), timeout_s)
    assert reply.success, reply.error_message
    return json.loads(reply.result)


def ends(*pids: int) -> list[psutil.Process]:
    """Those of the processes that live on for more than some seconds.

    It looks, and waits for none: the runner wants to see the end of its own.
    """
    alive = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            alive.append(psutil.Process(pid))
    deadline = time.monotonic() + 10
    while (alive := [process for process in alive if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def of_instances(marker: str) -> list[int]:
    """Numbers, as this process sees them, of processes whose environment has this variable.

    One of those that a program may read at its start: others are not among those that an instance is started with.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if marker in process.environ():
                found.append(process.pid)
    return found


async def test_environment_holds_nothing_of_the_server(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADRAT_SECRET", "s")
    instance = await bench.start(MODEL, environment={"DECLARED": "1", "LANG": "en_GB.UTF-8"})
    names = set(await ask(instance, "sorted(os.environ)"))
    expected = {"DECLARED", "HOME", "LANG", "PATH", "TMPDIR", "USER", "VIRTUAL_ENV", INSTANCE_VARIABLE}
    assert names - {"LC_CTYPE", "PWD"} == expected
    assert await ask(instance, "os.environ['LANG']") == "en_GB.UTF-8"


@on_linux
async def test_descriptors_of_the_server_are_not_inherited(bench: Workbench, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        instance = await bench.start(MODEL)
        where = "'/proc/self/fd/' + n"
        links = f"[os.readlink({where}) for n in os.listdir('/proc/self/fd') if os.path.lexists({where})]"
        seen = await ask(instance, links)
        child = "subprocess.run(['ls', '/proc/self/fd'], capture_output=True, text=True).stdout.split()"
        inherited = await ask(instance, child)
    assert str(tmp_path / "secret") not in seen
    assert len([link for link in seen if link.startswith("socket:")]) == 1
    assert sorted(inherited) == ["0", "1", "2", "3"]  # the fourth is what ls reads


async def test_scratch_directory_is_private_and_goes_with_the_runner(
    make_local_runner: Callable[[], Runner],
) -> None:
    bench = Workbench(make_local_runner())
    instance = await bench.start(MODEL)
    cwd, home, temporary = await ask(instance, "[os.getcwd(), os.environ['HOME'], tempfile.gettempdir()]")
    assert cwd == home
    assert temporary.startswith(cwd)
    assert (await ask(instance, "[open('x', 'w').close(), stat.S_IMODE(os.stat('.').st_mode)]"))[1] == 0o700
    assert Path(cwd).is_dir()
    await bench.runner.close()
    assert not Path(cwd).exists()


@as_root
async def test_models_run_as_different_users_who_can_change_nothing(bench: Workbench) -> None:
    first, second = await bench.start(MODEL), await bench.start(MODEL)
    uids = {await ask(instance, "os.getuid()") for instance in (first, second)}
    assert 0 not in uids
    assert len(uids) == 2
    other = await ask(first, "os.getcwd()")
    assert await ask(second, f"os.access({other!r}, os.R_OK)") is False
    assert await ask(second, f"[{WRITE}(p) for p in (self.base, self.base + '/model.py', sys.prefix)]") == [False] * 3
    assert await ask(second, "[os.getgroups(), os.getgid() == os.getuid()]") == [[], True]


@as_root
async def test_directory_closed_to_others_runs_as_server_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    runner = LocalRunner(tmp_path / "closed" / "runner")
    bench = Workbench(runner)
    instance = await bench.start(MODEL)
    assert await ask(instance, "os.getuid()") == 0
    assert any("server's own user" in text for text in bench.texts(system=True))
    await runner.close()


async def test_timeout_kills_grandchildren(bench: Workbench) -> None:
    instance = await bench.start(MODEL, environment={"LC_MARK_TIMEOUT": "1"})
    with pytest.raises(RequestTimeoutError):
        await ask(instance, "[subprocess.Popen(['sleep', '600']), time.sleep(600)]", timeout_s=0.7)
    await instance.wait_closed()
    assert await asyncio.to_thread(ends, *of_instances("LC_MARK_TIMEOUT")) == []


async def test_stop_kills_grandchildren(bench: Workbench) -> None:
    instance = await bench.start(MODEL, environment={"LC_MARK_STOP": "1"})
    await ask(instance, "subprocess.Popen(['sleep', '600']).poll()")
    async with asyncio.timeout(20):
        while len(started := of_instances("LC_MARK_STOP")) < 2:  # between fork and exec the second has no environment
            await asyncio.sleep(0.02)
    await instance.stop()
    assert await asyncio.to_thread(ends, *started) == []


SERVER = """
import asyncio, json, sys
from pathlib import Path
from quadrat.runner.base import InstanceSpec, Revision
from quadrat.runner.local import LocalRunner

async def fetch(target):
    target.write_bytes(Path(sys.argv[2]).read_bytes())

async def main():
    runner = LocalRunner(Path(sys.argv[1]))
    prepared = await runner.prepare(Revision("killed", sys.argv[3], fetch), print)
    instance = await runner.start(InstanceSpec(prepared, {}, {"LC_MARK_KILLED": "1"}), print)
    await instance.send("r", json.dumps("subprocess.Popen(['sleep', '600']).poll()").encode(), 20)
    print("READY", flush=True)
    # Code that never gives the interpreter back.
    await instance.send("r", json.dumps("__import__('re').match('(a+)+$', 'a' * 60 + 'b')").encode(), 600)

asyncio.run(main())
"""


async def test_killed_server_takes_its_instances_along_and_the_next_clears_up(open_dir: Path) -> None:
    archive = open_dir / "killed.zip"
    archive.write_bytes(pack({"model_package/model.py": MODEL}))
    root = open_dir / "killed"
    language = f"python3.{sys.version_info[1]}"
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(root), str(archive), language, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    async with asyncio.timeout(60):
        while (line := await server.stdout.readline()) != b"READY\n":
            assert line
    async with asyncio.timeout(20):
        while len(started := of_instances("LC_MARK_KILLED")) < 2:  # between fork and exec the second has no environment
            await asyncio.sleep(0.02)
    server.send_signal(signal.SIGKILL)
    await server.wait()
    assert await asyncio.to_thread(ends, *started) == []

    (left_over,) = (root / "run").iterdir()
    runner = LocalRunner(root)
    await runner.prepare(revision_of(archive.read_bytes(), language), [].append)
    assert not left_over.exists()
    await runner.close()
    assert list((root / "run").iterdir()) == []


async def test_every_interpreter_found_runs_a_model(open_dir: Path) -> None:
    account = own_account()
    interpreters = Interpreters(account)
    found = {await interpreters.find(f"python3.{minor}") for minor in range(8, 15)}
    bench = Workbench(LocalRunner(open_dir / "own", instance_user=_own_name()))
    for interpreter in found:
        assert interpreter is not None
        instance = await bench.start(MODEL, language=interpreter.language)
        assert await ask(instance, "list(sys.version_info[:3])") == list(interpreter.version)
    assert bench.texts(system=True) == []
    await bench.runner.close()


async def test_python_38_runs_a_model_of_its_time(open_dir: Path) -> None:
    found = await Interpreters(own_account()).find("python3.8")
    if found is None or found.language != "python3.8":
        pytest.skip("python3.8 is not installed")
    bench = Workbench(LocalRunner(open_dir / "own", instance_user=_own_name()))
    files = {
        "model_package/model.py": "import six\n" + MODEL,
        "model_package/requirements.txt": "six\n",
    }
    instance = await bench.start(files, language="python3.8")
    assert await ask(instance, "[sys.version_info[1], six.PY3]") == [8, True]
    await bench.runner.close()


@pytest.fixture
def sandbox_program() -> str:
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("bubblewrap is not installed")
    return program


async def test_sandbox_hides_the_data_directory_and_other_processes(sandbox_program: str, open_dir: Path) -> None:
    data = open_dir / "data"
    data.mkdir()
    (data / "secret.txt").write_text("s")
    runner = LocalRunner(data / "runner", hidden_dir=data)
    bench = Workbench(runner)
    first, second = await bench.start(MODEL), await bench.start(MODEL)
    assert await ask(first, "os.getpid()") < 10
    assert await ask(first, f"os.listdir({str(data)!r})") == ["runner"]
    assert await ask(first, f"len(os.listdir({str(data / 'runner' / 'run')!r}))") == 1
    assert await ask(first, "os.mkdir('/tmp/here')") is None
    assert await ask(first, "os.path.isdir('/tmp/here')") is True
    assert await ask(second, "os.path.isdir('/tmp/here')") is False
    assert await ask(first, f"[{WRITE}(p) for p in ('/usr', self.base, sys.prefix, '.')]") == [
        False,
        False,
        False,
        True,
    ]
    await runner.close()


async def test_start_after_close_of_its_caller_leaves_no_process(bench: Workbench) -> None:
    prepared = await bench.prepare({"model_package/model.py": "import time; time.sleep(600)"})
    spec = InstanceSpec(prepared, {}, {"LC_MARK_GIVEN_UP": "1"})
    starting = asyncio.create_task(bench.runner.start(spec, bench.lines.append))
    async with asyncio.timeout(20):
        while not of_instances("LC_MARK_GIVEN_UP"):
            await asyncio.sleep(0.02)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert await asyncio.to_thread(ends, *of_instances("LC_MARK_GIVEN_UP")) == []


async def test_start_given_up_while_its_line_is_laid_leaves_no_process(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def lay(_protocol: object, *, sock: socket.socket) -> None:
        with sock:
            begun.set()
            await asyncio.Event().wait()

    prepared = await bench.prepare({"model_package/model.py": MODEL})
    spec = InstanceSpec(prepared, {}, {"LC_MARK_LINE": "1"})
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.get_running_loop(), "create_unix_connection", lay)
        starting = asyncio.create_task(bench.runner.start(spec, bench.lines.append))
        async with asyncio.timeout(20):
            await begun.wait()
            while not (started := of_instances("LC_MARK_LINE")):
                await asyncio.sleep(0.02)
        for pid in started:  # it would go by itself when its line is closed
            os.kill(pid, signal.SIGSTOP)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert await asyncio.to_thread(ends, *started) == []


def _own_name() -> str:
    return psutil.Process().username()


FLED = "subprocess.Popen(['sleep', '600'], start_new_session=True).pid"


async def test_process_that_flees_into_a_session_of_its_own_ends_with_its_instance() -> None:
    folder = Path(tempfile.mkdtemp(prefix="quadrat-flee-"))
    folder.chmod(0o755)
    runner = LocalRunner(folder / "runner")
    bench = Workbench(runner)
    mark = f"LC_MARK_{secrets.token_hex(8)}"  # what another run of this test has left must not count
    instance = await bench.start(MODEL, environment={mark: "1"})
    await ask(instance, FLED)
    async with asyncio.timeout(20):
        while len(started := of_instances(mark)) < 2:  # between fork and exec the second has no environment
            await asyncio.sleep(0.02)
    await instance.stop()
    await runner.close()
    assert await asyncio.to_thread(ends, *started) == []
    shutil.rmtree(folder)


@on_linux
async def test_file_has_a_size_that_it_cannot_pass(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_DISK_LIMIT_BYTES", 10 * 1024**2)
    instance = await bench.start(MODEL)
    assert await ask(instance, "open('fits', 'wb').write(b'x' * 9_000_000)") == 9_000_000
    reply = await instance.send("r", json.dumps("open('fills', 'wb').write(b'x' * 11_000_000)").encode(), 20)
    assert not reply.success
    assert "File too large" in (reply.error_message or "")


@as_root
async def test_server_database_and_other_versions_are_out_of_reach(bench: Workbench, tmp_path: Path) -> None:
    secret = tmp_path / "secret.key"
    secret.write_text("s")
    first, second = await bench.start(MODEL), await bench.start(MODEL)
    assert isinstance(first, LocalInstance)
    server = f"'/proc/{os.getpid()}/environ'"
    # In a sandbox the server's processes are not even there.
    for path in (server, f"'/proc/{os.getpid()}/mem'", f"{str(secret)!r}"):
        reply = await second.send("r", json.dumps(f"open({path}, 'rb').read()").encode(), 20)
        assert re.search("Permission denied|No such file", reply.error_message or "")
    # Neither the server nor another model can be signalled, and the folders of packages cannot be listed.
    for target in (os.getpid(), first.pid):
        reply = await second.send("r", json.dumps(f"os.kill({target}, 0)").encode(), 20)
        assert re.search("not permitted|No such process", reply.error_message or "")
    reply = await second.send("r", json.dumps("os.listdir(os.path.dirname(os.path.dirname(self.base)))").encode(), 20)
    # A sandbox shows a directory that holds nothing but its own.
    assert "Permission denied" in (reply.error_message or "") or len(json.loads(reply.result)) == 1


async def test_environments_and_packages_that_nobody_uses_are_collected(open_dir: Path) -> None:
    runner = LocalRunner(open_dir / "collected")
    bench = Workbench(runner)
    kept = await bench.prepare({"model_package/model.py": MODEL})
    other = await bench.prepare({"model_package/model.py": MODEL, "model_package/requirements.txt": "# none\nsix\n"})
    running = await bench.start({"model_package/model.py": MODEL + "\n#running\n"})
    wanted = [Revision(kept.revision_key, f"python3.{sys.version_info[1]}", no_fetch)]
    assert await runner.collect(wanted, 3600) == 0
    assert await runner.collect(wanted, -1) == 2
    assert kept.python.exists()
    assert kept.package_dir.exists()
    assert not other.package_dir.exists()
    assert not other.python.exists()
    assert await ask(running, "os.path.exists(self.base)") is True
    again = await bench.prepare({"model_package/model.py": MODEL, "model_package/requirements.txt": "six\n"})
    assert again.python.exists()
    await runner.close()


async def no_fetch(_target: Path) -> None:
    raise AssertionError("only named")
