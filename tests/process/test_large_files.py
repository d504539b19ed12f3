"""Files of 2 GiB go through the server in pieces: its memory does not grow with them."""

import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx2
import psutil
import pytest

from support import servers
from support.server import ADMIN_TOKEN, Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MIB = 1024**2
SIZE = 2 * 1024 * MIB
ALLOWED_GROWTH = 64 * MIB
PIECE = os.urandom(MIB)


@dataclass
class Peak:
    """Most resident memory of a process above what it held at the beginning."""

    growth_bytes: int = 0


@contextmanager
def watched(server: Server) -> Iterator[Peak]:
    process = psutil.Process(server.process.pid)
    before, peak, done = process.memory_info().rss, Peak(), threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            peak.growth_bytes = max(peak.growth_bytes, process.memory_info().rss - before)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def pieces(size: int) -> Iterator[bytes]:
    for number in range(size // MIB):
        yield number.to_bytes(8, "big") + PIECE[8:]


def digest(chunks: Iterator[bytes]) -> str:
    found = sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def signed(server: Server, path: str) -> str:
    answer = httpx2.get(f"{server.url}/v1{path}", params={"token": ADMIN_TOKEN})
    assert answer.status_code == 200, answer.text
    return str(answer.json())


def test_two_gibibytes_through_signed_addresses_leave_memory_as_it_is(
    serve: Callable[..., Server], record_property: Callable[[str, object], None]
) -> None:
    server = serve()
    token = {"token": ADMIN_TOKEN}
    made = httpx2.post(f"{server.url}/v1/datasets", params=token, json={"name": "large", "type": "Images"}).json()["id"]
    samples = f"/datasets/{made}/samples"
    sample = httpx2.post(f"{server.url}/v1{samples}", params=token, json={"fileName": "a.tif"}).json()["id"]
    write = signed(server, f"{samples}/{sample}/writeurl")
    assert httpx2.put(write, content=pieces(8 * MIB)).status_code == 200
    read = signed(server, f"{samples}/{sample}/readurl")
    assert httpx2.get(read).status_code == 200
    with watched(server) as peak:
        answer = httpx2.put(write, content=pieces(SIZE), headers={"Content-Length": str(SIZE)}, timeout=600)
        assert answer.status_code == 200, answer.text
        with httpx2.stream("GET", read, timeout=600) as got:
            assert got.headers["content-length"] == str(SIZE)
            assert digest(got.iter_bytes()) == digest(pieces(SIZE))
    record_property("growth_mib", round(peak.growth_bytes / MIB, 1))
    assert 0 < peak.growth_bytes < ALLOWED_GROWTH


@pytest.fixture(params=["disk", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of a store on disk, or in a bucket of an S3 service."""
    if request.param == "disk":
        yield {}
        return
    with servers.moto(tmp_path) as url:
        signed_by = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}
        assert httpx2.put(f"{url}/large", headers=signed_by).status_code == 200
        yield {
            "QUADRAT_STORE_URL": "s3://large/quadrat",
            "QUADRAT_STORE_ENDPOINT": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }


def test_package_of_two_gibibytes_up_and_down_leaves_memory_as_it_is(
    serve: Callable[..., Server],
    store: dict[str, str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    server = serve(QUADRAT_WORKERS="0", **store)
    organization = server.get("/v2.1/organizations").json()[0]["name"]
    server.post("/v2.1/projects", json={"name": "large", "organization_name": organization})
    model = {"name": "model", "input_type": "plain", "output_type": "plain"}
    assert server.post("/v2.1/projects/large/models", json=model).status_code == 201
    versions = "/v2.1/projects/large/models/model/versions"
    assert server.post(versions, json={"version": "v1"}).status_code == 201
    small, large = tmp_path / "small.zip", tmp_path / "large.zip"
    for path, size in ((small, 8 * MIB), (large, SIZE - MIB)):
        with zipfile.ZipFile(path, "w") as archive, archive.open("model_package/weights", "w") as entry:
            for piece in pieces(size):
                entry.write(piece)
    _upload(server, f"{versions}/v1/upload", small)
    with watched(server) as peak:
        _upload(server, f"{versions}/v1/upload", large)
        headers = {"Authorization": f"Token {ADMIN_TOKEN}"}
        with httpx2.stream("GET", f"{server.url}{versions}/v1/download", headers=headers, timeout=600) as got:
            assert got.status_code == 200
            received = digest(got.iter_bytes())
    with large.open("rb") as file:
        assert received == digest(iter(lambda: file.read(MIB), b""))
    record_property("growth_mib", round(peak.growth_bytes / MIB, 1))
    assert 0 < peak.growth_bytes < ALLOWED_GROWTH


def _upload(server: Server, path: str, archive: Path) -> None:
    with archive.open("rb") as file:
        answer = httpx2.put(
            server.url + path,
            headers={"Authorization": f"Token {ADMIN_TOKEN}"},
            files={"file": ("package.zip", file, "application/zip")},
            timeout=600,
        )
    assert answer.status_code == 200, answer.text
