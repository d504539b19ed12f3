"""What is remembered of where images lie is asked for once, and ends with what it tells of."""

import asyncio

import pytest

from quadrat.db.engine import Database
from quadrat.identity.changes import announce_change
from quadrat.samples.places import Places
from quadrat.samples.rules.samples import blob_key
from quadrat.samples.types import DatasetId, Rendition, SampleId
from support.gallery import Gallery, picture

pytestmark = pytest.mark.anyio


class Counted:
    """A database whose looks are counted."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.looks = 0

    def look(self) -> object:
        self.looks += 1
        return self._db.look()


async def test_place_is_asked_for_once_in_seconds(gallery: Gallery):
    dataset = await gallery.make_dataset()
    at = DatasetId(dataset)
    first, second = map(SampleId, await gallery.make_samples(dataset, 2))
    db, seconds = Counted(gallery.house.db), [0.0]
    places = Places(db, gallery.house.authenticator, clock=lambda: seconds[0])  # type: ignore[arg-type]  # it looks
    for _ in range(3):
        assert await asyncio.gather(places.find(at, first), places.find(at, second)) == [(None,), (None,)]
        assert places.is_in_store(at, first)
    assert db.looks == 1
    unknown = SampleId("f" * 24)
    for looks in (2, 3):
        assert (await places.find(at, unknown), places.is_in_store(at, unknown), db.looks) == (None, False, looks)
    seconds[0] += 5
    assert not places.is_in_store(at, first)
    await places.find(at, first)
    assert db.looks == 4


async def test_place_in_the_store_is_forgotten_when_the_dataset_ends(gallery: Gallery):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    await gallery.upload(dataset, sample, picture())
    url = await gallery.get(f"/datasets/{dataset}/samples/{sample}/readurl")
    assert (await gallery.store.get(url)).status_code == 200
    key = blob_key(DatasetId(dataset), SampleId(sample), Rendition.FULL)
    guard = gallery.house.state["blob_guard"]
    assert guard.admits_at_once(key)
    assert (await gallery.client.delete(f"/datasets/{dataset}")).status_code == 200
    assert not guard.admits_at_once(key)
    assert await gallery.blobs.exists(key)
    assert (await gallery.store.get(url)).status_code == 404


async def test_place_is_forgotten_with_the_news_of_a_change(gallery: Gallery):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    places: Places = gallery.house.state["image_places"]
    at = DatasetId(dataset), SampleId(sample)
    assert (await places.find(*at), places.is_in_store(*at)) == ((None,), True)
    async with gallery.house.db.begin() as tx:
        await announce_change(tx)
    async with asyncio.timeout(10):
        while places.is_in_store(*at):
            await asyncio.sleep(0)


async def test_look_that_began_before_an_end_is_not_remembered(gallery: Gallery):
    dataset = await gallery.make_dataset()
    (sample,) = await gallery.make_samples(dataset, 1)
    places: Places = gallery.house.state["image_places"]
    at = DatasetId(dataset), SampleId(sample)
    looking = asyncio.create_task(places.find(*at))
    await asyncio.sleep(0)
    places.end(at[0])
    assert (await looking, places.is_in_store(*at)) == ((None,), False)
