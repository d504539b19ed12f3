"""The directory of one server process below the runner's root: what lies in it goes when the process is gone."""

import fcntl
import os
import secrets
import shutil
from pathlib import Path

from quadrat.runner.accounts import Account
from quadrat.runner.leftovers import clear_all_away, note_exclusive


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
            if owner.of_one_instance:
                note_exclusive(self.folder, owner)
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
    clear_left_over(parent)
    folder = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
    # Under another name until the lock is held, lest another process take it for left over.
    fresh = parent / f".{folder.name}"
    fresh.mkdir(mode=0o711)
    fresh.chmod(0o711)
    lock = os.open(fresh / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    fresh.rename(folder)
    return Session(folder, lock)


def clear_left_over(parent: Path) -> None:
    """Clear away the directories of processes that were killed, with all that is left of their instances."""
    for entry in list(parent.iterdir()) if parent.is_dir() else ():
        _clear_if_left_over(entry)


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
        clear_all_away(folder)
    finally:
        os.close(lock)
