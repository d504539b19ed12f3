"""The system user of the embedded database: PostgreSQL refuses to run as root."""

import fcntl
import os
import pwd
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOCK = Path("/var/run/quadrat-account.lock")
_LOCK_TIMEOUT_S = 60


class AccountError(Exception):
    """The user cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system.

    Args:
        uid: Numeric user.
        gid: Numeric primary group.
    """

    uid: int
    gid: int


def ensure_system_user(name: str) -> Account:
    """The user of that name, made when it is missing; for root only.

    Any number of processes may call this at once. `useradd` alone does not bear that: it looks for the name before it
    locks the file of users, so the slower one of two gives the name another number, and what the faster one did with
    the first number is then owned by nobody.

    Raises:
        AccountError: It is missing and cannot be made.
    """
    found = _find(name)
    if found is not None:
        return found
    with _alone():
        found = _find(name)
        if found is not None:
            return found
        problem = _try(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name])
        found = _find(name)
    if found is None:
        raise AccountError(problem or "it is not among the users after useradd made it")
    return found


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


@contextmanager
def _alone() -> Iterator[None]:
    """One process of this machine at a time; the system frees the lock of one that dies."""
    try:
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AccountError(f"{_LOCK} cannot be opened: {error.strerror}") from error
    try:
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        while not _take(lock):
            if time.monotonic() > deadline:
                raise AccountError(f"another process holds {_LOCK}")
            time.sleep(0.05)
        yield
    finally:
        os.close(lock)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try(command: Sequence[str]) -> str | None:
    """None on success, else what went wrong."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"{command[0]} is not installed"
    return None if result.returncode == 0 else result.stderr.strip()
