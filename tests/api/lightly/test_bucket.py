"""Samples whose bytes go straight into a bucket, which tells nobody."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from quadrat.samples.store import images
from quadrat.samples.tasks import note_arrivals
from quadrat.samples.types import DatasetId, SampleId
from support.buckets import new_bucket, s3_service
from support.gallery import Gallery, open_gallery, picture
from support.house import House

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("lightly_jobs")]


@pytest.fixture
def endpoint() -> Iterator[str]:
    with s3_service() as address:
        yield address


@pytest.fixture
async def gallery(house: House, endpoint: str, tmp_path: Path) -> Gallery:
    return await open_gallery(house, tmp_path, new_bucket(endpoint))


async def put(gallery: Gallery, dataset: str, sample: str, content: bytes) -> None:
    url = await gallery.get(f"/datasets/{dataset}/samples/{sample}/writeurl")
    async with httpx2.AsyncClient() as client:
        assert (await client.put(url, content=content)).status_code == 200


async def note(gallery: Gallery, dataset: str) -> int:
    return await note_arrivals(gallery.house.db, gallery.blobs, DatasetId(dataset))


async def test_bytes_in_a_bucket_are_noted_when_they_come_and_when_they_come_again(gallery: Gallery):
    dataset = await gallery.make_dataset()
    first, second, third = await gallery.make_samples(dataset, 3)
    assert await note(gallery, dataset) == 0
    for sample in (first, second):
        await put(gallery, dataset, sample, picture())
    assert [await note(gallery, dataset) for _ in range(2)] == [2, 0]
    again = picture((20, 10))
    await put(gallery, dataset, first, again)
    assert [await note(gallery, dataset) for _ in range(2)] == [1, 0]
    found = {one["sampleId"]: one for one in await gallery.get(f"/datasets/{dataset}/uploads")}
    assert {sample: found[sample]["state"] for sample in (first, second, third)} == {
        first: "stored", second: "stored", third: "missing",
    }  # fmt: skip
    assert found[first]["sizeInBytes"] == len(again)
    async with gallery.house.db.begin() as tx:
        etag, location = await images.find_full(tx, SampleId(first)) or ("", None)
    looked = await gallery.images.look(DatasetId(dataset), SampleId(first), etag, location)
    assert looked.facts.size_px == (20, 10)


async def test_bytes_of_samples_that_are_gone_are_not_noted(gallery: Gallery):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    await put(gallery, dataset, sample, picture())
    assert (await gallery.client.delete(f"/datasets/{dataset}")).status_code == 200
    assert await note(gallery, dataset) == 0
