"""What a local runner sets up once on its machine, before its first build."""

import asyncio
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from quadrat.runner import shim
from quadrat.runner.accounts import Account, Accounts, choose_accounts
from quadrat.runner.entrance import provide_entrance
from quadrat.runner.environments import Environments
from quadrat.runner.interpreters import Interpreter, Interpreters
from quadrat.runner.sandbox import Sandbox, find_sandbox
from quadrat.runner.session import Session, open_session
from quadrat.runner.watch import Watch
from quadrat.runner.workshop import Workshop

RUN = "run"
"""Holds one directory per process that uses the runner's root."""


@dataclass(frozen=True, slots=True)
class House:
    """The directories, accounts and tools of one runner.

    Args:
        root: Holds everything below.
        session: Scratch space of this process.
        accounts: As whom users' code runs.
        interpreters: Those that the build account can run.
        environments: Shared with other processes.
        sandbox: None where bubblewrap is not installed or not allowed.
        shim: The script that instances run, where every account can read it.
    """

    root: Path
    session: Session
    accounts: Accounts
    interpreters: Interpreters
    environments: Environments
    sandbox: Sandbox | None
    shim: Path

    @property
    def revisions(self) -> Path:
        """Holds one directory per unpacked package."""
        return self.root / "revisions"

    @property
    def lent(self) -> Path:
        """Holds the files that requests need, while they run."""
        return self.session.folder / "lent"

    async def entrance(self, interpreter: Interpreter) -> Path:
        """The program that starts instances of an interpreter's environments."""
        return await provide_entrance(interpreter, self.shim, self.session, self.accounts.build)

    def close(self) -> None:
        """Remove this process's scratch space."""
        self.session.close()


@dataclass(frozen=True, slots=True)
class Plan:
    """How a runner shall be set up.

    Args:
        root: Made when missing.
        cache: The installer's cache, or None for one below `root`.
        user: Name of the user that runs users' code, or None to choose.
        hidden: Directories of which users' code sees nothing but what it needs.
        sandboxed: Use bubblewrap where it works.
    """

    root: Path
    cache: Path | None
    user: str | None
    hidden: tuple[Path, ...]
    sandboxed: bool


async def open_house(plan: Plan, watch: Watch) -> House:
    """Set everything up.

    Args:
        plan: How.
        watch: Ends what uses too much of the machine.
    """
    root = plan.root
    await asyncio.to_thread(_make_folders, root)
    accounts = choose_accounts(root, plan.user)
    interpreters = Interpreters(accounts.build)
    if not accounts.build.own and await interpreters.find("python3.8") is None:
        accounts = accounts.as_server(
            "Models run as the server's own user: no other user can run any interpreter here."
        )
        interpreters = Interpreters(accounts.build)
    session = await asyncio.to_thread(open_session, root / RUN)
    probe = await asyncio.to_thread(session.new_folder, "probe", accounts.build)
    await asyncio.to_thread(session.new_folder, "lent")
    script = await asyncio.to_thread(_install_shim, root)
    return House(
        root=root,
        session=session,
        accounts=accounts,
        interpreters=interpreters,
        environments=Environments(
            root / "environments",
            await asyncio.to_thread(_cache_folder, root, plan.cache, accounts.build),
            await asyncio.to_thread(session.new_folder, "home", accounts.build),
            accounts.build,
            Workshop(session, accounts, plan.hidden, script, watch),
        ),
        sandbox=await find_sandbox(accounts.build, plan.hidden, probe) if plan.sandboxed else None,
        shim=script,
    )


def _make_folders(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for folder in (root, root / "revisions", root / "environments"):
        folder.mkdir(exist_ok=True)
        # Others may enter, to reach what they know the name of; only the server may look around.
        folder.chmod(0o711)


def _cache_folder(root: Path, wanted: Path | None, account: Account) -> Path:
    folder = wanted if wanted is not None else root / "cache"
    if not folder.exists():
        # Another process may make it at the same moment.
        folder.mkdir(parents=True, exist_ok=True)
        account.take(folder)
    if not account.own and folder.stat().st_uid != account.uid:
        # It is somebody else's; leave it as it is.
        return _cache_folder(root, None, account) if wanted is not None else _retaken(folder, account)
    return folder


def _retaken(folder: Path, account: Account) -> Path:
    """The runner's own cache, made while another account was chosen; the installer replaces what it cannot read."""
    account.take(folder)
    return folder


def _install_shim(root: Path) -> Path:
    source = Path(shim.__file__).read_bytes()
    folder = root / "shim"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    place = folder / f"{sha256(source).hexdigest()[:16]}.py"
    if not place.exists():
        fresh = folder / f".{os.getpid()}.py"
        fresh.write_bytes(source)
        fresh.chmod(0o644)
        fresh.rename(place)
    return place
