"""Real `quadrat` processes on temporary data directories."""

import atexit
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any, TypeVar

import httpx2
import psutil

T = TypeVar("T")
ADMIN_TOKEN = "ad" * 20
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60


@dataclass
class Server:
    """A running `quadrat serve`."""

    process: subprocess.Popen[str]
    data_dir: Path
    url: str
    stdout: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    def request(self, method: str, path: str, *, token: str = ADMIN_TOKEN, **options: Any) -> httpx2.Response:
        """One request with a token."""
        headers = {"Authorization": f"Token {token}"}
        return httpx2.request(method, self.url + path, headers=headers, timeout=60, **options)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("POST", path, **options)

    @property
    def log(self) -> str:
        return (self.data_dir / "server.log").read_text()

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(STOP_TIMEOUT_S)
        self._join()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        self._join()

    def _join(self) -> None:
        assert self.reader is not None
        self.reader.join(STOP_TIMEOUT_S)

    def worker(self) -> psutil.Process:
        """The worker process that serves jobs now."""
        return wait_for(lambda: next(iter(self.workers()), None))

    def workers(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "worker" in words and str(self.data_dir.resolve()) in words:
                found.append(process)
        return found

    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0]))


def wait_for(look: Callable[[], T | None], timeout_s: float = 60) -> T:
    """What `look` finds, looked for until the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing came within {timeout_s} s")
        time.sleep(0.05)


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def environment(**settings: str) -> dict[str, str]:
    """The machine's environment without its own settings, with these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QUADRAT_")}
    return {
        **inherited,
        "QUADRAT_ADMIN_EMAIL": "admin@example.org",
        "QUADRAT_ADMIN_PASSWORD": "Correct-horse-1",
        "QUADRAT_ADMIN_TOKEN": ADMIN_TOKEN,
        # Other tests fill the machine meanwhile: jobs that stood back for them would be late.
        "QUADRAT_WORKER_NICENESS": "0",
        # Models of these tests tell what they do by files in a directory for all.
        "QUADRAT_MODEL_SANDBOX": "false",
        **settings,
    }


def quadrat(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), *arguments],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@functools.cache
def _migrated() -> Path:
    """A data directory with a database and its tables and nothing in them, for copies; goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="quadrat-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    done = quadrat(folder / "data", "db", "upgrade")
    assert done.returncode == 0, done.stderr
    return folder / "data"


def launch(data_dir: Path, *, empty: bool = False, **settings: str) -> Server:
    """Start a server and wait until it says its address.

    Args:
        data_dir: One that is not there begins as a copy of a migrated one, which saves seconds.
        empty: It begins empty instead.
        settings: By the names of their variables.
    """
    if not (empty or data_dir.exists() or "QUADRAT_DATABASE_URL" in settings):
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        # With owners and modes, which the database insists on.
        subprocess.run(["cp", "-a", _migrated(), data_dir], check=True)
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "server.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "serve", "--port", "0"],
            env=environment(**settings),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    server = Server(process, data_dir, "")
    lines: Queue[str | None] = Queue()
    server.reader = threading.Thread(target=_read, args=(process, server.stdout, lines), daemon=True)
    server.reader.start()
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            line = lines.get(timeout=max(0, deadline - time.monotonic()))
        except Empty:
            line = None
        if line is None:
            process.kill()
            raise AssertionError(f"the server did not start:\n{server.log[-4000:]}")
        found = re.search(r"http://\S+", line)
        if found:
            server.url = found.group()
            return server


def _read(process: subprocess.Popen[str], kept: list[str], lines: "Queue[str | None]") -> None:
    assert process.stdout is not None
    with process.stdout as stdout:
        for line in stdout:
            kept.append(line)
            lines.put(line)
    lines.put(None)


def start_worker(data_dir: Path, log: Path, **settings: str) -> subprocess.Popen[bytes]:
    """A `quadrat worker` of its own beside a server."""
    with log.open("a") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "worker"],
            env=environment(**settings),
            stdout=out,
            stderr=out,
        )
