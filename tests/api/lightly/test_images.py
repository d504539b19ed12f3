"""What the server finds in images: numbers, thumbnails, hashes, and what is none."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
import pytest
from PIL import Image
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError
from quadrat.samples.rules.samples import blob_key
from quadrat.samples.store import images
from quadrat.samples.store.datasets import lock_dataset
from quadrat.samples.tables import fact
from quadrat.samples.types import DatasetId, Facts, Rendition, SampleId, StoredImage
from quadrat.storage.types import Received
from support.gallery import Gallery, picture

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("lightly_jobs")]


async def sample_with(gallery: Gallery, content: bytes, **body: Any) -> tuple[str, str]:
    """A new dataset with a sample of these bytes, looked into."""
    dataset = await gallery.make_dataset()
    sample = await gallery.make(f"/datasets/{dataset}/samples", fileName="a b/ü.png", **body)
    await gallery.upload(dataset, sample, content)
    await gallery.until_read(dataset)
    return dataset, sample


async def thumbnail(gallery: Gallery, dataset: str, sample: str) -> Image.Image:
    url = await gallery.get(f"/datasets/{dataset}/samples/{sample}/readurl", type="thumbnail")
    answer = await gallery.store.get(url)
    assert answer.headers["content-type"] == "image/webp"
    return Image.open(io.BytesIO(answer.content))


async def test_numbers_and_exif_of_an_image_are_filled_in(working_gallery: Gallery):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0131] = "Soft\0\0"
    content = picture((64, 48), exif=exif)
    dataset, sample = await sample_with(working_gallery, content)
    found = await working_gallery.get(f"/datasets/{dataset}/samples/{sample}")
    meta = found["metaData"]
    assert set(meta) == {
        "sizeInBytes", "shape", "mean", "std", "sumOfValues", "sumOfSquares", "snr", "sharpness", "luminance",
        "uniformRowRatio",
    }  # fmt: skip
    assert (meta["sizeInBytes"], meta["shape"]) == (len(content), [48, 64, 3])
    assert found["exif"]["Make"] == "Maker"
    assert found["exif"]["Software"].startswith("Soft")
    assert "\0" not in found["exif"]["Software"]
    listed = (await working_gallery.get(f"/datasets/{dataset}/samples"))[0]
    assert listed == found


async def test_what_a_client_sent_is_never_overwritten(working_gallery: Gallery):
    given = {"sharpness": 1.25, "mean": [0.1, 0.2, 0.3]}
    dataset, sample = await sample_with(working_gallery, picture(), metaData=given, exif={"Make": "mine"})
    found = await working_gallery.get(f"/datasets/{dataset}/samples/{sample}")
    assert {key: found["metaData"][key] for key in given} == given
    assert found["metaData"]["shape"] == [48, 64, 3]
    assert found["exif"] == {"Make": "mine"}
    await working_gallery.upload(dataset, sample, picture((80, 60)))
    await working_gallery.until_read(dataset)
    again = await working_gallery.get(f"/datasets/{dataset}/samples/{sample}")
    assert {key: again["metaData"][key] for key in given} == given
    assert again["metaData"]["shape"] == [60, 80, 3]


async def test_facts_beyond_the_wire_are_kept(working_gallery: Gallery):
    content = picture()
    _, sample = await sample_with(working_gallery, content)
    async with working_gallery.house.db.begin() as tx:
        query = select(
            fact.c.sha256, fact.c.width_px, fact.c.height_px, fact.c.format, fact.c.bit_depth, fact.c.perceptual_hash
        ).where(fact.c.sample_id == sample)
        sha256, *others, hash_ = (await tx.execute(query)).one()
    assert sha256 == hashlib.sha256(content).digest()
    assert others == [64, 48, "PNG", 8]
    assert hash_ is not None


async def test_thumbnail_is_made_unless_the_client_sent_one(working_gallery: Gallery):
    dataset, sample = await sample_with(working_gallery, picture((300, 200)))
    assert (await thumbnail(working_gallery, dataset, sample)).size == (128, 85)
    theirs = io.BytesIO()
    Image.new("RGB", (10, 10), "red").save(theirs, "WEBP")
    await working_gallery.upload(dataset, sample, picture((300, 200)), thumbnail=theirs.getvalue())
    assert (await thumbnail(working_gallery, dataset, sample)).size == (10, 10)


async def test_thumbnail_follows_new_bytes(working_gallery: Gallery):
    dataset, sample = await sample_with(working_gallery, picture((300, 200)))
    await working_gallery.upload(dataset, sample, picture((200, 300)))
    assert (await thumbnail(working_gallery, dataset, sample)).size == (85, 128)


async def test_thumbnail_asked_for_before_any_job_is_made_at_once_and_only_once(gallery: Gallery):
    """No worker runs here."""
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    await gallery.upload(dataset, sample, picture((300, 200)))
    sizes = await asyncio.gather(*(thumbnail(gallery, dataset, sample) for _ in range(5)))
    assert {image.size for image in sizes} == {(128, 85)}
    assert (await gallery.get(f"/datasets/{dataset}/uploads"))[0]["isMeasured"]


@pytest.mark.parametrize("content", [b"", b"no image", picture()[:200]])
async def test_undecodable_image_is_shown_as_such_and_stays_readable(content: bytes, working_gallery: Gallery):
    dataset, sample = await sample_with(working_gallery, content)
    (found,) = await working_gallery.get(f"/datasets/{dataset}/uploads", state="undecodable")
    assert found["sampleId"] == sample
    assert found["problem"]
    answer = await working_gallery.client.get(
        f"/datasets/{dataset}/samples/{sample}/readurl", params={"type": "thumbnail"}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "SAMPLE_THUMBNAME_UNKNOWN")
    url = await working_gallery.get(f"/datasets/{dataset}/samples/{sample}/readurl")
    assert (await working_gallery.store.get(url)).content == content
    await working_gallery.upload(dataset, sample, picture())
    assert await working_gallery.until_read(dataset) == {"missing": 0, "stored": 1, "undecodable": 0, "waiting": 0}


async def test_many_images_are_read_in_few_jobs(working_gallery: Gallery):
    dataset = await working_gallery.make_dataset()
    samples = await working_gallery.make_samples(dataset, 30)
    content = picture()
    await asyncio.gather(*(working_gallery.upload(dataset, sample, content) for sample in samples))
    assert await working_gallery.until_read(dataset) == {"missing": 0, "stored": 30, "undecodable": 0, "waiting": 0}
    pairs = await working_gallery.get(f"/datasets/{dataset}/duplicates", by="bytes")
    assert [pair["sampleId"] for pair in pairs] == samples[1:]
    assert {pair["duplicateOf"] for pair in pairs} == {samples[0]}


async def test_pictures_that_look_alike_are_found(working_gallery: Gallery):
    dataset = await working_gallery.make_dataset()
    first, second, _other = await working_gallery.make_samples(dataset, 3)
    scene = Image.radial_gradient("L").resize((400, 300)).convert("RGB")
    scene.paste("red", (20, 30, 150, 200))
    for sample, image, kind in ((first, scene, "PNG"), (second, scene.resize((200, 150)), "JPEG")):
        encoded = io.BytesIO()
        image.save(encoded, kind)
        await working_gallery.upload(dataset, sample, encoded.getvalue())
    await working_gallery.upload(dataset, _other, picture())
    await working_gallery.until_read(dataset)
    path = f"/datasets/{dataset}/duplicates"
    (pair,) = await working_gallery.get(path, by="look", maxDistance=3)
    assert (pair["sampleId"], pair["duplicateOf"]) == (second, first)
    assert await working_gallery.get(path, by="bytes") == []
    assert (await working_gallery.client.get(path, params={"by": "look", "maxDistance": 9})).status_code == 400


async def test_image_that_is_replaced_while_it_waits_is_known_by_what_it_is_then(gallery: Gallery):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    place = (DatasetId(dataset), SampleId(sample))
    etags = []
    for content in (picture(), newer := picture((50, 40))):
        await gallery.upload(dataset, sample, content)
        async with gallery.house.db.begin() as tx:
            etags.append((await images.find_full(tx, place[1]) or ("",))[0])
    found = await gallery.images.look(*place, etags[0], None)
    assert (found.facts.etag, found.facts.size_px, found.facts.problem) == (etags[1], (50, 40), None)
    assert found.facts.sha256 == hashlib.sha256(newer).hexdigest()
    # Noted, and not there yet: files follow the database.
    coming = StoredImage(5, '"coming"', "image/png", now())
    async with gallery.house.db.begin() as tx:
        await images.take_in(tx, place[0], {(place[1], Rendition.FULL): coming})
    with pytest.raises(QuadratError) as refused:
        await gallery.images.look(*place, coming.etag, None)
    assert refused.value.kind is ErrorKind.UNAVAILABLE


async def test_image_of_a_dataset_that_went_meanwhile_leaves_nothing_behind(working_gallery: Gallery):
    dataset = await working_gallery.make_dataset()
    (sample,) = await working_gallery.make_samples(dataset, 1)
    urls = await working_gallery.get(f"/datasets/{dataset}/samples/{sample}/writeurls")
    assert (await working_gallery.client.delete(f"/datasets/{dataset}")).status_code == 200
    assert (await working_gallery.store.put(urls["full"], content=picture())).status_code == 404


# More than is kept beside what was there.
_MANY = bytes(2 << 20)


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize("before", [b"old", None])
async def test_bytes_that_a_killed_server_had_not_noted_are_noted_at_the_next_start(
    before: bytes | None, gallery: Gallery
):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    if before is not None:
        await gallery.upload(dataset, sample, before)
    assert gallery.blobs.list_begun() == []
    key = blob_key(DatasetId(dataset), SampleId(sample), Rendition.FULL)
    # What a server has done when it is killed between the last byte and the database; beside, what another had begun.
    size = (await gallery.blobs.receive(key, _pieces(_MANY, b"bytes"))).facts.size_bytes
    assert gallery.blobs.local_root is not None
    part = gallery.blobs.local_root / f"{key}#1"
    part.write_bytes(b"half")
    await gallery.house.state["blob_guard"].recover()
    (found,) = await gallery.get(f"/datasets/{dataset}/uploads")
    assert (found["state"], found["sizeInBytes"]) == ("stored", size)
    assert (await gallery.get(f"/datasets/{dataset}"))["sizeInBytes"] == size
    assert (await gallery.get(f"/datasets/{dataset}/uploads/summary"))["waiting"] == 1
    assert not part.exists()
    assert gallery.blobs.list_begun() == []


@pytest.mark.parametrize("before", [b"old", None])
@pytest.mark.parametrize("noted", [True, False])
async def test_few_bytes_of_a_killed_server_lie_there_when_it_had_noted_them(
    noted: bool, before: bytes | None, gallery: Gallery
):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    if before is not None:
        await gallery.upload(dataset, sample, before)
    key = blob_key(DatasetId(dataset), SampleId(sample), Rendition.FULL)
    received = await gallery.blobs.receive(key, _pieces(b"new ", b"bytes"))
    if noted:
        stored = StoredImage(9, received.facts.etag, "application/octet-stream", now())
        async with gallery.house.db.begin() as tx:
            await images.take_in(tx, DatasetId(dataset), {(SampleId(sample), Rendition.FULL): stored})
    await gallery.house.state["blob_guard"].recover()
    (found,) = await gallery.get(f"/datasets/{dataset}/uploads")
    lies = b"new bytes" if noted else before
    assert (found["state"], found["sizeInBytes"]) == ("missing" if lies is None else "stored", lies and len(lies))
    if lies is not None:
        url = await gallery.get(f"/datasets/{dataset}/samples/{sample}/readurl")
        assert (await gallery.store.get(url)).content == lies
    assert _left_beside(gallery, key) == []


def _left_beside(gallery: Gallery, key: str) -> list[str]:
    """What lies beside a key, and is no whole file."""
    assert gallery.blobs.local_root is not None
    assert gallery.blobs.list_begun() == []
    return [path.name for path in (gallery.blobs.local_root / key).parent.glob("*#*")]


@contextmanager
def _connection_lost_at_commit(gallery: Gallery, monkeypatch: pytest.MonkeyPatch, *, committed: bool) -> Iterator[None]:
    begin = gallery.house.db.begin

    @asynccontextmanager
    async def begin_and_lose() -> AsyncIterator[AsyncConnection]:
        async with begin() as tx:
            yield tx
            if not committed:
                raise QuadratError(ErrorKind.UNAVAILABLE, "The database does not answer.")
        raise QuadratError(ErrorKind.UNAVAILABLE, "The database does not answer.")

    with monkeypatch.context() as lost:
        lost.setattr(gallery.house.db, "begin", begin_and_lose)
        yield


@pytest.mark.parametrize("committed", [True, False])
async def test_bytes_in_doubt_are_settled_as_soon_as_the_database_says_what_it_knows(
    committed: bool, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
):
    dataset = await gallery.make_dataset()
    first, second = await gallery.make_samples(dataset, 2)
    await gallery.upload(dataset, first, b"old")
    urls = {sample: await gallery.get(f"/datasets/{dataset}/samples/{sample}/writeurl") for sample in (first, second)}
    with _connection_lost_at_commit(gallery, monkeypatch, committed=committed):
        assert (await gallery.store.put(urls[first], content=b"new")).status_code == 503
        # Nothing more is taken in while it is not known what became of the last.
        assert (await gallery.store.put(urls[second], content=b"more")).status_code == 503
    key = blob_key(DatasetId(dataset), SampleId(first), Rendition.FULL)
    assert len(gallery.blobs.list_begun()) == (0 if committed else 1)
    assert (await gallery.store.put(urls[second], content=b"more")).status_code == 200
    url = await gallery.get(f"/datasets/{dataset}/samples/{first}/readurl")
    assert (await gallery.store.get(url)).content == (b"new" if committed else b"old")
    assert _left_beside(gallery, key) == []


async def test_bytes_in_doubt_are_not_laid_over_newer_ones(gallery: Gallery, monkeypatch: pytest.MonkeyPatch):
    dataset = await gallery.make_dataset()
    sample, other = await gallery.make_samples(dataset, 2)
    url = await gallery.get(f"/datasets/{dataset}/samples/{sample}/writeurl")
    with _connection_lost_at_commit(gallery, monkeypatch, committed=True):
        assert (await gallery.store.put(url, content=b"in doubt")).status_code == 503
    finish, refused = gallery.blobs.finish, []

    def finish_while_others_come(key: str, received: Received) -> None:
        with psycopg.connect(gallery.house.db.dsn, options="-c lock_timeout=100ms") as newer:
            try:
                newer.execute("UPDATE samples.dataset SET size_bytes = size_bytes WHERE id = %s", [dataset])
            except psycopg.errors.LockNotAvailable:
                refused.append(key)
        finish(key, received)

    monkeypatch.setattr(gallery.blobs, "finish", finish_while_others_come)
    await gallery.upload(dataset, other, b"more")
    assert refused == [blob_key(DatasetId(dataset), SampleId(sample), Rendition.FULL)]


async def test_bytes_of_a_sample_that_went_are_passed_over_at_the_next_start(gallery: Gallery):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    key = blob_key(DatasetId(dataset), SampleId(sample), Rendition.FULL)
    await gallery.blobs.receive(key, _pieces(b"bytes"))
    assert (await gallery.client.delete(f"/datasets/{dataset}")).status_code == 200
    await gallery.house.state["blob_guard"].recover()
    assert not await gallery.blobs.exists(key)
    assert gallery.blobs.list_begun() == []


async def test_what_was_found_is_kept_while_others_write_to_the_dataset(gallery: Gallery):
    dataset = await gallery.make_dataset()
    sample = await gallery.make(f"/datasets/{dataset}/samples", fileName="a.png")
    await gallery.upload(dataset, sample, picture())
    async with gallery.house.db.begin() as writer, gallery.house.db.begin() as finder:
        await lock_dataset(writer, DatasetId(dataset))
        await finder.execute(text("SET LOCAL lock_timeout = '10s'"))
        etag, _ = await images.find_full(writer, SampleId(sample)) or ("", None)
        found = (SampleId(sample), Facts(etag, problem="no picture"), None)
        assert await images.keep_facts(finder, DatasetId(dataset), [found], now()) == {sample}
