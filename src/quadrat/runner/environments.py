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

BUILD_TIMEOUT_S = 1800.0
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
        account: As whom the installer runs: packages may bring code that runs while they are installed.
    """

    def __init__(self, folder: Path, cache: Path, home: Path, account: Account) -> None:
        self._folder = folder
        self._cache = cache
        self._home = home
        self._account = account
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
                await asyncio.to_thread(self._clear, place)
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

    def _clear(self, place: Path) -> None:
        if place.exists():
            shutil.rmtree(place)
        place.mkdir(mode=0o755)
        place.chmod(0o755)
        self._account.take(place)

    async def _build(
        self, place: Path, interpreter: Interpreter, wanted: Requirements, on_line: OnLine, lock: int
    ) -> None:
        uv = await asyncio.to_thread(self._usable_uv)
        make = [str(uv), "venv", "--quiet", "--allow-existing", "--python", str(interpreter.path), str(place)]
        lines: list[str] = []
        if await run(self._command(make, place, lock), lines.append) != 0:
            raise _refusal(f"The environment for {interpreter.language} could not be made", lines)
        install = [str(uv), "pip", "install", "--python", str(place / "bin" / "python")]
        if wanted.text:

            def report(line: str) -> None:
                lines.append(line)
                on_line(line)

            async with self._sources(place, wanted) as folder:
                command = self._command([*install, "-r", "-"], folder, lock, stdin=wanted.text.encode())
                if await run(command, report) != 0:
                    raise _refusal("The requirements could not be installed", lines)
        await self._add_fast_json([*install, "--quiet", "--no-build", "msgspec"], place, lock)

    @asynccontextmanager
    async def _sources(self, place: Path, wanted: Requirements) -> AsyncIterator[Path]:
        """The directory that local requirements are relative to: a copy, since builds write beside their sources."""
        if not wanted.local:
            yield wanted.folder
            return
        copy = self._home / f"{place.name}.sources"
        await asyncio.to_thread(self._copy_sources, wanted.folder, copy)
        try:
            yield copy
        finally:
            await asyncio.to_thread(shutil.rmtree, copy, ignore_errors=True)

    def _copy_sources(self, folder: Path, copy: Path) -> None:
        if copy.exists():
            shutil.rmtree(copy)
        shutil.copytree(folder, copy)
        for path in (copy, *copy.rglob("*")):
            self._account.take(path)
            path.chmod(path.stat().st_mode | (stat.S_IRWXU if path.is_dir() else stat.S_IRUSR | stat.S_IWUSR))

    async def _add_fast_json(self, argv: list[str], place: Path, lock: int) -> None:
        # The shim works without it, only slower with large bodies. It has no requirements, so it disturbs nothing.
        unheard: list[str] = []
        for extra in (["--offline"], []):
            command = self._command([*argv, *extra], place, lock, timeout_s=10.0)
            if await run(command, unheard.append) == 0:
                return

    def _command(
        self, argv: list[str], cwd: Path, lock: int, stdin: bytes = b"", timeout_s: float = BUILD_TIMEOUT_S
    ) -> Command:
        return Command(
            argv=argv,
            cwd=cwd,
            env=self._variables(os.environ),
            account=self._account,
            stdin=stdin,
            keep=(lock,),
            timeout_s=timeout_s,
        )

    def _variables(self, server: Mapping[str, str]) -> dict[str, str]:
        chosen = {name: value for name, value in server.items() if name.startswith(_PASSED_PREFIXES) or name in _PASSED}
        for pip_name, uv_name in _FROM_PIP.items():
            if pip_name in server:
                chosen.setdefault(uv_name, server[pip_name])
        chosen.update(
            HOME=str(self._home),
            LANG="C.UTF-8",
            NO_COLOR="1",
            UV_CACHE_DIR=str(self._cache),
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
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o644)
    fresh.rename(path)


def _refusal(what: str, lines: list[str]) -> BuildError:
    reason = " ".join(_DRAWING.sub("", line) for line in lines[-20:]).strip()
    return BuildError(BuildStage.REQUIREMENTS, f"{what}: {reason}"[:_MESSAGE_LIMIT])
