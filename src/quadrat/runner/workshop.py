"""Where packages are built from sources: strange code runs then, within the same walls as a model."""

import asyncio
import json
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from quadrat.runner.accounts import Account, Accounts
from quadrat.runner.leftovers import clear_away
from quadrat.runner.session import Session
from quadrat.runner.usage import INSTANCE_VARIABLE, Members
from quadrat.runner.view import make_view
from quadrat.runner.watch import Allowance, Watch, Watched

_GIB = 1024**3
_ALLOWANCE = Allowance(memory_bytes=8 * _GIB, disk_bytes=16 * _GIB, processes=512)
_FILE_LIMIT_BYTES = 16 * _GIB
_THREAD_LIMIT = max(1024, 8 * (os.cpu_count() or 1))


class Bench:
    """As whom and where the installer runs.

    Args:
        account: Its user.
        folder: Its home.
        cache: Of what it has fetched and built.
    """

    def __init__(self, account: Account, folder: Path, cache: Path) -> None:
        self.account = account
        self.folder = folder
        self.problem: str | None = None
        """Why it was ended."""
        self._cache = cache

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment variables that say where things are."""
        return {"HOME": str(self.folder), "UV_CACHE_DIR": str(self._cache)}

    @property
    def on_start(self) -> Callable[[int], None] | None:
        """Wants to know the number of each process, if anything."""
        return None

    def wrap(self, argv: list[str]) -> list[str]:
        """The command that runs `argv` here."""
        return argv


@dataclass(slots=True)
class _WatchedBuild(Watched):
    """An installer whose hooks may leave processes that hold their output, for whose end it would wait forever."""

    left: frozenset[int] = frozenset()

    def load_problem(self) -> str | None:
        """Why it must end, if it must. What hooks have left is ended when none of them is at work."""
        others = frozenset(self.members.processes - {self.members.session})
        # Twice, lest one be taken for left that is just beginning.
        if others and others == self.left and not _is_hook_at_work(self.members.session, others):
            for pid in others:
                with suppress(OSError):  # ended meanwhile
                    os.kill(pid, signal.SIGKILL)
        self.left = others
        return super(_WatchedBuild, self).load_problem()


def _is_hook_at_work(installer: int, others: Collection[int]) -> bool:
    """Whether the installer has a child that has not ended, among its known processes or all of the machine."""
    if any(_is_child(pid, installer) for pid in others):
        return True
    try:
        return any(_is_child(child.pid, installer) for child in psutil.Process(installer).children())
    except psutil.Error:  # ended meanwhile
        return True


def _is_child(pid: int, parent: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.ppid() == parent and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


class _BenchApart(Bench):
    def __init__(self, account: Account, folder: Path, wrapper: list[str], watch: Watch) -> None:
        super().__init__(account, folder, folder / "cache")
        self._wrapper = wrapper
        self._watch = watch
        self._watched: list[int] = []

    @property
    def variables(self) -> Mapping[str, str]:
        return {**super().variables, "TMPDIR": str(self.folder), INSTANCE_VARIABLE: self.folder.name}

    @property
    def on_start(self) -> Callable[[int], None]:
        return self._watch_process

    def wrap(self, argv: list[str]) -> list[str]:
        return [*self._wrapper, *argv]

    def _watch_process(self, pid: int) -> None:
        self.leave()
        members = Members(pid, self.account.uid if self.account.of_one_instance else None, self.folder.name)
        self._watch.add(_WatchedBuild(members, self.folder, _ALLOWANCE, lambda reason: self._end(pid, reason)))
        self._watched.append(pid)

    def _end(self, pid: int, reason: str) -> None:
        self.problem = reason.replace("The model", "The installation of the requirements")
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def leave(self) -> None:
        """The process that was started last has ended."""
        while self._watched:
            self._watch.remove(self._watched.pop())


@dataclass(frozen=True, slots=True)
class Workshop:
    """Makes places for builds.

    Args:
        session: Scratch space of this process.
        accounts: One is taken for each build.
        hidden: Directories of which a build sees nothing but what it needs.
        shim: The script that puts up the walls.
        watch: Ends what uses too much.
    """

    session: Session
    accounts: Accounts
    hidden: tuple[Path, ...]
    shim: Path
    watch: Watch

    @asynccontextmanager
    async def bench(self, place: Path, readable: Sequence[Path], python: Path) -> AsyncIterator[Bench]:
        """A user, a home and a cache of its own for one build; at the end nothing of it runs any more.

        Args:
            place: Where it shall build, besides its home.
            readable: What it may read of the hidden directories.
            python: The interpreter that puts up the walls.
        """
        account = await asyncio.to_thread(self.accounts.take_one)
        folder = await asyncio.to_thread(self.session.new_folder, f"build-{secrets.token_hex(8)}", account)
        walls = {
            "view": make_view(self.hidden, [self.shim, *readable], folder, (place, folder)),
            "file_limit_bytes": _FILE_LIMIT_BYTES,
            "process_limit": _THREAD_LIMIT if account.of_one_instance else 0,
            "data_limit_bytes": 0,
        }
        bench = _BenchApart(account, folder, [str(python), str(self.shim), "--", json.dumps(walls)], self.watch)
        try:
            yield bench
        finally:
            bench.leave()
            await asyncio.to_thread(clear_away, folder, account)
            self.accounts.give_back(account)
