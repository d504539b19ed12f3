"""Someone at work with the samples API, and a worker that does what they ask for."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from PIL import Image
from starlette.applications import Starlette

from quadrat.api import files
from quadrat.api.lightly.app import PREFIX, create_app
from quadrat.api.lightly.short_ways import ShortWays
from quadrat.imaging.pool import DecoderPool
from quadrat.imaging.types import Bounds
from quadrat.jobs.registry import Registry
from quadrat.jobs.tasks import HANDLERS as JOB_HANDLERS
from quadrat.jobs.worker import Worker, WorkerTiming
from quadrat.samples.door import Door
from quadrat.samples.guard import SampleBlobGuard
from quadrat.samples.intake import Intake
from quadrat.samples.places import Places
from quadrat.samples.reader import ImageReader
from quadrat.samples.tasks import HANDLERS
from quadrat.samples.thumbnails import Thumbnails
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References
from support.house import MAX_BODY_BYTES, House, Person
from support.people import unique

_TIMING = WorkerTiming(heartbeat_s=0.3, stalled_after_s=2.0, poll_s=0.3, grace_s=1.0)
_DEADLINE_S = 300
UNKNOWN = "5f" * 12


@dataclass(frozen=True, slots=True)
class WorkerResources:
    blobs: BlobStore
    images: ImageReader
    references: References


@dataclass
class Gallery:
    """Someone's client of the samples API.

    Args:
        house: The APIs.
        person: Who.
        client: Of the samples API.
        store: Of signed addresses.
        blobs: Where bytes are.
        images: Looks into them.
    """

    house: House
    person: Person
    client: httpx2.AsyncClient
    store: httpx2.AsyncClient
    blobs: BlobStore
    images: ImageReader

    async def make_dataset(self, **settings: Any) -> str:
        """Id of a new dataset."""
        return await self.make("/datasets", name=unique("dataset"), **settings)

    async def make(self, path: str, client: httpx2.AsyncClient | None = None, **body: Any) -> str:
        """Id of what a POST makes."""
        answer = await (client or self.client).post(path, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def make_samples(self, dataset: str, count: int, **body: Any) -> list[str]:
        """Ids of new samples ``0.png``, ``1.png``, ... after those that are there."""
        start = (await self.get(f"/datasets/{dataset}"))["nSamples"]
        return [
            await self.make(f"/datasets/{dataset}/samples", fileName=f"{start + number}.png", **body)
            for number in range(count)
        ]

    async def get(self, path: str, **params: Any) -> Any:
        """What a GET answers."""
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def upload(self, dataset: str, sample: str, content: bytes, *, thumbnail: bytes | None = None) -> None:
        """PUT the bytes of a sample."""
        urls = await self.get(f"/datasets/{dataset}/samples/{sample}/writeurls")
        if thumbnail is not None:
            assert (await self.store.put(urls["thumb"], content=thumbnail)).status_code == 200
        assert (await self.store.put(urls["full"], content=content)).status_code == 200

    async def initial_tag(self, dataset: str) -> str:
        return await self.make(f"/datasets/{dataset}/tags/initial", imgType="full")

    async def stranger(self) -> httpx2.AsyncClient:
        """Somebody else's client."""
        return self.house.client_for(create_app, PREFIX, await self.house.make_person())

    async def until(self, look: Callable[[], Awaitable[Any]]) -> Any:
        """What `look` finds, asked until it is true."""
        async with asyncio.timeout(_DEADLINE_S):
            while not (found := await look()):
                await asyncio.sleep(0.1)
            return found

    async def until_read(self, dataset: str) -> dict[str, int]:
        """How the uploads of a dataset stand once all have been looked into."""

        async def look() -> dict[str, int] | None:
            summary: dict[str, int] = await self.get(f"/datasets/{dataset}/uploads/summary")
            return None if summary["waiting"] else summary

        found: dict[str, int] = await self.until(look)
        return found


async def open_gallery(house: House, folder: Path, blobs: BlobStore | None = None) -> Gallery:
    """A new person's gallery; closed with the house."""
    blobs = blobs or BlobStore.on_disk(folder / "store", b"k" * 32)
    references = References()
    decoders = DecoderPool(2, Bounds(max_pixels=40_000_000))
    house.cleanup.push_async_callback(decoders.close)
    images = ImageReader(house.db, blobs, references, decoders)
    door = Door(house.db, house.authenticator)
    places = Places(house.db, house.authenticator)
    house.state |= {
        "blobs": blobs,
        "references": references,
        "door": door,
        "intake": Intake(house.db, door, 1000),
        "image_places": places,
        "thumbnails": Thumbnails(house.db, images),
        "blob_guard": SampleBlobGuard(house.db, blobs, references, places),
    }
    person = await house.make_person()
    return Gallery(
        house=house,
        person=person,
        client=house.client_for(lambda: ShortWays(create_app(), max_body_bytes=MAX_BODY_BYTES), PREFIX, person),
        store=house.client_for(lambda: Starlette(routes=files.ROUTES), ""),
        blobs=blobs,
        images=images,
    )


@asynccontextmanager
async def run_worker(gallery: Gallery) -> AsyncIterator[None]:
    """A worker over the gallery's database."""
    stop = asyncio.Event()
    worker = Worker(
        gallery.house.db,
        Registry([*JOB_HANDLERS, *HANDLERS]),
        WorkerResources(gallery.blobs, gallery.images, References()),
        concurrency=2,
        timing=_TIMING,
    )
    async with AsyncExitStack() as cleanup:
        task = asyncio.create_task(worker.run(stop))
        cleanup.push_async_callback(asyncio.gather, task, return_exceptions=True)
        cleanup.callback(stop.set)
        yield


def picture(size: tuple[int, int] = (64, 48), kind: str = "PNG", **options: Any) -> bytes:
    """A picture of noise, unlike any other."""
    image = Image.merge("RGB", [Image.effect_noise(size, sigma) for sigma in (30, 60, 90)])
    encoded = io.BytesIO()
    image.save(encoded, kind, **options)
    return encoded.getvalue()
