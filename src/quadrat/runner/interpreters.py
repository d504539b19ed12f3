"""Which Python runs a package that asks for ``python3.x``."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from quadrat.runner.accounts import Account
from quadrat.runner.base import BuildError, BuildStage
from quadrat.runner.commands import Command, run

OLDEST_MINOR = 8
"""The shim needs Python 3.8."""
NEWEST_MINOR = 19
"""How far the search goes up."""

_LANGUAGE = re.compile(r"python3\.(\d{1,2})")
_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
# What is found may be a script that starts an interpreter, such as pyenv's: an entrance cannot be made of that.
_PROBE = """
import json, os, sys
program = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
print(json.dumps([list(sys.version_info[:3]), sys.implementation.name, program]))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that was seen to run.

    Args:
        path: The program, behind all links and scripts that lead to it.
        version: Three numbers.
    """

    path: Path
    version: tuple[int, int, int]

    @property
    def language(self) -> str:
        """The name as the API writes it, e.g. ``python3.11``."""
        return f"python{self.version[0]}.{self.version[1]}"


class Interpreters:
    """Finds interpreters that an account can run, and remembers them."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._found: dict[int, Interpreter | None] = {}

    async def find(self, language: str) -> Interpreter | None:
        """The interpreter asked for, else the nearest newer one, else the server's own; None when not even that runs.

        Raises:
            BuildError: stage PACKAGE, for a language that is no Python 3.
        """
        match = _LANGUAGE.match(language)
        if match is None:
            raise BuildError(BuildStage.PACKAGE, f"The language {language!r} is not a Python 3 version.")
        for minor in range(max(int(match[1]), OLDEST_MINOR), NEWEST_MINOR + 1):
            found = await self._of_minor(minor)
            if found is not None:
                return found
        # Asked for something newer than all: the newest there is, the server's own at the latest.
        for minor in range(NEWEST_MINOR, OLDEST_MINOR - 1, -1):
            found = await self._of_minor(minor)
            if found is not None:
                return found
        return None

    async def _of_minor(self, minor: int) -> Interpreter | None:
        if minor not in self._found:
            self._found[minor] = await self._search(minor)
        return self._found[minor]

    async def _search(self, minor: int) -> Interpreter | None:
        seen: set[Path] = set()
        for path in _candidates(minor):
            real = path.resolve()
            if real in seen:
                continue
            seen.add(real)
            found = await probe(real, self._account)
            if found is not None and found.version[1] == minor:
                return found
        return None


async def probe(path: Path, account: Account) -> Interpreter | None:
    """Run an interpreter as an account; None when it cannot be run or is no CPython 3."""
    lines: list[str] = []
    command = Command(
        argv=[str(path), "-I", "-S", "-c", _PROBE], cwd=Path("/"), env={"LANG": "C.UTF-8"}, account=account
    )
    if await run(command, lines.append) != 0 or not lines:
        return None
    try:
        version, implementation, program = json.loads(lines[-1])
    except ValueError:
        return None
    if implementation != "cpython" or version[0] != 3:
        return None
    return Interpreter(Path(program), (version[0], version[1], version[2]))


def _candidates(minor: int) -> Iterable[Path]:
    name = f"python3.{minor}"
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path)
    for folder in _FOLDERS:
        yield from _existing(Path(folder) / name)
    homes = (Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions", uv_python_dir())
    for home in homes:
        if os.access(home, os.R_OK):
            for version in sorted(home.glob(f"*3.{minor}[.-]*"), reverse=True):
                yield from _existing(version / "bin" / name)
    if sys.version_info[1] == minor:
        yield Path(sys.executable)


def _existing(path: Path) -> Iterable[Path]:
    if os.access(path, os.X_OK):
        yield path


def uv_python_dir() -> Path:
    """Where uv keeps the interpreters that an administrator had it install."""
    data = Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser()
    return Path(os.environ.get("UV_PYTHON_INSTALL_DIR", data / "uv" / "python")).expanduser()


def uv_program() -> Path:
    """The uv that is installed beside this package."""
    return Path(find_uv_bin())
