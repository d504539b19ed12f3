"""Ends instances that use more memory than they may.

What counts is the memory really in use (resident) by all processes of the instance's session. Limits on address
space count what numerical libraries only reserve, per thread and per core, and would end innocent models; control
groups are not writable in most places where this server runs. So the use is read ten times a second, and a limit on
private data of twice the allowance and a little, which the shim sets for itself, bounds what can happen in between.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

TICK_S = 0.1
TICKS_PER_SEARCH = 5
"""How often to look for new processes of the watched sessions."""

MIB = 1024 * 1024
DATA_LIMIT_SLACK_BYTES = 1024 * MIB


def exceeded_sentence(limit_bytes: int) -> str:
    """What the author of the model reads."""
    return f"The model used more than {limit_bytes // MIB} MiB of memory."


def data_limit_bytes(limit_bytes: int) -> int:
    """Where the kernel refuses further private data, untouched reservations included."""
    return 2 * limit_bytes + DATA_LIMIT_SLACK_BYTES


@dataclass(slots=True)
class _Watched:
    limit_bytes: int
    on_exceeded: Callable[[], None]
    processes: dict[int, psutil.Process] = field(default_factory=dict)


class MemoryWatch:
    """Watches the sessions of all instances of one runner with one task."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, session: int, limit_bytes: int, on_exceeded: Callable[[], None]) -> None:
        """Watch a session.

        Args:
            session: Number of its leader.
            limit_bytes: Most that its processes may use together.
            on_exceeded: Called in the event loop, once per tick as long as they use more.
        """
        self._watched[session] = _Watched(limit_bytes, on_exceeded)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="runner-memory")

    def remove(self, session: int) -> None:
        """Watch it no more."""
        self._watched.pop(session, None)
        if not self._watched and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        tick = 0
        while True:
            sessions = dict(self._watched)
            exceeded = await asyncio.to_thread(_measure, sessions, search=tick % TICKS_PER_SEARCH == 0)
            for session in exceeded:
                if session in self._watched:
                    sessions[session].on_exceeded()
            tick += 1
            await asyncio.sleep(TICK_S)


def _measure(sessions: dict[int, _Watched], *, search: bool) -> list[int]:
    if search:
        _find_processes(sessions)
    exceeded = []
    for session, watched in sessions.items():
        if session not in watched.processes:
            _add_process(watched, session)
        if _total(watched, _resident) > watched.limit_bytes and _total(watched, _proportional) > watched.limit_bytes:
            exceeded.append(session)
    return exceeded


def _find_processes(sessions: dict[int, _Watched]) -> None:
    for pid in psutil.pids():
        try:
            watched = sessions.get(os.getsid(pid))
        except (ProcessLookupError, PermissionError):
            continue
        if watched is not None and pid not in watched.processes:
            _add_process(watched, pid)


def _add_process(watched: _Watched, pid: int) -> None:
    try:
        watched.processes[pid] = psutil.Process(pid)
    except psutil.Error:  # ended meanwhile
        return


def _total(watched: _Watched, measure: Callable[[psutil.Process], int]) -> int:
    total = 0
    for pid, process in list(watched.processes.items()):
        try:
            total += measure(process)
        except psutil.Error:  # ended meanwhile
            del watched.processes[pid]
    return total


def _resident(process: psutil.Process) -> int:
    return process.memory_info().rss


def _proportional(process: psutil.Process) -> int:
    """Like resident, but pages shared by several processes count once; too slow to ask every time."""
    if not psutil.LINUX:
        return _resident(process)
    facts = process.memory_full_info()
    return int(getattr(facts, "pss", facts.rss))
