"""As whom users' code runs: another user than the server when the server is root, else the server's own."""

import os
import pwd
import random
import stat
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

BUILD_UID = 48_000
FIRST_INSTANCE_UID = 48_001
LAST_INSTANCE_UID = 59_999
"""Numeric users without a name: this range is assigned to nobody by Debian's policy, and fits into the 65,536 users
that containers without root are given."""

_TRIES = 100
_END_ALL = "kill -9 -1"


class PopenUser(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """One user of the operating system.

    Args:
        uid: Numeric user.
        gid: Numeric group; there are no others.
        of_one_instance: Nothing but one instance, or one build, runs as this user.
    """

    uid: int
    gid: int
    of_one_instance: bool = False

    @property
    def own(self) -> bool:
        """True when this is the user that the server runs as."""
        return self.uid == os.geteuid()

    def end_processes(self) -> None:
        """Kill whatever runs as this user, at one blow, so that nothing can fork away from it."""
        if not self.of_one_instance:
            raise ValueError("others run as this user, too")
        subprocess.run(["/bin/sh", "-c", _END_ALL], check=False, **self.popen_arguments())

    def popen_arguments(self) -> PopenUser:
        """What to give to `subprocess.Popen`; nothing for the server's own user."""
        if self.own:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Make this account the owner of a file or directory that the server made."""
        if not self.own:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, folder: Path) -> bool:
        """Whether the account can reach what lies in `folder`, by the permission bits of it and all above it."""
        return all(self._may_pass(step) for step in (folder, *folder.parents))

    def _may_pass(self, folder: Path) -> bool:
        facts = folder.stat()
        if self.uid in (0, facts.st_uid):
            return self.uid == 0 or bool(facts.st_mode & stat.S_IXUSR)
        if self.gid == facts.st_gid:
            return bool(facts.st_mode & stat.S_IXGRP)
        return bool(facts.st_mode & stat.S_IXOTH)


@dataclass(slots=True)
class Accounts:
    """The accounts of one runner.

    Args:
        build: Runs the installer where that executes nothing of what it installs.
        shared: The one account of everything else; None when each instance and each build of strange code gets its own.
        note: Why users' code runs as the server's user although the server is root; empty when it does not.
    """

    build: Account
    shared: Account | None
    note: str = ""
    _taken: set[int] = field(default_factory=set)
    _taking: threading.Lock = field(default_factory=threading.Lock)

    def take_one(self) -> Account:
        """An account for strange code, where possible one that nobody else has: then none can signal or read another.

        Give it back when nothing of it is left. Blocking, so call it in a thread.
        """
        if self.shared is not None:
            return self.shared
        with self._taking:
            running = _users_of_processes()
            for _ in range(_TRIES):
                uid = random.randint(FIRST_INSTANCE_UID, LAST_INSTANCE_UID)  # noqa: S311 - no secret
                if uid not in self._taken and uid not in running and not _has_name(uid):
                    self._taken.add(uid)
                    return Account(uid, uid, of_one_instance=True)
        raise OSError("every user for instances is taken")

    def give_back(self, account: Account) -> None:
        """Nothing runs as this account any more, and nothing of it is left."""
        self._taken.discard(account.uid)

    def as_server(self, note: str) -> "Accounts":
        """The same with the server's own user for everything, because the other cannot be used."""
        return Accounts(own_account(), own_account(), note)


def _has_name(uid: int) -> bool:
    """Whether the user belongs to somebody, as directories of large organizations may have it."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _users_of_processes() -> set[int]:
    users = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile
            users.add(process.stat().st_uid)
    return users


def own_account() -> Account:
    """The server's own user."""
    return Account(os.geteuid(), os.getegid())


def choose_accounts(root: Path, instance_user: str | None) -> Accounts:
    """Decide as whom this runner runs users' code.

    Args:
        root: The runner's directory; users' code must be able to reach it.
        instance_user: Name of a user for everything, or None: unnamed users when the server is root, else its own.

    Raises:
        KeyError: There is no user of that name.
    """
    own = own_account()
    if instance_user is not None:
        entry = pwd.getpwnam(instance_user)
        named = Account(entry.pw_uid, entry.pw_gid)
        chosen = Accounts(named, named)
    elif own.uid == 0:
        chosen = Accounts(Account(BUILD_UID, BUILD_UID), None)
    else:
        return Accounts(own, own)
    if not chosen.build.may_enter(root):
        return chosen.as_server(
            "Models run as the server's own user: the data directory lies where no other user may enter."
        )
    return chosen
