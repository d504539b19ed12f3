"""Packages that attack the server and each other: the server lives on, and nothing of them is left."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.unit.runner.conftest import MIB, Workbench

from quadrat.runner import local
from quadrat.runner.base import Instance, InstanceLostError, LentFile, Reply
from quadrat.runner.instance import LocalInstance
from quadrat.runner.local import LocalRunner
from quadrat.runner.shim import landlock_version

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run models as other users")
with_landlock = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")

MODEL = """
import ctypes, json, os, signal, socket, struct, subprocess, sys, tempfile, time

def fill(folder, mib, pause_s=0.0, each_mib=4):
    for number in range(mib // each_mib):
        with open(os.path.join(folder, f"filler-{os.getuid()}-{number}"), "wb") as out:
            out.write(os.urandom(1024) * 1024 * each_mib)
        time.sleep(pause_s)
    time.sleep(120)

def fill_without_names(mib):
    kept = []
    for _ in range(mib // 4):
        kept.append(tempfile.TemporaryFile())
        kept[-1].write(b"x" * 4 * 1024 * 1024)
        kept[-1].flush()
    time.sleep(120)

def fill_memory_files(mib):
    kept = os.memfd_create("hidden")
    for _ in range(mib):
        os.write(kept, b"x" * 1024 * 1024)
    time.sleep(120)

def bomb(flee):
    while True:
        try:
            if os.fork() == 0 and flee:
                os.setsid()
        except OSError:
            time.sleep(0.01)

def flee(code):
    env = {} if code is None else {"WHAT": code}
    do = "import os, time; kept = eval(os.environ['WHAT']) if 'WHAT' in os.environ else 0; time.sleep(600)"
    return subprocess.Popen([sys.executable, "-c", do], start_new_session=True, env=env).pid

def own_line():
    for name in os.listdir("/proc/self/fd"):
        with __import__("contextlib").suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                return int(name)

def forge(length, number, kind, payload=b"", times=1):
    for _ in range(times):
        os.write(own_line(), struct.pack(">IQB", length, number, kind) + payload)
    time.sleep(30)

class Model:
    def __init__(self, base_directory):
        self.base = base_directory
    def request(self, data):
        return eval(data, {**globals(), "self": self})
"""
SIGNAL = "os.kill({pid}, 0)"


@pytest.fixture
def small_disk_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_DISK_LIMIT_BYTES", 40 * MIB)


async def send(instance: Instance, do: str, timeout_s: float = 30.0) -> Reply:
    return await instance.send("r", json.dumps(do).encode(), timeout_s)


async def ask(instance: Instance, do: str) -> Any:
    reply = await send(instance, do)
    assert reply.success, reply.error_message
    return json.loads(reply.result)


async def refused(instance: Instance, do: str, *words: str) -> None:
    reply = await send(instance, do)
    assert not reply.success, reply.result
    assert any(word in (reply.error_message or "") for word in words), reply.error_message


async def lost(instance: Instance, do: str, words: str, timeout_s: float = 120.0) -> None:
    with pytest.raises(InstanceLostError, match=words):
        await send(instance, do, timeout_s)
    await instance.wait_closed()


async def how_it_ends(instance: Instance, do: str) -> str:
    try:
        return (await send(instance, do)).error_message or ""
    except InstanceLostError as error:
        return error.message


def processes_of(uid: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == uid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


async def none_left(uid: int) -> None:
    async with asyncio.timeout(20):
        while processes_of(uid):
            await asyncio.sleep(0.05)


def files_of(uid: int) -> list[Path]:
    folders = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
    return [path for folder in folders for path in folder.glob(f"filler-{uid}-*")]


async def no_files_left(uid: int) -> None:
    async with asyncio.timeout(20):
        while files_of(uid):
            await asyncio.sleep(0.05)


# Processes.


@as_root
@pytest.mark.parametrize("flee", [False, True])
async def test_fork_bomb_is_bounded_and_goes_with_its_instance(bench: Workbench, flee: bool) -> None:
    bomb, other = await bench.start(MODEL), await bench.start(MODEL)
    uid = await ask(bomb, "os.getuid()")
    bombing = asyncio.create_task(send(bomb, f"bomb({flee})", timeout_s=60))
    began, slowest = time.monotonic(), 0.0
    while not bombing.done():
        asked = time.monotonic()
        assert await ask(other, "40 + 2") == 42
        slowest = max(slowest, time.monotonic() - asked)
        assert len(processes_of(uid)) <= local._THREAD_LIMIT + 2  # where there is a sandbox, it is one of them
        await asyncio.sleep(0.05)
    with pytest.raises(InstanceLostError, match="ran more than 128 processes"):
        await bombing
    assert slowest < 30
    assert time.monotonic() - began < 60
    await none_left(uid)
    assert await ask(other, "40 + 2") == 42


@as_root
async def test_process_that_hides_its_origin_goes_with_its_instance(bench: Workbench) -> None:
    instance = await bench.start(MODEL)
    uid = (await ask(instance, "[os.getuid(), flee(None)]"))[0]
    assert len(processes_of(uid)) > 1
    await instance.stop()
    await none_left(uid)


@as_root
async def test_users_of_running_instances_differ(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quadrat.runner.accounts.LAST_INSTANCE_UID", 48_004)
    instances = [await bench.start(MODEL) for _ in range(4)]
    users = [await ask(instance, "os.getuid()") for instance in instances]
    assert sorted(users) == [48_001, 48_002, 48_003, 48_004]
    await instances[0].stop()
    await none_left(users[0])


# Memory.


async def test_memory_of_a_process_in_another_session_counts(bench: Workbench) -> None:
    instance = await bench.start(MODEL, memory_limit_bytes=256 * MIB)
    hog = "import os, time; kept = bytearray(400 * 1024**2); time.sleep(600)"
    do = f"[subprocess.Popen([sys.executable, '-c', {hog!r}], start_new_session=True), time.sleep(30)]"
    await lost(instance, do, "used more than 256 MiB of memory")


async def test_files_in_memory_that_no_process_has_mapped_count(bench: Workbench) -> None:
    instance = await bench.start(MODEL, memory_limit_bytes=256 * MIB)
    await lost(instance, "fill_memory_files(400)", "used more than 256 MiB of memory")


@as_root
async def test_shared_memory_with_a_name_counts_and_goes_with_its_instance(bench: Workbench) -> None:
    instance = await bench.start(MODEL, memory_limit_bytes=256 * MIB)
    uid = await ask(instance, "os.getuid()")
    await lost(instance, "fill('/dev/shm', 400)", "used more than 256 MiB of memory")
    await no_files_left(uid)


async def test_array_that_several_processes_share_counts_once(bench: Workbench) -> None:
    instance = await bench.start(MODEL, memory_limit_bytes=300 * MIB)
    source = (
        "import mmap, os, time\n"
        "shared = mmap.mmap(-1, 150 * 1024**2)\n"
        "[shared.write(b'x' * 2**20) for _ in range(150)]\n"
        "[os.fork() for _ in range(2)]\n"
        "shared.seek(0)\n"
        "total = sum(len(shared.read(2**20)) for _ in range(150))\n"
        "time.sleep(3)\n"
    )
    assert await ask(instance, f"subprocess.run([sys.executable, '-c', {source!r}]).returncode") == 0


# Disk.


@pytest.mark.usefixtures("small_disk_limit")
@pytest.mark.parametrize("do", ["fill('.', 200)", "fill(os.environ['TMPDIR'], 200)", "fill_without_names(200)"])
async def test_disk_is_not_filled_from_the_own_directory(bench: Workbench, do: str) -> None:
    instance = await bench.start(MODEL)
    scratch = Path(await ask(instance, "os.getcwd()"))
    await lost(instance, do, "wrote more than 40 MiB to the disk")
    async with asyncio.timeout(20):
        while scratch.exists():
            await asyncio.sleep(0.05)


@as_root
@pytest.mark.usefixtures("small_disk_limit")
@pytest.mark.parametrize(("folder", "data_in"), [("/tmp", "/var/tmp"), ("/var/tmp", "/tmp")])
async def test_disk_is_not_filled_from_shared_directories(folder: str, data_in: str) -> None:
    data = Path(tempfile.mkdtemp(prefix="quadrat-walls-", dir=data_in))
    data.chmod(0o755)
    runner = LocalRunner(data / "runner")
    instance = await Workbench(runner).start(MODEL)
    uid = await ask(instance, "os.getuid()")
    said = await how_it_ends(instance, f"fill({folder!r}, 200)")
    assert "wrote more than 40 MiB to the disk" in said or "Read-only file system" in said  # in a sandbox
    await no_files_left(uid)
    await runner.close()
    shutil.rmtree(data)


@as_root
async def test_whoever_nearly_fills_the_disk_is_ended_before_others_miss_it(tmp_path: Path) -> None:
    with small_disk(200) as disk:
        runner = LocalRunner(disk / "runner", uv_cache_dir=Path(tempfile.gettempdir()) / "quadrat-walls-cache")
        bench = Workbench(runner)
        modest, greedy = await bench.start(MODEL), await bench.start(MODEL)
        await ask(modest, "open('modest', 'wb').write(b'x' * 5_000_000)")
        await ask(greedy, "open('greedy', 'wb').write(b'x' * 130 * 1024**2)")
        await lost(greedy, "fill('.', 2000, 0.25, 1)", "disk is nearly full, and the model had written")
        async with asyncio.timeout(20):
            while shutil.disk_usage(disk).free < 120 * MIB:
                await asyncio.sleep(0.05)
        assert await ask(modest, "os.path.getsize('modest')") == 5_000_000
        await runner.close()


@contextlib.contextmanager
def small_disk(mib: int) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="quadrat-small-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


# The line to the server.


@as_root
async def test_descriptors_of_the_server_cannot_be_written_to(bench: Workbench, tmp_path: Path) -> None:
    instance = await bench.start(MODEL)
    with (tmp_path / "kept").open("w") as kept:
        path = f"/proc/{os.getpid()}/fd/{kept.fileno()}"
        await refused(instance, f"open({path!r}, 'w').write('x')", "Permission denied", "No such file")
        await refused(instance, f"os.listdir('/proc/{os.getpid()}/fd')", "Permission denied", "No such file")
    # Whatever number it tries, none leads to anything but its own line and output.
    tried = (
        "[n for n in range(3, 4096) if n != own_line() and __import__('select').poll().register(n) is None "
        "and os.path.exists(f'/proc/self/fd/{n}') "
        "and os.readlink(f'/proc/self/fd/{n}').split(':')[0] not in ('pipe', 'anon_inode') "
        "and not os.readlink(f'/proc/self/fd/{n}').startswith('/proc/')]"
    )
    assert await ask(instance, tried) == []
    assert (tmp_path / "kept").read_text() == ""


@pytest.mark.parametrize(
    "do",
    [
        "forge(2**32 - 1, 1, 3)",  # an answer that never ends
        "forge(0, 1, 3)",  # an answer without a duration
        "forge(0, 1, 5)",  # its own request cancelled
        "forge(0, 1, 77)",  # no kind of frame at all
        "forge(4, 1, 6, b'none')",  # files that are none
    ],
)
async def test_model_that_writes_into_its_line_is_ended_at_once(bench: Workbench, do: str) -> None:
    instance = await bench.start(MODEL)
    began = time.monotonic()
    await lost(instance, do, "wrote into the server's own line|cannot be read")
    assert time.monotonic() - began < 10


async def test_model_that_writes_frames_nobody_waits_for_changes_nothing(bench: Workbench) -> None:
    instance = await bench.start(MODEL)
    do = "[os.write(own_line(), struct.pack('>IQB', 8, 10**6 + n, 3) + bytes(8)) for n in range(1000)] and 'done'"
    assert await ask(instance, do) == "done"
    assert await ask(instance, "1 + 1") == 2


async def test_process_is_woken_once_for_each_request_and_not_again_when_its_answer_is_read(bench: Workbench) -> None:
    instance = await bench.start(MODEL)
    assert isinstance(instance, LocalInstance)
    process = psutil.Process(instance.pid)
    before = process.num_ctx_switches().voluntary
    for _ in range(200):
        await ask(instance, "1")
        while process.status() != psutil.STATUS_SLEEPING:
            pass
    assert process.num_ctx_switches().voluntary - before < 300


async def test_answer_of_a_process_that_ends_at_once_is_not_lost(bench: Workbench) -> None:
    instance = await bench.start(MODEL)
    assert isinstance(instance, LocalInstance)
    process = psutil.Process(instance.pid)
    do = "[__import__('threading').Timer(0.2, os._exit, [0]).start(), 'said']"
    sending = asyncio.create_task(ask(instance, do))
    for _ in range(3):  # until it has been sent
        await asyncio.sleep(0)
    # The loop stands still until both the answer and the end of the process are there.
    while process.status() != psutil.STATUS_ZOMBIE:
        pass
    assert await sending == [None, "said"]


async def test_result_beyond_the_limit_fails_the_request_only(bench: Workbench) -> None:
    instance = await bench.start(MODEL, memory_limit_bytes=4096 * MIB)
    await ask(instance, "__import__('sys').modules['__main__'].__dict__.update(FRAME_LIMIT_BYTES=1000)")
    await refused(instance, "'x' * 2000", "give a file instead")
    assert await ask(instance, "'x' * 500") == "x" * 500


# Models that run as the server's own user: only the kernel's walls are between them and it.


@pytest.fixture
async def house() -> AsyncIterator[tuple[Workbench, Path]]:
    """A runner inside a data directory with something secret, all of one user."""
    data = Path(tempfile.mkdtemp(prefix="quadrat-walls-", dir="/var/tmp")) / "data"
    data.mkdir()
    (data / "secret.key").write_text("s")
    runner = LocalRunner(data / "runner", hidden_dir=data, instance_user=psutil.Process().username())
    yield Workbench(runner), data
    await runner.close()
    shutil.rmtree(data.parent)


NOT_THERE = ("Permission denied", "No such file", "No such process", "not permitted", "Read-only file system")


@with_landlock
async def test_own_user_cannot_read_the_servers_environment_or_memory(house: tuple[Workbench, Path]) -> None:
    bench, _ = house
    instance = await bench.start(MODEL)
    assert await ask(instance, "os.getuid()") == os.getuid()
    server = os.getpid()
    for path in (f"/proc/{server}/environ", f"/proc/{server}/mem", f"/proc/{server}/maps"):
        await refused(instance, f"open({path!r}, 'rb').read(1)", *NOT_THERE)
    await refused(instance, f"os.readlink('/proc/{server}/fd/1')", *NOT_THERE)
    await refused(instance, f"open('/proc/{server}/fd/1', 'w')", *NOT_THERE)
    assert await ask(instance, "len(open('/proc/self/environ').read()) > 0") is True


@with_landlock
async def test_own_user_sees_nothing_of_the_data_directory_but_its_own(house: tuple[Workbench, Path]) -> None:
    bench, data = house
    first, second = await bench.start(MODEL), await bench.start(MODEL + "\n# another package\n")
    await ask(first, "open('mine.txt', 'w').write('x')")
    mine = await ask(first, "[os.path.join(self.base, 'model.py'), os.path.abspath('mine.txt')]")
    for path in (str(data / "secret.key"), *mine):
        await refused(second, f"open({path!r}).read()", *NOT_THERE)
        await refused(second, f"open({path!r}, 'a')", *NOT_THERE)
    for folder in (data, data / "runner", data / "runner" / "run", data / "runner" / "revisions"):
        await refused(second, f"os.listdir({str(folder)!r})", *NOT_THERE)
    await refused(second, f"open({str(data / 'new')!r}, 'w')", *NOT_THERE)
    await refused(second, "open(os.path.join(self.base, 'model.py'), 'a')", *NOT_THERE)
    await refused(second, "open(os.path.join(sys.prefix, 'new'), 'w')", *NOT_THERE)
    assert await ask(second, "len(open(os.path.join(self.base, 'model.py')).read()) > 0") is True
    assert await ask(second, "os.listdir('.') is not None and open('new', 'w').write('x')") == 1
    # Not by way of children, links or renames either.
    await refused(second, f"[os.symlink({mine[1]!r}, 'link'), open('link').read()]", *NOT_THERE)
    await refused(second, f"os.link({mine[1]!r}, 'hard')", *NOT_THERE, "cross-device", "Invalid")
    read = await ask(second, f"subprocess.run(['cat', {mine[1]!r}], capture_output=True, text=True).stderr")
    assert any(words in read for words in NOT_THERE)


@with_landlock
@pytest.mark.skipif(landlock_version() < 6, reason="signals need a newer Landlock")
async def test_own_user_cannot_signal_the_server_or_another_model(house: tuple[Workbench, Path]) -> None:
    bench, _ = house
    first, second = await bench.start(MODEL), await bench.start(MODEL)
    assert isinstance(first, LocalInstance)
    for pid in (os.getpid(), first.pid):
        await refused(second, f"os.kill({pid}, 0)", "not permitted", "No such process")
    assert await ask(second, "os.kill(os.getpid(), 0)") is None


@with_landlock
async def test_own_user_finds_lent_files_by_name_only(house: tuple[Workbench, Path]) -> None:
    bench, _ = house
    instance = await bench.start(MODEL)

    async def fetch(target: Path) -> None:
        target.write_text("lent")

    async with bench.runner.lend([LentFile("a.txt", fetch)]) as (path,):
        assert await ask(instance, f"open({path!r}).read()") == "lent"
        folder = Path(path).parents[2]
        await refused(instance, f"os.listdir({str(folder)!r})", *NOT_THERE)


@with_landlock
async def test_own_user_does_what_models_do(house: tuple[Workbench, Path]) -> None:
    bench, _ = house
    files = {"model_package/model.py": MODEL, "model_package/requirements.txt": "six\n"}
    instance = await bench.start(files)
    assert await ask(instance, "__import__('six').PY3") is True
    assert await ask(instance, "tempfile.NamedTemporaryFile().name") is not None
    assert (
        await ask(instance, "[os.mkdir('a'), os.mkdir('b'), open('a/x', 'w').close(), os.rename('a/x', 'b/x')][-1]")
        is None
    )
    assert await ask(instance, "subprocess.run(['ls', '/usr'], stdout=-3).returncode") == 0
    assert await ask(instance, "__import__('multiprocessing').Lock().acquire()") is True
    assert await ask(instance, "open('/dev/null', 'w').write('x')") == 1
    assert await ask(instance, "socket.socket().connect_ex(('127.0.0.1', 9)) > 0") is True
    name = "__import__('threading').Thread(target=print, name='named')"
    assert await ask(instance, f"(lambda thread: [thread.start(), thread.join()])({name})") == [None, None]
