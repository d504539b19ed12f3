"""The database is away, the disk is full: each API says so in its own words, and all goes on without a restart."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from quadrat.db.embedded import EmbeddedPostgres
from support.disks import fill_disk
from support.server import ADMIN_TOKEN, Server, wait_for

Serve = Callable[..., Server]
#: For each API something that reads the database, how it takes a token, and where its sentence is.
ASKED: dict[str, tuple[str, dict[str, Any], str]] = {
    "ubiops": ("/v2.1/projects", {"headers": {"Authorization": f"Token {ADMIN_TOKEN}"}}, "error"),
    "lightly": ("/v1/datasets", {"params": {"token": ADMIN_TOKEN}}, "message"),
    "ecotaxa": ("/api/users/me", {"headers": {"Authorization": f"Bearer {ADMIN_TOKEN}"}}, "detail"),
    "pupilcloud": ("/v2/workspaces/", {"headers": {"api-key": ADMIN_TOKEN}}, "message"),
}


def _ask(server: Server, api: str, **more: Any) -> httpx2.Response:
    path, signed, _ = ASKED[api]
    return httpx2.request(more.pop("method", "GET"), server.url + more.pop("path", path), timeout=60, **signed, **more)


def _sentence(api: str, answer: httpx2.Response) -> str:
    return str(answer.json()[ASKED[api][2]])


def _each_refuses(server: Server, words: str) -> None:
    for api in ASKED:
        refused = _ask(server, api)
        assert refused.status_code == 503, f"{api}: {refused.status_code} {refused.text}"
        assert words in _sentence(api, refused)
        assert refused.headers["retry-after"]
    ready = httpx2.get(f"{server.url}/readyz", timeout=60)
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "fail")
    assert httpx2.get(f"{server.url}/healthz").status_code == 200


def _each_answers(server: Server) -> None:
    wait_for(lambda: httpx2.get(f"{server.url}/readyz", timeout=60).status_code == 200)
    for api in ASKED:
        assert _ask(server, api).status_code == 200, api


def test_database_frozen_each_api_says_so_and_goes_on(serve: Serve) -> None:
    server = serve()
    postmaster = server.postmaster()
    postmaster.suspend()  # first, so that it forks no further servers
    frozen = [postmaster, *postmaster.children()]
    for process in frozen[1:]:
        process.suspend()
    try:
        unknown = httpx2.get(f"{server.url}/v2.1/user", headers={"Authorization": f"Token {'0' * 40}"}, timeout=60)
        status = httpx2.get(f"{server.url}/v2.1/status", timeout=60)
    finally:
        for process in reversed(frozen):
            process.resume()
    assert (unknown.status_code, status.json()) == (503, {"status": "fail"})
    assert "database" in unknown.json()["error"]
    _each_answers(server)


@pytest.fixture
def external(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that is none of Quadrat's: nobody starts it again but the test."""
    server = EmbeddedPostgres(tmp_path / "elsewhere")
    server.start()
    yield server
    server.stop()


def _images(server: Server) -> list[Path]:
    return [path for path in (server.data_dir / "store" / "samples").rglob("*") if path.is_file()]


def test_external_database_stopped_and_started_all_goes_on(serve: Serve, external: EmbeddedPostgres) -> None:
    server = serve(QUADRAT_DATABASE_URL=external.url)
    dataset = _ask(server, "lightly", method="POST", json={"name": "kept", "type": "Images"}).json()["id"]
    samples = f"/v1/datasets/{dataset}/samples"
    sample = _ask(server, "lightly", method="POST", path=samples, json={"fileName": "a.png"}).json()["id"]
    signed = _ask(server, "lightly", path=f"{samples}/{sample}/writeurl").json()
    assert httpx2.put(signed, content=b"bytes").status_code == 200
    assert len(_images(server)) == 1
    worker = server.worker().pid
    external.stop()
    _each_refuses(server, "database does not answer")
    for _ in range(3):
        assert httpx2.put(signed, content=b"other").status_code == 503
    assert len(_images(server)) <= len(["before", "in doubt"])
    external.start()
    _each_answers(server)
    assert httpx2.put(signed, content=b"other").status_code == 200
    assert len(_images(server)) == 1
    # A job runs that was asked for after the return, in the worker that lived through it.
    assert _ask(server, "lightly", method="DELETE", path=f"/v1/datasets/{dataset}").status_code == 200
    wait_for(lambda: _images(server) == [])
    assert server.worker().pid == worker
    assert server.process.poll() is None


