"""A private view of the machine for an instance, where bubblewrap is installed and allowed to work."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quadrat.runner.accounts import Account
from quadrat.runner.commands import Command, run


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Wraps a command so that it sees the machine read-only and nothing of the server's data but what it needs.

    Args:
        program: The bubblewrap program.
        hidden: Directories shown empty.
    """

    program: Path
    hidden: tuple[Path, ...]

    def wrap(self, argv: Sequence[str], readable: Sequence[Path], scratch: Path, temporary: Path) -> list[str]:
        """The command that runs `argv` inside.

        Args:
            argv: Program and arguments, as seen inside.
            readable: Shown although they lie in a hidden directory.
            scratch: Shown and writable.
            temporary: Stands for ``/tmp``.
        """
        options = ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--ro-bind", "/", "/"]
        options += ["--dev-bind", "/dev", "/dev", "--proc", "/proc", "--bind", str(temporary), "/tmp"]  # noqa: S108
        for folder in self.hidden:
            options += ["--tmpfs", str(folder)]
        for path in readable:
            options += ["--ro-bind", str(path), str(path)]
        options += ["--bind", str(scratch), str(scratch), "--chdir", str(scratch)]
        for folder in self.hidden:
            # What is written there would fill the memory.
            options += ["--remount-ro", str(folder)]
        return [str(self.program), *options, "--", *argv]


async def find_sandbox(account: Account, hidden: tuple[Path, ...], probe_dir: Path) -> Sandbox | None:
    """The sandbox if it works here: some containers and kernels allow no user namespaces.

    Args:
        account: As whom instances run.
        hidden: Directories shown empty.
        probe_dir: Directory of the account, below a hidden one.
    """
    program = shutil.which("bwrap")
    true = shutil.which("true")
    if program is None or true is None:
        return None
    sandbox = Sandbox(Path(program), hidden)
    argv = sandbox.wrap([true], [], probe_dir, probe_dir)
    unheard: list[str] = []
    code = await run(Command(argv=argv, cwd=Path("/"), env={}, account=account), unheard.append)
    return sandbox if code == 0 else None
