"""Instances as child processes of this machine."""

import asyncio
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quadrat.runner.accounts import Account, Accounts
from quadrat.runner.base import BuildError, BuildStage, InstanceSpec, LentFile, LogLine, LogSink, Prepared, Revision
from quadrat.runner.commands import end_process
from quadrat.runner.entrance import read_at_start, script_of
from quadrat.runner.environments import environment_key, read_requirements
from quadrat.runner.house import RUN, House, Plan, open_house
from quadrat.runner.instance import LocalInstance, Outbox
from quadrat.runner.leftovers import clear_away
from quadrat.runner.lifeline import Lifeline
from quadrat.runner.output import TOKEN_BYTES, OutputReader
from quadrat.runner.package import find_package_dir, unpack
from quadrat.runner.session import clear_left_over
from quadrat.runner.shim import LATER
from quadrat.runner.usage import INSTANCE_VARIABLE, Members
from quadrat.runner.view import TEMPORARY, View, make_view
from quadrat.runner.watch import Allowance, Watch, Watched, data_limit_bytes, memory_sentence

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_CONCURRENT_BUILDS = 2
_PROCESS_LIMIT = 128
# What the kernel holds against processes and threads together, many more where libraries start one per core.
_THREAD_LIMIT = max(512, 8 * (os.cpu_count() or 1))
_DISK_LIMIT_BYTES = 8 * 1024**3
_PATH = "/usr/local/bin:/usr/bin:/bin"


