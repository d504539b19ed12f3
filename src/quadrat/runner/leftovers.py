"""Removes what an instance leaves behind: processes that fled from its group, and its files."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from quadrat.runner.accounts import Account
from quadrat.runner.usage import INSTANCE_VARIABLE, files_of_users
from quadrat.runner.view import MEMORY_FILES, TEMPORARY

_EXCLUSIVE = "users"


def clear_away(scratch: Path, account: Account) -> None:
    """Remove what an instance has left.

    Args:
        scratch: Its directory, which has its name.
        account: As whom it ran.
    """
    if account.of_one_instance:
        account.end_processes()
        for folder in (*TEMPORARY, MEMORY_FILES):
            for path, _ in files_of_users(folder, {account.uid}):
                _remove(path)
    else:
        _kill_marked(scratch.name)
    shutil.rmtree(scratch, ignore_errors=True)


def note_exclusive(folder: Path, account: Account) -> None:
    """Remember beside the directories of a server's instances that nothing else runs as this user."""
    with (folder / _EXCLUSIVE).open("a") as users:
        users.write(f"{account.uid}\n")


def clear_all_away(folder: Path) -> None:
    """Remove what the instances of a server have left that was killed.

    Args:
        folder: Holds the directories of its instances.
    """
    noted = folder / _EXCLUSIVE
    exclusive = set(noted.read_text().split()) if noted.exists() else set()
    for entry in list(folder.iterdir()):
        with suppress(FileNotFoundError):
            facts = entry.lstat()
            clear_away(entry, Account(facts.st_uid, facts.st_gid, of_one_instance=str(facts.st_uid) in exclusive))
    shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _kill_marked(identifier: str) -> None:
    """Kill every process that carries an instance's identifier in its environment."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(INSTANCE_VARIABLE) == identifier:
                os.kill(process.pid, signal.SIGKILL)
        except (psutil.Error, OSError):  # another user's process, or ended meanwhile
            continue
