"""Real `quadrat` processes on temporary data directories."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.server import Server, launch

SMALL_DISK_MIB = 200


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers; whatever still runs at the end of the test is stopped."""
    running: list[Server] = []

    def start(data_dir: Path | None = None, *, empty: bool = False, **settings: str) -> Server:
        server = launch(data_dir or tmp_path / "data", empty=empty, **settings)
        running.append(server)
        return server

    yield start
    for server in running:
        if server.process.poll() is None:
            server.stop()
        # A server that the test killed leaves its database to the next one; here no next one comes.
        pid_file = server.data_dir / "postgres" / "postmaster.pid"
        if pid_file.exists():
            server.postmaster().terminate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for a data directory."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("mounting a small disk needs root on Linux")
    root = tmp_path / "small"
    root.mkdir()
    options = f"size={SMALL_DISK_MIB}m,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(root)], check=True)
    yield root
    subprocess.run(["umount", "-l", str(root)], check=True)
