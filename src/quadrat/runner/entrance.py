"""Where instances start: outside of their environments, which they enter when their walls stand.

Requirements may run code whenever the Python of their environment starts (`.pth` files, `sitecustomize`), and what is
built from sources can put another Python there. So an instance starts from an empty environment of the server's own,
one per interpreter, with the shim as that interpreter has compiled it. Nothing that anybody uploaded or installed is
looked at by then, nor what was declared as environment variables: these can make programs load code, too.
"""

import asyncio
import os
import re
import secrets
import shutil
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from quadrat.runner.accounts import Account
from quadrat.runner.commands import Command, run
from quadrat.runner.interpreters import Interpreter
from quadrat.runner.session import Session

_COMPILE = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)"
_COMPILED = "shim.pyc"
_MOST_BYTES = 1024 * 1024
# Read by Python, the loader of programs or the C library before a line of code runs.
_AT_START = re.compile(r"(PYTHON|LD_|DYLD_|LC_|GLIBC_|MALLOC_|GCONV_).*|LANG|LANGUAGE|LOCPATH|NLSPATH|TZ|TZDIR")


def read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
    """Those that count only where they are there when a program starts."""
    return {name: value for name, value in variables.items() if _AT_START.fullmatch(name)}


def script_of(entrance: Path, shim: Path) -> Path:
    """What the program of an entrance runs: the compiled shim, or the shim where that could not be compiled."""
    compiled = entrance.parent.parent / _COMPILED
    return compiled if compiled.exists() else shim


async def provide_entrance(interpreter: Interpreter, shim: Path, session: Session, account: Account) -> Path:
    """The program that starts instances, beside the shim; made when it is missing.

    Args:
        interpreter: Of the environments that are entered.
        shim: The script, in a directory of the server's.
        session: Where the interpreter compiles.
        account: As whom it does that.
    """
    facts = f"{interpreter.path}\n{interpreter.version}"
    place = shim.parent / f"{shim.stem}-{sha256(facts.encode()).hexdigest()[:16]}"
    program = place / "bin" / interpreter.path.name
    if not await asyncio.to_thread(program.is_symlink):
        await asyncio.to_thread(_furnish, place, interpreter)
    if not await asyncio.to_thread((place / _COMPILED).exists):
        # Whoever asks a model that does not run yet would wait for the compiling.
        work = await asyncio.to_thread(session.new_folder, f"shim-{secrets.token_hex(4)}", account)
        compiled = work / _COMPILED
        argv = [str(interpreter.path), "-I", "-S", "-c", _COMPILE, str(shim), str(compiled)]
        command = Command(argv=argv, cwd=Path("/"), env={"LANG": "C.UTF-8"}, account=account)
        if await run(command, lambda _line: None) == 0:
            await asyncio.to_thread(_keep, compiled, account, place / _COMPILED)
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    return program


def _furnish(place: Path, interpreter: Interpreter) -> None:
    fresh = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    (fresh / "bin").mkdir(parents=True)
    (fresh / "bin" / interpreter.path.name).symlink_to(interpreter.path)
    version = ".".join(map(str, interpreter.version))
    facts = f"home = {interpreter.path.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    (fresh / "pyvenv.cfg").write_text(facts)
    for path in (fresh, fresh / "bin"):
        path.chmod(0o755)
    (fresh / "pyvenv.cfg").chmod(0o644)
    try:
        fresh.rename(place)
    except OSError:  # another process has made it meanwhile
        shutil.rmtree(fresh)


def _keep(written: Path, account: Account, target: Path) -> None:
    """Take over what an account wrote, but nothing to which it has put a link: the server may read what it may not."""
    try:
        descriptor = os.open(written, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    with os.fdopen(descriptor, "rb") as source:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != account.uid or facts.st_size > _MOST_BYTES:
            return
        data = source.read(_MOST_BYTES)
    fresh = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    fresh.write_bytes(data)
    fresh.chmod(0o644)
    fresh.rename(target)
