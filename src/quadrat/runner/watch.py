"""Ends instances that use more of the machine than they may.

Memory is read ten times a second; a limit on private data of twice the allowance and a little, which the shim sets for
itself, bounds what can happen in between. New processes are looked for twice a second. Once a second files are counted,
and what space is left.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from pathlib import Path

import structlog

from quadrat.runner.usage import (
    NO_SPACE,
    Members,
    Space,
    find_members,
    memory_bytes,
    resident_bytes,
    shared_space,
    space_of,
)

_log = structlog.get_logger(__name__)
MIB = 1024 * 1024
TICK_S = 0.1
TICKS_PER_SEARCH = 5
"""How often to look for new processes of the watched instances."""

SPACE_TICK_S = 1.0
_SPACE_PATIENCE = 20
"""Counting files takes at most this part of the time."""

DATA_LIMIT_SLACK_BYTES = 1024 * MIB
_RESERVE_BYTES = 1024 * MIB
_RESERVE_SHARE = 20


def data_limit_bytes(limit_bytes: int) -> int:
    """Where the kernel refuses further private data, untouched reservations included."""
    return 2 * limit_bytes + DATA_LIMIT_SLACK_BYTES


def memory_sentence(limit_bytes: int) -> str:
    """What the author of the model reads."""
    return f"The model used more than {limit_bytes // MIB} MiB of memory."


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one instance may use.

    Args:
        memory_bytes: Of all its processes, and of its files in memory.
        disk_bytes: Of its files on disks.
        processes: How many.
    """

    memory_bytes: int
    disk_bytes: int
    processes: int


@dataclass(slots=True)
class Watched:
    """One instance.

    Args:
        members: Its processes.
        scratch: Its directory.
        allowance: What it may use.
        end: Ends it, with the reason; called in the event loop, possibly more than once.
        space: What its files took when they were last counted.
    """

    members: Members
    scratch: Path
    allowance: Allowance
    end: Callable[[str], None]
    space: Space = NO_SPACE

    def load_problem(self) -> str | None:
        """Why it must end for its memory or its processes, if it must."""
        if len(self.members.processes) > self.allowance.processes:
            return f"The model ran more than {self.allowance.processes} processes."
        limit, of_files = self.allowance.memory_bytes, self.space.memory_bytes
        if resident_bytes(self.members) + of_files <= limit:
            return None
        # Twice, since processes that begin or end meanwhile can be counted with what they share.
        exceeded = all(memory_bytes(self.members, of_files) > limit for _ in range(2))
        return memory_sentence(limit) if exceeded else None

    def space_problem(self, shared: Mapping[int, Space]) -> str | None:
        """Why it must end for its files, if it must; `shared` is what users have in shared directories."""
        self.space = space_of(self.members, self.scratch, shared)
        if self.space.disk_bytes > self.allowance.disk_bytes:
            return f"The model wrote more than {self.allowance.disk_bytes // MIB} MiB to the disk."
        return None


class Watch:
    """Watches all instances of one runner with two tasks.

    Args:
        root: Lies on the disk that must not become full.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._watched: dict[int, Watched] = {}
        self._known: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, watched: Watched) -> None:
        """Watch an instance."""
        self._watched[watched.members.session] = watched
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._follow_memory(), name="runner-memory"),
                asyncio.create_task(self._follow_space(), name="runner-space"),
            ]

    def remove(self, session: int) -> None:
        """Watch it no more."""
        self._watched.pop(session, None)
        if not self._watched:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _follow_memory(self) -> None:
        tick = 0
        while True:
            instances = dict(self._watched)
            if tick % TICKS_PER_SEARCH == 0:
                self._known = await asyncio.to_thread(_search, instances.values(), self._known)
            self._end(await asyncio.to_thread(_find_problems, instances, methodcaller("load_problem")))
            tick += 1
            await asyncio.sleep(TICK_S)

    async def _follow_space(self) -> None:
        while True:
            began = time.monotonic()
            instances = dict(self._watched)
            uids = {watched.members.uid for watched in instances.values() if watched.members.uid is not None}
            shared = await asyncio.to_thread(shared_space, uids)
            ask = partial(Watched.space_problem, shared=shared)
            self._end(await asyncio.to_thread(_find_problems, instances, ask))
            self._end(await asyncio.to_thread(_guard_disk, self._root, instances))
            await asyncio.sleep(max(SPACE_TICK_S, _SPACE_PATIENCE * (time.monotonic() - began)))

    def _end(self, problems: dict[int, str]) -> None:
        for session, problem in problems.items():
            if session in self._watched:
                self._watched[session].end(problem)


def _search(instances: Iterable[Watched], known: set[int]) -> set[int]:
    return find_members([watched.members for watched in instances], known)


def _find_problems(instances: dict[int, Watched], ask: Callable[[Watched], str | None]) -> dict[int, str]:
    problems = {}
    for session, watched in instances.items():
        try:
            problem = ask(watched)
        except Exception:  # noqa: BLE001 - the others must be watched on whatever it was
            _log.exception("runner.watch_failed", session=session)
            continue
        if problem is not None:
            problems[session] = problem
    return problems


def _guard_disk(root: Path, instances: dict[int, Watched]) -> dict[int, str]:
    """Before the disk is full, the instance that has most on it must go."""
    with suppress(OSError):
        facts = os.statvfs(root)
        reserve = min(_RESERVE_BYTES, facts.f_blocks * facts.f_frsize // _RESERVE_SHARE)
        largest = max(instances.items(), key=lambda item: item[1].space.disk_bytes, default=None)
        if facts.f_bavail * facts.f_frsize < reserve and largest is not None:
            session, watched = largest
            if watched.space.disk_bytes > reserve:
                mib = watched.space.disk_bytes // MIB
                return {session: f"The server's disk is nearly full, and the model had written {mib} MiB to it."}
    return {}
