"""A live server, and programs that talk to it from environments of their own.

``QUADRAT_CONTRACT_URL`` and ``QUADRAT_CONTRACT_TOKEN`` aim the same tests at a server that runs already; the token
must be a platform administrator's.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".venvs" / "clients"
SCRIPTS = Path(__file__).parent / "clients"
START_DEADLINE_S = 60
STOP_DEADLINE_S = 30


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens and what opens it; where its data lies, if it is ours."""

    url: str
    token: str
    email: str | None
    password: str | None
    data_dir: Path | None = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all tests of this folder in one worker, so that they share one server."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("live_server"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server under test: the one that the environment names, else one of our own for the session."""
    url = os.environ.get("QUADRAT_CONTRACT_URL")
    if url:
        yield Server(url.rstrip("/"), os.environ["QUADRAT_CONTRACT_TOKEN"], None, None)
        return
    folder = tmp_path_factory.mktemp("server")
    process, running = start(folder)
    try:
        wait_until_ready(process, running.url, folder / "server.log")
        yield running
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_DEADLINE_S) == 0, log_of(folder / "server.log")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def start(folder: Path) -> tuple[subprocess.Popen[bytes], Server]:
    """Start `quadrat serve` as its user would, with nothing of Quadrat's in the environment but the administrator."""
    running = Server(
        url=f"http://127.0.0.1:{free_port()}",
        token=secrets.token_hex(20),
        email="admin@contract.example",
        password=f"Aa1!{secrets.token_hex(12)}",
        data_dir=folder / "data",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUADRAT_")} | {
        "QUADRAT_ADMIN_EMAIL": str(running.email),
        "QUADRAT_ADMIN_PASSWORD": str(running.password),
        "QUADRAT_ADMIN_TOKEN": running.token,
    }
    command = [Path(sys.executable).with_name("quadrat"), "serve", "--data-dir", folder / "data"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", running.url.rpartition(":")[2]],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            # A Ctrl-C in the terminal of the tests must reach the server through this fixture alone.
            start_new_session=True,
        )
    return process, running


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return once /readyz says 200; fail at once when the process has ended."""
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode} while it started\n{log_of(log)}")
        try:
            if httpx2.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            # Not listening yet; the process is looked at before the next try.
            time.sleep(0.05)
    pytest.fail(f"the server was not ready within {START_DEADLINE_S} s\n{log_of(log)}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def log_of(path: Path) -> str:
    return path.read_text("utf-8", "replace")[-8000:]


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx2.Client]:
    """A plain HTTP client for paths of the server."""
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def client_python() -> Callable[[str], Path]:
    """The interpreter of a client's environment."""

    def find(client: str) -> Path:
        environment = CLIENTS / client
        if not (environment / ".done").exists():
            pytest.fail(f"the environment of {client} is missing: run `make clients`")
        return environment / "bin" / "python"

    return find


@pytest.fixture(scope="session")
def run_script(server: Server, client_python: Callable[[str], Path]) -> Callable[..., Any]:
    """Run one script of tests/contract/clients in its client's environment; its result is the JSON that it prints."""

    def run(client: str, script: str, *, token: str | None = None, timeout_s: float = 110) -> Any:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("QUADRAT_", "PYTHON"))}
        environment["QUADRAT_CONTRACT_URL"] = server.url
        environment["QUADRAT_CONTRACT_TOKEN"] = token or server.token
        done = subprocess.run(
            [client_python(client), SCRIPTS / client / script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{client}/{script} ended with {done.returncode}\n{done.stderr[-6000:]}"
        return json.loads(done.stdout)

    return run