def _create_until_refused(server: Server, path: str, name: str) -> tuple[list[str], httpx2.Response]:
    """Projects until the database has no space for one more; the names of those that were accepted."""
    accepted: list[str] = []
    headers = {"Authorization": f"Token {ADMIN_TOKEN}"}
    with httpx2.Client(base_url=server.url, headers=headers, timeout=60) as client:
        for number in range(5000):
            title = f"{name}-{number}"
            answer = client.post(path, json={"name": title, "organization_name": "admin"})
            if answer.status_code != 201:
                return accepted, answer
            accepted.append(title)
    raise AssertionError("the disk was never full")


def test_disk_full_is_said_in_the_words_of_each_api_and_passes(serve: Serve, small_disk: Path) -> None:
    server = serve(small_disk / "data")
    organization = _ask(server, "ubiops", path="/v2.1/organizations").json()[0]["name"]
    assert organization == "admin"
    dataset = _ask(server, "lightly", method="POST", json={"name": "kept", "type": "Images"}).json()["id"]
    samples = f"/v1/datasets/{dataset}/samples"
    sample = _ask(server, "lightly", method="POST", path=samples, json={"fileName": "a.png"}).json()["id"]
    signed = _ask(server, "lightly", path=f"{samples}/{sample}/writeurl").json()
    assert httpx2.put(signed, content=b"old").status_code == 200
    filler = fill_disk(small_disk)
    full = httpx2.put(signed, content=bytes(3 << 20), timeout=60)
    assert (full.status_code, full.json()["error"][:16]) == (503, "The disk is full")
    accepted, refused = _create_until_refused(server, "/v2.1/projects", "p")
    assert refused.status_code == 503, refused.text
    assert set(refused.json()) == {"error"}
    # The other doors to the same table, while the database still lives or is away for want of space.
    for api, path, body in (
        ("ecotaxa", "/api/projects/create", {"title": "t" * 200}),
        ("pupilcloud", "/v2/workspaces/default/projects/", {"name": "t" * 200}),
    ):
        answer = _ask(server, api, method="POST", path=path, json=body)
        assert answer.status_code in {200, 503}, f"{api}: {answer.status_code} {answer.text}"
        if answer.status_code == 503:
            assert "disk" in _sentence(api, answer) or "database" in _sentence(api, answer)
    filler.unlink()
    _each_answers(server)
    names = {project["name"] for project in _ask(server, "ubiops").json()}
    assert set(accepted) <= names
    assert httpx2.put(signed, content=b"new").status_code == 200
    more = _ask(server, "ubiops", method="POST", json={"name": "after", "organization_name": organization})
    assert more.status_code == 201
    assert server.process.poll() is None


def test_worker_that_starts_while_the_database_is_away_waits_for_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        gone.settimeout(60)
        url = f"postgresql://nobody@127.0.0.1:{gone.getsockname()[1]}/none"
        command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(tmp_path), "worker"]
        worker = subprocess.Popen(command, env={**os.environ, "QUADRAT_DATABASE_URL": url})
        try:
            for _ in range(12):  # more often than one look takes
                gone.accept()[0].close()
            assert worker.poll() is None
            worker.terminate()
            assert worker.wait(30) == 0
        finally:
            worker.kill()
            worker.wait()