_Walls = Mapping[str, View | int]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where and as whom one instance runs."""

    identifier: str
    account: Account
    scratch: Path

    @property
    def temporary(self) -> Path:
        return self.scratch / "tmp"

    @property
    def outbox(self) -> Path:
        return self.scratch / ".outbox"

    @property
    def own_uid(self) -> int | None:
        """The user that nobody else runs as, if there is one."""
        return self.account.uid if self.account.of_one_instance else None


@dataclass(frozen=True, slots=True)
class _Ends:
    """The descriptors that one instance inherits."""

    channel: socket.socket
    output: int
    lifeline: Lifeline


class LocalRunner:
    """Makes environments and instances on this machine. Nothing happens before the first `prepare` or `start`.

    Several processes may use the same `root` at the same time.

    Args:
        root: Directory for revisions, environments and scratch space; made when missing.
        uv_cache_dir: The installer's cache; inside of `root` when not given.
        instance_user: Name of the user that runs users' code. When not given: unnamed users, one per instance, when the
            server is root, else the server's own.
        hidden_dir: Instances see nothing of this directory but what they need: the server's data directory.
        sandboxed: Give instances a file system of their own with bubblewrap, where it works.
    """

    def __init__(
        self,
        root: Path,
        *,
        uv_cache_dir: Path | None = None,
        instance_user: str | None = None,
        hidden_dir: Path | None = None,
        sandboxed: bool = True,
    ) -> None:
        self._root = root.absolute()
        self._uv_cache_dir = uv_cache_dir
        self._instance_user = instance_user
        self._sandboxed = sandboxed
        self._hidden = (self._root,) if hidden_dir is None else (hidden_dir.absolute(), self._root)
        self._house: House | None = None
        self._opening = asyncio.Lock()
        self._unpacking: dict[str, asyncio.Lock] = {}
        self._builds = asyncio.Semaphore(_CONCURRENT_BUILDS)
        self._watch = Watch(self._root)
        self._instances: set[LocalInstance] = set()
        # Revision and environment of each instance that runs.
        self._in_use: dict[str, tuple[str, str]] = {}
        self._clearing: set[asyncio.Task[None]] = set()
        # One thread that lives as long as the runner: a sandbox ends with the thread that started it.
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="runner-spawn")

    async def open(self) -> None:
        """Set up what everything here needs; see `quadrat.runner.base.Runner.open`."""
        await self._open()

    async def clear_left_over(self) -> None:
        """End what the instances of processes that were killed have left, also where it fled from its group."""
        await asyncio.to_thread(clear_left_over, self._root / RUN)

    async def prepare(self, revision: Revision, log: LogSink) -> Prepared:
        """Unpack the package and build its environment; see `quadrat.runner.base.Runner.prepare`."""
        if _KEY.fullmatch(revision.key) is None:
            raise ValueError("a revision's key must be fit for a file name, such as a SHA-256 in hex")
        house = await self._open()
        package_dir = await self._unpack(house, revision)
        interpreter = await house.interpreters.find(revision.language)
        if interpreter is None:
            raise BuildError(BuildStage.REQUIREMENTS, "No Python interpreter can be run on the server.")
        if house.accounts.note:
            _say(log, house.accounts.note)
        if interpreter.language != revision.language:
            _say(log, f"{revision.language} is not installed on the server; {interpreter.language} is used.")
        wanted = await asyncio.to_thread(read_requirements, package_dir)
        async with self._builds:
            environment = await house.environments.provide(
                interpreter, wanted, revision.key, lambda line: _say(log, line)
            )
        return Prepared(
            revision_key=revision.key,
            environment_key=environment.key,
            python=environment.python,
            entrance=await house.entrance(interpreter),
            package_dir=package_dir,
            language=interpreter.language,
            requirements=wanted.text,
        )

    async def start(self, spec: InstanceSpec, log: LogSink) -> LocalInstance:
        """Start a process and load the model; see `quadrat.runner.base.Runner.start`."""
        house = await self._open()
        identifier = f"{house.session.folder.name}-{secrets.token_hex(4)}"
        account = await asyncio.to_thread(house.accounts.take_one)
        place = _Place(identifier, account, house.session.folder / identifier)
        token = secrets.token_bytes(TOKEN_BYTES)
        try:
            await asyncio.to_thread(house.session.new_folder, identifier, account)
            await asyncio.to_thread(_furnish, place)
            walls = await asyncio.to_thread(self._walls, house, spec, place)
            instance, line = await self._spawn(house, spec, place, walls, token, log)
        except BaseException:
            house.accounts.give_back(account)
            await asyncio.to_thread(shutil.rmtree, place.scratch, ignore_errors=True)
            raise
        self._in_use[instance.id] = (spec.prepared.revision_key, spec.prepared.environment_key)
        members = Members(instance.pid, place.own_uid, identifier)
        allowance = Allowance(spec.memory_limit_bytes, _DISK_LIMIT_BYTES, _PROCESS_LIMIT)
        self._watch.add(Watched(members, place.scratch, allowance, instance.kill))
        start = {
            **walls,
            "package_dir": str(spec.prepared.package_dir),
            "environment": str(_environment(spec)),
            "variables": _declared(spec),
            "context": {"environment_variables": dict(spec.environment), **spec.context},
            "token": token.hex(),
            "memory_message": memory_sentence(spec.memory_limit_bytes),
            "file_outputs": spec.file_outputs,
            "outbox": str(place.outbox),
        }
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: instance, sock=line)
            await instance.load(msgspec.json.encode(start), spec.start_timeout_s)
        except asyncio.CancelledError:
            instance.kill("The start was given up.")
            raise
        return instance

    @asynccontextmanager
    async def lend(self, files: Sequence[LentFile]) -> AsyncIterator[Sequence[str]]:
        """Put files where instances can read them; see `quadrat.runner.base.Runner.lend`."""
        house = await self._open()
        # Nobody can list the directory above, so who does not know the name has no way in.
        folder = house.lent / secrets.token_hex(16)
        await asyncio.to_thread(_make_lent_folder, folder)
        try:
            paths = []
            for number, file in enumerate(files):
                path = folder / str(number) / file.name
                await asyncio.to_thread(_make_lent_folder, path.parent)
                await file.fetch(path)
                await asyncio.to_thread(path.chmod, 0o644)
                paths.append(str(path))
            yield paths
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def collect(self, wanted: Collection[Revision], grace_s: float) -> int:
        """Remove environments and packages that nobody uses; see `quadrat.runner.base.Runner.collect`."""
        house = await self._open()
        revisions = {revision for revision, _ in self._in_use.values()}
        environments = {environment for _, environment in self._in_use.values()}
        for revision in wanted:
            revisions.add(revision.key)
            environments |= await self._environments_of(house, revision)
        before = time.time() - grace_s
        old = await asyncio.to_thread(_old_revisions, house.revisions, revisions, before)
        for folder in old:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return len(old) + await house.environments.collect(environments, before)

    async def _environments_of(self, house: House, revision: Revision) -> set[str]:
        folder = house.revisions / revision.key
        interpreter = await house.interpreters.find(revision.language)
        if interpreter is None or not folder.is_dir():
            return set()
        try:
            requirements = await asyncio.to_thread(lambda: read_requirements(find_package_dir(folder)))
        except BuildError:
            return set()
        return {environment_key(interpreter, requirements, revision.key)}

    async def close(self) -> None:
        """Stop every instance and remove this process's scratch space."""
        await asyncio.gather(*(instance.stop() for instance in list(self._instances)))
        await asyncio.gather(*self._clearing)
        self._spawner.shutdown()
        house, self._house = self._house, None
        if house is not None:
            await asyncio.to_thread(house.close)

    async def _open(self) -> House:
        async with self._opening:
            if self._house is None:
                plan = Plan(self._root, self._uv_cache_dir, self._instance_user, self._hidden, self._sandboxed)
                self._house = await open_house(plan, self._watch)
            return self._house

    async def _unpack(self, house: House, revision: Revision) -> Path:
        target = house.revisions / revision.key
        lock = self._unpacking.setdefault(revision.key, asyncio.Lock())
        async with lock:
            if target.is_dir():
                # Tells `collect` that it has just been wanted.
                await asyncio.to_thread(os.utime, target)
                return await asyncio.to_thread(find_package_dir, target)
            work = await asyncio.to_thread(house.session.new_folder, f"unpack-{secrets.token_hex(4)}")
            try:
                archive, folder = work / "package.zip", work / "package"
                await revision.fetch(archive)
                folder.mkdir()
                return await asyncio.to_thread(unpack, archive, folder, target)
            finally:
                self._unpacking.pop(revision.key, None)
                await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _spawn(
        self, house: House, spec: InstanceSpec, place: _Place, walls: _Walls, token: bytes, log: LogSink
    ) -> tuple[LocalInstance, socket.socket]:
        """A process, and this side of the line to it, which is still to be laid."""
        near, far = socket.socketpair()
        near.setblocking(False)
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        lifeline = Lifeline()
        try:
            ends = _Ends(far, writer, lifeline)
            process = await self._spawn_process(lambda: _start_process(house, spec, place, walls, ends), lifeline)
        except BaseException as error:
            lifeline.close()
            near.close()
            os.close(reader)
            if isinstance(error, OSError | ValueError):
                raise BuildError(BuildStage.START, f"The model's process could not be started: {error}") from error
            raise
        finally:
            far.close()
            os.close(writer)
        output = OutputReader(reader, token, log)
        outbox = Outbox(place.outbox, None if place.account.own else place.account.uid)
        instance = LocalInstance(
            place.identifier, process, output, outbox, lambda ended: self._clear(ended, place, lifeline, house.accounts)
        )
        self._instances.add(instance)
        return instance, near

    async def _spawn_process(
        self, start: Callable[[], subprocess.Popen[bytes]], lifeline: Lifeline
    ) -> subprocess.Popen[bytes]:
        starting = asyncio.get_running_loop().run_in_executor(self._spawner, start)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The descriptors must stay open until the process is there; then it is ended and waited for.
            process = await starting
            lifeline.close()
            await asyncio.to_thread(end_process, process)
            raise

    def _clear(self, instance: LocalInstance, place: _Place, lifeline: Lifeline, accounts: Accounts) -> None:
        lifeline.close()
        self._instances.discard(instance)
        self._in_use.pop(instance.id, None)
        self._watch.remove(instance.pid)
        task = asyncio.create_task(self._clear_away(place, accounts))
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    async def _clear_away(self, place: _Place, accounts: Accounts) -> None:
        await asyncio.to_thread(clear_away, place.scratch, place.account)
        accounts.give_back(place.account)

    def _walls(self, house: House, spec: InstanceSpec, place: _Place) -> _Walls:
        # A sandbox has a directory for temporary files of its own, wherever the hidden ones are.
        temporary = TEMPORARY[:1] if house.sandbox is not None else ()
        return {
            "view": make_view(self._hidden, _readable(house, spec), house.lent, (place.scratch, *temporary)),
            "data_limit_bytes": data_limit_bytes(spec.memory_limit_bytes),
            "file_limit_bytes": _DISK_LIMIT_BYTES,
            "process_limit": 0 if place.own_uid is None else _THREAD_LIMIT,
        }


