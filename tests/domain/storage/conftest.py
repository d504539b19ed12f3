"""The same tests on a folder and on an S3 service of its own (moto, over HTTP)."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from moto.server import ThreadedMotoServer

from quadrat.storage.blobs import BlobStore

SIGNING_KEY = b"s" * 32


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["disk", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "disk":
        return BlobStore.on_disk(tmp_path / "store", SIGNING_KEY)
    endpoint = request.getfixturevalue("s3_endpoint")
    bucket = f"bucket-{uuid4().hex[:12]}"
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}
    assert httpx2.put(f"{endpoint}/{bucket}", headers=headers).status_code == 200
    return BlobStore.in_bucket(
        f"s3://{bucket}/quadrat",
        SIGNING_KEY,
        {
            "endpoint": endpoint,
            "access_key_id": "test",
            "secret_access_key": "test",
            "region": "us-east-1",
            "client_options": {"allow_http": True},
        },
    )
