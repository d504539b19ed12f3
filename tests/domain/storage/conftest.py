"""The same tests on a folder and on an S3 service of its own (moto, over HTTP)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from quadrat.storage.blobs import BlobStore
from support.buckets import SIGNING_KEY, new_bucket, s3_service


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_service() as endpoint:
        yield endpoint


@pytest.fixture(params=["disk", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "disk":
        return BlobStore.on_disk(tmp_path / "store", SIGNING_KEY)
    return new_bucket(request.getfixturevalue("s3_endpoint"))
