"""Real `quadrat` processes on temporary data directories."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.server import Server, launch


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers; whatever still runs at the end of the test is stopped."""
    running: list[Server] = []

    def start(data_dir: Path | None = None, **settings: str) -> Server:
        server = launch(data_dir or tmp_path / "data", **settings)
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
