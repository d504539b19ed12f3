"""The directory of one server process below the runner's root: what lies in it goes when the process is gone."""

import fcntl
import os
import secrets
import shutil
import signal
from pathlib import Path

import psutil

from quadrat.runner.accounts import Account

INSTANCE_VARIABLE = "QUADRAT_INSTANCE"
"""Set in every instance; tells a left-over process of an instance from a stranger with the same number."""


class Session:
    """Scratch space of this process. Made with `open_session`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    def new_folder(self, name: str, owner: Account | None = None) -> Path:
        """Make an empty directory that others may enter but not list."""
        folder = self.folder / name
        folder.mkdir(mode=0o711)
        folder.chmod(0o711)
        if owner is not None:
            owner.take(folder)
        return folder

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def open_session(parent: Path) -> Session:
    """Make this process's directory, and clear away those of processes that were killed, with their instances.

    Args:
        parent: Holds one directory per process; on one machine only.
    """
    parent.mkdir(exist_ok=True)
    parent.chmod(0o711)
    for entry in list(parent.iterdir()):
        _clear_if_left_over(entry)
    folder = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
    # Under another name until the lock is held, lest another process take it for left over.
    fresh = parent / f".{folder.name}"
    fresh.mkdir(mode=0o711)
    fresh.chmod(0o711)
    lock = os.open(fresh / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    fresh.rename(folder)
    return Session(folder, lock)


def _clear_if_left_over(folder: Path) -> None:
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:  # just being made, or just being removed
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        kill_instances({entry.name for entry in folder.iterdir()})
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def kill_instances(identifiers: set[str]) -> None:
    """Kill every process that carries one of these instance identifiers in its environment."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(INSTANCE_VARIABLE) in identifiers:
                process.send_signal(signal.SIGKILL)
        except (psutil.Error, OSError):  # another user's process, or ended meanwhile
            continue
