"""What an instance uses of the machine: processes, memory, disk. Blocking, so call it in a thread.

Memory is what is really in use. Limits on address space count what numerical libraries only reserve, per thread and
per core, and would end innocent models; control groups are not writable in most places where this server runs.
"""

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from quadrat.runner.view import MEMORY_FILES, TEMPORARY

INSTANCE_VARIABLE = "QUADRAT_INSTANCE"
"""Set in every instance; tells a left-over process of an instance from a stranger with the same number."""

Answer = TypeVar("Answer")
BLOCK_BYTES = 512
"""The unit of `st_blocks`, whatever the file system's own."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Members:
    """The processes of one instance.

    Args:
        session: Number of the first one, which leads their session.
        uid: The user that nobody else runs as; None when there is none.
        identifier: In the environment of all that have not thrown it away.
    """

    session: int
    uid: int | None
    identifier: str
    processes: set[int] = field(default_factory=set)

    def ask(self, measure: Callable[[int], Answer]) -> list[Answer]:
        """What `measure` says of each, by its number; those that have ended are forgotten.

        Args:
            measure: Raises OSError for a process that has ended.
        """
        answers = []
        self.processes.add(self.session)
        for pid in list(self.processes):
            try:
                answers.append(measure(pid))
            except OSError:
                self.processes.discard(pid)
        return answers


def find_members(instances: Iterable[Members], known: set[int]) -> set[int]:
    """Give every process of the machine to the instance that it belongs to, also when it has left the session.

    Args:
        instances: All of them.
        known: Processes looked at before; they belong where they belonged.

    Returns:
        Those to call known next time.
    """
    listed = list(instances)
    owners: dict[object, Members] = {members.session: members for members in listed}
    owners |= {_User(members.uid): members for members in listed if members.uid is not None}
    owners |= {members.identifier: members for members in listed if members.uid is None}
    every = set(psutil.pids())
    for pid in every - known:
        owner = next((owners[mark] for mark in _marks(pid, listed) if mark in owners), None)
        if owner is not None:
            owner.processes.add(pid)
    return every


@dataclass(frozen=True, slots=True)
class _User:
    uid: int


def _marks(pid: int, instances: Sequence[Members]) -> Iterator[object]:
    """What a process may be known by, the cheapest first."""
    try:
        yield os.getsid(pid)
        if any(members.uid is not None for members in instances):
            yield _User(psutil.Process(pid).uids().real)
        if any(members.uid is None for members in instances):
            yield psutil.Process(pid).environ().get(INSTANCE_VARIABLE)
    except (psutil.Error, OSError):  # ended meanwhile, or somebody else's
        return


def resident_bytes(members: Members) -> int:
    """Memory in use; what several processes share counts for each. Quick."""
    return sum(members.ask(_resident_bytes))


def memory_bytes(members: Members, files_bytes: int) -> int:
    """Memory in use; what several processes share counts once. Slow.

    Args:
        members: Of the instance.
        files_bytes: Of files in memory that belong to the instance, whether or not a process has them mapped.
    """
    shared_out = members.ask(_shared_out)
    mapped = sum(facts.get("Pss_Shmem", 0) for facts in shared_out)
    return sum(facts.get("Pss", 0) for facts in shared_out) - mapped + max(mapped, files_bytes)


@dataclass(frozen=True, slots=True)
class Space:
    """What files take.

    Args:
        disk_bytes: On disks.
        memory_bytes: In memory.
    """

    disk_bytes: int
    memory_bytes: int


NO_SPACE = Space(0, 0)


def space_of(members: Members, scratch: Path, shared: Mapping[int, Space]) -> Space:
    """What the files of an instance take: in its directory, of its user in shared ones, and deleted but open ones.

    Args:
        members: Its processes.
        scratch: Its directory.
        shared: From `shared_space`.
    """
    disk, memory = blocks_below(scratch) * BLOCK_BYTES, 0
    device = _device_of(scratch)
    for where, blocks in _deleted_files(members).items():
        if where[0] == device:
            disk += blocks * BLOCK_BYTES
        else:
            memory += blocks * BLOCK_BYTES
    others = NO_SPACE if members.uid is None else shared.get(members.uid, NO_SPACE)
    return Space(disk + others.disk_bytes, memory + others.memory_bytes)


def shared_space(uids: Collection[int]) -> Mapping[int, Space]:
    """What the files of each of these users take in directories that all may write into."""
    disk = _blocks_by_user(TEMPORARY, uids)
    memory = _blocks_by_user((MEMORY_FILES,), uids)
    return {uid: Space(disk[uid] * BLOCK_BYTES, memory[uid] * BLOCK_BYTES) for uid in uids}


def _blocks_by_user(folders: Sequence[Path], uids: Collection[int]) -> Mapping[int, int]:
    blocks = dict.fromkeys(uids, 0)
    for folder in folders if blocks else ():
        for path, uid in files_of_users(folder, uids):
            with suppress(OSError):  # removed meanwhile
                blocks[uid] += blocks_below(path) + path.lstat().st_blocks
    return blocks


def blocks_below(folder: Path) -> int:
    """Blocks of everything in a directory."""
    total = 0
    for entry in _scan(folder):
        facts = _facts(entry)
        if facts is not None:
            total += facts.st_blocks
            if stat.S_ISDIR(facts.st_mode):
                total += blocks_below(Path(entry.path))
    return total


def files_of_users(folder: Path, uids: Collection[int]) -> Iterator[tuple[Path, int]]:
    """The uppermost files and directories of these users in a directory that all may write into, and whose they are."""
    for entry in _scan(folder):
        facts = _facts(entry)
        if facts is None:
            continue
        if facts.st_uid in uids:
            yield Path(entry.path), facts.st_uid
        elif stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_IWOTH:
            yield from files_of_users(Path(entry.path), uids)


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # removed meanwhile, or closed to the server
        return []


def _facts(entry: "os.DirEntry[str]") -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:  # removed meanwhile
        return None


def _device_of(folder: Path) -> int | None:
    try:
        return folder.stat().st_dev
    except OSError:  # the instance has ended
        return None


def _deleted_files(members: Members) -> dict[tuple[int, int], int]:
    """Blocks of open files that have no name any more, by device and number."""
    found: dict[tuple[int, int], int] = {}
    for pid in list(members.processes) if psutil.LINUX else ():
        for entry in _scan(Path(f"/proc/{pid}/fd")):
            try:
                facts = Path(entry.path).stat()
            except OSError:  # closed meanwhile
                continue
            if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                found[facts.st_dev, facts.st_ino] = facts.st_blocks
    return found


def _resident_bytes(pid: int) -> int:
    if psutil.LINUX:
        # Ten times a second for each process, so without what the library does around it.
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE_BYTES
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error as error:
        raise ProcessLookupError(pid) from error


def _shared_out(pid: int) -> Mapping[str, int]:
    """Bytes of a process by kind, of shared pages its part."""
    if not psutil.LINUX:
        return {"Pss": _resident_bytes(pid)}
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
