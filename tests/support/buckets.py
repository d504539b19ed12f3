"""A bucket of an S3 service of the tests' own (moto, over HTTP)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx2
from moto.server import ThreadedMotoServer

from quadrat.storage.blobs import BlobStore

SIGNING_KEY = b"s" * 32


@contextmanager
def s3_service() -> Iterator[str]:
    """Its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def new_bucket(endpoint: str) -> BlobStore:
    """A store in a bucket of its own."""
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
