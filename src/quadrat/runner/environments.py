"""Content-addressed environments: an interpreter with a set of requirements, built once and shared.

An environment is built in its final place, because scripts in it name their interpreter by absolute path. It counts as
there when its marker file is. A file lock lets one process build while others wait; the installer inherits the lock, so
that it is held as long as anything still writes, also when the server was killed.
"""

import asyncio
import codecs
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from quadrat.runner.accounts import Account
from quadrat.runner.base import BuildError, BuildStage
from quadrat.runner.commands import Command, OnLine, run
from quadrat.runner.interpreters import Interpreter, uv_program
from quadrat.runner.workshop import Bench, Workshop

BUILD_TIMEOUT_S = 1800.0
_COMPILE_TIMEOUT_S = 300.0
# A source that is made to cost much memory fails alone.
_COMPILE = """
import compileall, resource, sys
if sys.platform == "linux":
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
compileall.compile_dir(sys.argv[1], quiet=2, workers=0)
"""
_FORMAT = "1"
"""Part of every key: a change makes all environments anew."""

_MARKER = "complete.json"
_LOCK_RETRY_S = 0.1
_MESSAGE_LIMIT = 2000
# Settings of the installer that an administrator gave to the server; pip's are understood where uv has its own name.
_PASSED_PREFIXES = ("UV_", "SSL_CERT_")
_PASSED = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_FROM_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
}
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LOCAL_REFERENCE = re.compile(r"(?:-r|-c|-e|--requirement|--constraint|--editable)\b|[./]|.*(?:@\s*|=)(?:\.|file:)")
# With these nothing of what is installed is executed.
_FROM_WHEELS = ["--no-build", "--no-compile-bytecode"]
_COMPLAINT = re.compile(r"\s*(?:\u00d7|error:)")
_GREETING = "Using Python "
_DRAWING = re.compile(r"^[\s\u00d7\u2570\u2500\u25b6\u2502\u251c\u00b7]+")


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a package wants installed.

    Args:
        text: Lines for the installer, without comments.
        folder: Paths in `text` are relative to this directory.
        local: True when `text` refers to files of the package.
    """

    text: str
    folder: Path
    local: bool


@dataclass(frozen=True, slots=True)
class Environment:
    """A finished environment."""

    key: str
    python: Path


class Environments:
    """The environments under one directory, shared by all processes that use it.

    Args:
        folder: Holds one directory per environment.
        cache: The installer's cache.
        home: Home directory of the installer.
        account: As whom the installer runs, and whose environments are in the end.
        workshop: Where packages are built from sources: code of theirs runs meanwhile.
    """

    def __init__(self, folder: Path, cache: Path, home: Path, account: Account, workshop: Workshop) -> None:
        self._folder = folder
        self._account = account
        self._workshop = workshop
        self._own_bench = Bench(account, home, cache)
        self._uv: Path | None = None

    async def provide(self, interpreter: Interpreter, wanted: Requirements, salt: str, on_line: OnLine) -> Environment:
        """The environment for these requirements, built now if nobody has built it before.

        Args:
            interpreter: Goes into the key with its version and place.
            wanted: From `read_requirements`.
            salt: Goes into the key when the requirements refer to files of the package: the package's own key.
            on_line: Gets the installer's output.

        Raises:
            BuildError: stage REQUIREMENTS, with the installer's explanation.
        """
        key = environment_key(interpreter, wanted, salt)
        place = self._folder / key
        environment = Environment(key, place / "bin" / "python")
        if (place / _MARKER).exists():
            # Tells `collect` that it has just been wanted.
            await asyncio.to_thread(os.utime, place / _MARKER)
            return environment
        async with _file_lock(self._folder / f"{key}.lock") as lock:
            if not (place / _MARKER).exists():
                await self._build(place, interpreter, wanted, on_line, lock)
                facts = {"language": interpreter.language, "requirements": wanted.text}
                await asyncio.to_thread(_write_marker, place / _MARKER, json.dumps(facts))
        return environment

    async def collect(self, kept: Collection[str], before: float) -> int:
        """Remove finished environments that are not kept and were last wanted before a time; returns how many."""
        removed = 0
        for place in [marker.parent for marker in self._folder.glob(f"*/{_MARKER}")]:
            if place.name in kept or (place / _MARKER).stat().st_mtime >= before:
                continue
            async with _file_lock(self._folder / f"{place.name}.lock"):
                # Somebody may have wanted it since; without its marker it does not count as there any more.
                if (place / _MARKER).stat().st_mtime < before:
                    (place / _MARKER).unlink()
                    await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
                    removed += 1
        return removed

    async def _build(
        self, place: Path, interpreter: Interpreter, wanted: Requirements, on_line: OnLine, lock: int
    ) -> None:
        """Install from wheels, of which nothing is executed; what has to be built from sources is built apart."""
        if not wanted.local:
            own = _Build(self._own_bench, place, interpreter, lock)
            await self._lay_out(own)
            lines = _Lines(on_line, hold_back=True)
            if await self._install(own, _FROM_WHEELS, wanted, wanted.folder, lines):
                lines.give_out()
                await self._compile(own)
                return
        uv = await asyncio.to_thread(self._usable_uv)
        readable = [uv, interpreter.path.resolve().parent.parent]
        async with self._workshop.bench(place, readable, interpreter.path) as bench:
            apart = _Build(bench, place, interpreter, lock)
            await self._lay_out(apart)
            folder = wanted.folder
            if wanted.local:
                # A copy, since builds write beside their sources.
                folder = bench.folder / "sources"
                await asyncio.to_thread(_copy_sources, wanted.folder, folder, bench.account)
            lines = _Lines(on_line, hold_back=False)
            if not await self._install(apart, [], wanted, folder, lines):
                what = bench.problem or "The requirements could not be installed"
                raise _refusal(what, lines.all, {place: "the environment", folder: "the package"})
            # Behind the same walls: what was built may have left links that lead elsewhere.
            await self._compile(apart)
        # Nothing of what was built runs any more.
        await asyncio.to_thread(_hand_over, place, self._account)

    async def _compile(self, build: "_Build") -> None:
        """Compile what was installed, once: instances may not write here, and each would compile it anew.

        By the interpreter itself, outside of the environment: it reads what it compiles, and executes none of it.
        What cannot be compiled stays as it is.
        """
        program = [str(build.interpreter.path), "-I", "-S", "-c", _COMPILE, str(build.place / "lib")]
        await run(self._command(build, program, build.place, timeout_s=_COMPILE_TIMEOUT_S), lambda _line: None)

    async def _lay_out(self, build: "_Build") -> None:
        """An empty environment but for fast JSON: what its own requirements bring comes later and may replace it."""
        await asyncio.to_thread(_clear, build.place, build.bench.account)
        uv = await asyncio.to_thread(self._usable_uv)
        make = [str(uv), "venv", "--quiet", "--allow-existing", "--python", str(build.interpreter.path)]
        lines: list[str] = []
        if await run(self._command(build, [*make, str(build.place)], build.place), lines.append) != 0:
            what = f"The environment for {build.interpreter.language} could not be made"
            raise _refusal(what, lines, {build.place: "the environment"})
        # The shim works without it, only slower with large bodies. It has no requirements, so it disturbs nothing.
        add = [str(uv), "pip", "install", "--quiet", "--no-build", "--python", str(build.place / "bin" / "python")]
        for extra in (["--offline"], []):
            command = self._command(build, [*add, *extra, "msgspec"], build.place, timeout_s=10.0)
            if await run(command, lines.append) == 0:
                return

    async def _install(
        self, build: "_Build", options: list[str], wanted: Requirements, folder: Path, lines: "_Lines"
    ) -> bool:
        if not wanted.text:
            return True
        uv = await asyncio.to_thread(self._usable_uv)
        install = [str(uv), "pip", "install", *options, "--python", str(build.place / "bin" / "python"), "-r", "-"]
        return await run(self._command(build, install, folder, stdin=wanted.text.encode()), lines.take) == 0

    def _command(
        self, build: "_Build", argv: list[str], cwd: Path, stdin: bytes = b"", timeout_s: float = BUILD_TIMEOUT_S
    ) -> Command:
        bench = build.bench
        return Command(
            argv=bench.wrap(argv),
            cwd=cwd,
            env={**self._variables(os.environ), **bench.variables},
            account=bench.account,
            stdin=stdin,
            keep=(build.lock,),
            timeout_s=timeout_s,
            on_start=bench.on_start,
        )

    def _variables(self, server: Mapping[str, str]) -> dict[str, str]:
        chosen = {name: value for name, value in server.items() if name.startswith(_PASSED_PREFIXES) or name in _PASSED}
        for pip_name, uv_name in _FROM_PIP.items():
            if pip_name in server:
                chosen.setdefault(uv_name, server[pip_name])
        chosen.update(
            LANG="C.UTF-8",
            NO_COLOR="1",
            UV_NO_PROGRESS="1",
            UV_PYTHON_DOWNLOADS="never",
        )
        return chosen

    def _usable_uv(self) -> Path:
        """The installer where the account can execute it; copied beside the environments when it cannot."""
        if self._uv is None:
            installed = uv_program()
            if self._account.may_enter(installed.parent):
                self._uv = installed
            else:
                size = installed.stat().st_size
                copy = self._folder.parent / f"uv-{size}"
                if not copy.exists():
                    fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
                    shutil.copyfile(installed, fresh)
                    fresh.chmod(0o755)
                    fresh.rename(copy)
                self._uv = copy
        return self._uv


@dataclass(frozen=True, slots=True)
class _Build:
    """One environment in the making."""

    bench: Bench
    place: Path
    interpreter: Interpreter
    lock: int


class _Lines:
    """What an installer says, on its way to the log.

    Args:
        on_line: Gets the lines.
        hold_back: Keep complaints, and what follows them, until it is known whether they matter.
    """

    def __init__(self, on_line: OnLine, *, hold_back: bool) -> None:
        self.all: list[str] = []
        self._on_line = on_line
        self._hold_back = hold_back
        self._held: list[str] = []

    def take(self, line: str) -> None:
        """One more line."""
        self.all.append(line)
        if self._hold_back and (self._held or _COMPLAINT.match(line)):
            self._held.append(line)
        else:
            self._on_line(line)

    def give_out(self) -> None:
        """They matter."""
        for line in self._held:
            self._on_line(line)


def _clear(place: Path, account: Account) -> None:
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    account.take(place)


def _copy_sources(folder: Path, copy: Path, account: Account) -> None:
    shutil.copytree(folder, copy)
    for path in (copy, *copy.rglob("*")):
        account.take(path)
        path.chmod(path.stat().st_mode | (stat.S_IRWXU if path.is_dir() else stat.S_IRUSR | stat.S_IWUSR))


def _hand_over(place: Path, account: Account) -> None:
    """Make an account the owner of everything, and let nobody else write into it."""
    if account.own and os.geteuid() != 0:
        return
    for path in (place, *place.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID))


def read_requirements(package_dir: Path) -> Requirements:
    """Read ``requirements.txt``; empty when there is none. Comments, blank lines and Windows' encodings are undone.

    Raises:
        BuildError: stage REQUIREMENTS, when it is not text.
    """
    path = package_dir / "requirements.txt"
    if not path.is_file():
        return Requirements("", package_dir, local=False)
    data = path.read_bytes()
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BuildError(BuildStage.REQUIREMENTS, "The file requirements.txt is not UTF-8 text.") from error
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    kept = [line for line in lines if line]
    local = any(_LOCAL_REFERENCE.match(line) for line in kept)
    return Requirements("".join(f"{line}\n" for line in kept), package_dir, local=local)


def environment_key(interpreter: Interpreter, wanted: Requirements, salt: str) -> str:
    """Content address of an environment, hex."""
    parts = [_FORMAT, str(interpreter.path), repr(interpreter.version), *sorted(wanted.text.splitlines())]
    if wanted.local:
        parts.append(salt)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@asynccontextmanager
async def _file_lock(path: Path) -> AsyncIterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Another process builds the same. Waiting inside flock would hold a thread for as long.
                await asyncio.sleep(_LOCK_RETRY_S)
        yield descriptor
    finally:
        os.close(descriptor)


def _write_marker(path: Path, text: str) -> None:
    """Never through a link, nor onto what a build has left under that name."""
    fresh = path.with_name(f".{secrets.token_hex(8)}")
    with fresh.open("x") as out:
        out.write(text)
    fresh.chmod(0o644)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    fresh.rename(path)


def _refusal(what: str, lines: list[str], named: Mapping[Path, str]) -> BuildError:
    """What the installer said last, without its greeting and without where things lie on this machine."""
    reason = " ".join(_DRAWING.sub("", line) for line in lines[-20:] if not line.startswith(_GREETING)).strip()
    for path, name in named.items():
        reason = reason.replace(str(path), name)
    return BuildError(BuildStage.REQUIREMENTS, f"{what}: {reason}"[:_MESSAGE_LIMIT])
