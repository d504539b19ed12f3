"""Exports of a server whose bytes lie in a bucket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.archives import archive, picture, row, table
from support.buckets import new_bucket, s3_service
from support.exports import ExportBench, member, members, open_bench, run_worker
from support.house import House

pytestmark = pytest.mark.anyio
OBJECTS = 70  # more images than are fetched at a time


@pytest.fixture
def endpoint() -> Iterator[str]:
    with s3_service() as address:
        yield address


@pytest.fixture
async def bench(house: House, endpoint: str, tmp_path: Path) -> AsyncIterator[ExportBench]:
    made = await open_bench(house, tmp_path, new_bucket(endpoint))
    async with run_worker(house, made.resources):
        rows = [row(number, object_area=number) for number in range(OBJECTS)]
        images = {f"o{number}.png": picture(shade=number) for number in range(OBJECTS)}
        await made.load(archive(tmp_path / "in.zip", {"ecotaxa.tsv": table(rows), **images}))
        yield made


async def test_backup_from_a_bucket_holds_all_images_and_is_given_in_ranges(bench: ExportBench, tmp_path: Path):
    job = await bench.job("/backup")
    path = f"/jobs/{job['id']}/file"
    answer = await bench.http.get(path)
    content = answer.content
    assert answer.headers["content-disposition"] == f'attachment; filename="{job["result"]["out_file"]}"'
    assert int(answer.headers["content-length"]) == len(content)
    assert {name: member(content, name) for name in members(content) if name.endswith(".png")} == {
        f"s1/o{number}.png": picture(shade=number) for number in range(OBJECTS)
    }
    part = await bench.http.get(path, headers={"Range": f"bytes={len(content) - 30}-"})
    assert (part.status_code, part.content) == (206, content[-30:])
    (tmp_path / "backup.zip").write_bytes(content)
    copy = await bench.house.make_project(bench.owner)
    await bench.load(tmp_path / "backup.zip", copy.id)
    assert await bench.rows("SELECT count(*) FROM objects.image WHERE project_id = :copy", copy=copy.id) == [(OBJECTS,)]


async def test_image_that_a_bucket_lost_is_named_and_the_file_goes_with_its_job(bench: ExportBench):
    ((image, project),) = await bench.rows(
        "SELECT id, project_id FROM objects.image WHERE project_id = :p AND file_name = 'o7.png'"
    )
    blobs = bench.resources.blobs
    await blobs.delete(f"objects/{project}/images/{image}.png")
    job = await bench.job("/general", with_images="all")
    content = (await bench.http.get(f"/jobs/{job['id']}/file")).content
    assert sum(name.endswith(".png") for name in members(content)) == OBJECTS - 1
    assert "1 images are not in the store" in await bench.log(job["id"])
    assert (await bench.job("/summary"))["state"] == "F"
    kept = [key async for key, _ in blobs.list_prefix("objects/exports")]
    assert len(kept) == 2
    assert (await bench.http.delete(f"/jobs/{job['id']}")).status_code == 200
    async with asyncio.timeout(30):
        while len([key async for key, _ in blobs.list_prefix("objects/exports")]) == len(kept):
            await asyncio.sleep(0.02)