def _furnish(place: _Place) -> None:
    place.scratch.chmod(0o700)
    for folder in (place.temporary, place.outbox):
        folder.mkdir(mode=0o700)
        place.account.take(folder)


def _old_revisions(folder: Path, kept: Collection[str], before: float) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.name not in kept and entry.stat().st_mtime < before]


def _make_lent_folder(folder: Path) -> None:
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)


def _start_process(
    house: House, spec: InstanceSpec, place: _Place, walls: _Walls, ends: _Ends
) -> subprocess.Popen[bytes]:
    entrance = spec.prepared.entrance
    script = str(script_of(entrance, house.shim))
    numbers = [str(ends.channel.fileno()), str(ends.lifeline.descriptor)]
    argv = [str(entrance), script, *numbers]
    declared = _declared(spec)
    if any("\0" in text for pair in declared.items() for text in pair):
        raise ValueError("an environment variable has a NUL character")
    early = read_at_start(declared)
    if early:
        # The walls first, then the environment's own interpreter and these; not as arguments, which everybody sees.
        argv = [str(entrance), script, "--", json.dumps(walls), str(spec.prepared.python), script, *numbers]
    if house.sandbox is not None:
        readable = [house.lent, *_readable(house, spec)]
        argv = house.sandbox.wrap(argv, readable, place.scratch, place.temporary)
    process = subprocess.Popen(
        argv,
        cwd=place.scratch,
        env={**_variables(place, _environment(spec)), **{LATER + name: value for name, value in early.items()}},
        stdin=subprocess.DEVNULL,
        stdout=ends.output,
        stderr=ends.output,
        pass_fds=(ends.channel.fileno(), ends.lifeline.descriptor),
        start_new_session=True,
        umask=0o022,
        **place.account.popen_arguments(),
    )
    ends.lifeline.tie(process.pid)
    return process


def _readable(house: House, spec: InstanceSpec) -> list[Path]:
    """What an instance may read of the hidden directories."""
    prepared = spec.prepared
    # Not the one to which the environment leads: what was built there may have changed that.
    interpreter = prepared.entrance.resolve().parent.parent
    return [house.shim.parent, house.revisions / prepared.revision_key, _environment(spec), interpreter]


def _environment(spec: InstanceSpec) -> Path:
    return spec.prepared.python.parent.parent


def _declared(spec: InstanceSpec) -> dict[str, str]:
    return {name: value for name, value in spec.environment.items() if name != INSTANCE_VARIABLE}


def _variables(place: _Place, environment: Path) -> dict[str, str]:
    """What the process is given at its start; the declared ones may name code and come when it is walled in."""
    return {
        "PATH": f"{environment / 'bin'}:{_PATH}",
        "VIRTUAL_ENV": str(environment),
        "HOME": str(place.scratch),
        "USER": "model",
        "TMPDIR": str(place.temporary),
        "LANG": "C.UTF-8",
        INSTANCE_VARIABLE: place.identifier,
    }


def _say(log: LogSink, text: str) -> None:
    log(LogLine(at=datetime.now(UTC), text=text, system=True))
