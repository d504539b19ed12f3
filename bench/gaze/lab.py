"""An eye-tracking lab of any size on an embedded database: recordings of an hour at 200 Hz, overlapping areas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np

from quadrat.base.clock import now
from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import Database
from quadrat.gaze.actions.access import EnrichmentPath
from quadrat.gaze.actions.aois import add_aoi, open_for_new, update_aoi
from quadrat.gaze.actions.enrichments import NewEnrichment, create_enrichment
from quadrat.gaze.actions.imports import Incoming, store_recordings
from quadrat.gaze.actions.statistics import plan_statistics
from quadrat.gaze.analysis import Plan
from quadrat.gaze.formats.columns import DTYPES
from quadrat.gaze.formats.parsed import FIXATION
from quadrat.gaze.pictures.pool import Pictures
from quadrat.gaze.rules.png import write_png
from quadrat.gaze.store import files as file_store
from quadrat.gaze.types import (
    AoiChange,
    EnrichmentKind,
    File,
    MaskSource,
    NewAoi,
    Reference,
    ReferenceKind,
    Section,
    Size,
    Unit,
)
from quadrat.identity.actions.access import authenticate
from quadrat.identity.actions.projects import create_project
from quadrat.identity.actions.tokens import create_token
from quadrat.identity.actions.users import create_user
from quadrat.identity.actions.workspaces import open_workspace
from quadrat.identity.types import Caller, NewUser
from quadrat.migrations.upgrade import upgrade
from quadrat.storage.blobs import BlobStore

WIDTH, HEIGHT = 1920, 1080
HOUR_SAMPLES, HOUR_FIXATIONS = 720_000, 10_000
START_NS = 1_760_676_788_219_000_000
PERIOD_NS = 5_000_000


@dataclass
class Lab:
    """A project with an enrichment."""

    db: Database
    blobs: BlobStore
    pictures: Pictures
    caller: Caller
    path: EnrichmentPath

    async def plan(self) -> Plan:
        """What statistics are made of now."""
        async with self.db.begin() as tx:
            return await plan_statistics(tx, self.caller, self.path, None)

    async def change_first_mask(self) -> None:
        """Draw the first area anew."""
        plan = await self.plan()
        mask = MaskSource(png=to_png(make_masks(1, seed=99)[0]))
        async with self.db.begin() as tx:
            where = (self.path, plan.aois[0].uuid)
            await update_aoi(tx, self.caller, where, AoiChange(mask=mask), self.pictures)


def to_png(inside: np.ndarray) -> bytes:
    pixels = np.zeros((*inside.shape, 4), np.uint8)
    pixels[inside] = 255
    return write_png(pixels, level=1)


def make_masks(count: int, seed: int = 7) -> list[np.ndarray]:
    """Ellipses over a quarter of the image each, so that many overlap; every third has a hole."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    made = []
    for number in range(count):
        x, y = random.uniform(0.2, 0.8) * WIDTH, random.uniform(0.2, 0.8) * HEIGHT
        wide, high = random.uniform(0.1, 0.3) * WIDTH, random.uniform(0.1, 0.3) * HEIGHT
        distance = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2
        made.append((distance < 1) & (distance > 0.2 if number % 3 == 0 else True))
    return made


def make_columns(seed: int, n_samples: int) -> dict[str, np.ndarray]:
    """Gaze that wanders over the image; a tenth is unmapped."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 6, (2, n_samples)), axis=1)
    x = np.abs((walk[0] + WIDTH / 2) % (2 * WIDTH) - WIDTH)
    y = np.abs((walk[1] + HEIGHT / 2) % (2 * HEIGHT) - HEIGHT)
    columns = {
        "t": START_NS + np.arange(n_samples) * PERIOD_NS,
        "x": x,
        "y": y,
        "fixation": np.arange(n_samples) // 72,
        "blink": np.full(n_samples, -1),
        "detected": random.random(n_samples) < 0.9,
    }
    return {name: columns[name].astype(dtype) for name, dtype in DTYPES.items()}


def make_fixations(columns: dict[str, np.ndarray], count: int) -> np.ndarray:
    step = len(columns["t"]) // count
    rows = np.zeros(count, FIXATION)
    rows["fixation_id"] = np.arange(count)
    rows["start_ns"] = columns["t"][::step][:count]
    rows["end_ns"] = rows["start_ns"] + 250_000_000
    rows["x"], rows["y"] = columns["x"][::step][:count], columns["y"][::step][:count]
    rows["detected"] = columns["detected"][::step][:count]
    return rows


@asynccontextmanager
async def open_lab(folder: Path, n_recordings: int, n_areas: int) -> AsyncIterator[Lab]:
    """The lab with everything stored."""
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        upgrade(server.url)
        db = Database(server.url, pool_size=4)
        pictures = Pictures()
        blobs = BlobStore.on_disk(folder / "store", b"k" * 32)
        try:
            lab = await _furnish(db, blobs, pictures)
            await _load(lab, n_recordings)
            await _draw(lab, n_areas)
            yield lab
        finally:
            await pictures.close()
            await db.close()
    finally:
        server.stop()


async def _furnish(db: Database, blobs: BlobStore, pictures: Pictures) -> Lab:
    async with db.begin() as tx:
        user = await create_user(tx, NewUser("lab@example.org"))
        _, secret = await create_token(tx, user.id, "bench")
        caller = await authenticate(tx, secret)
        workspace = await open_workspace(tx, caller, None)
        project = await create_project(tx, caller, title="Bench")
        organization_id = workspace.organization.id
        picture = File(uuid4(), organization_id, "r.png", 1, 1, (), "image/png", Size(WIDTH, HEIGHT), None, now())
        await file_store.insert_file(tx, picture)
        plane = Reference(
            uuid4(), organization_id, ReferenceKind.MARKERLESS, "", picture.uuid, picture.size, "", (), None, now()
        )
        await file_store.insert_reference(tx, plane)
        new = NewEnrichment(EnrichmentKind.REFERENCE_IMAGE, "E", "recording.begin", "recording.end", plane.uuid)
        made = await create_enrichment(tx, caller, workspace, project.uuid, new)
    return Lab(db, blobs, pictures, caller, EnrichmentPath(workspace, project.uuid, made.enrichment.uuid))


async def _load(lab: Lab, n_recordings: int) -> None:
    plan = await lab.plan()
    for number in range(n_recordings):
        columns = await asyncio.to_thread(make_columns, number, HOUR_SAMPLES)
        blob = f"gaze/data/{uuid4().hex}"
        for name, column in columns.items():
            await lab.blobs.put(f"{blob}/{name}", column.tobytes())
        end_ns = START_NS + HOUR_SAMPLES * PERIOD_NS
        section = Section(0, str(uuid4()), START_NS, end_ns, "recording.begin", "recording.end", 0, HOUR_SAMPLES)
        incoming = Incoming(
            uuid=UUID(int=number + 1),
            name=f"P{number:02d}",
            wearer=(None, f"wearer {number}"),
            start_ns=START_NS,
            start_source="given",
            duration_ns=HOUR_SAMPLES * PERIOD_NS,
            events=(),
            own=False,
            unit=Unit.PX,
            blob=blob,
            n_samples=HOUR_SAMPLES,
            n_mapped=int(columns["detected"].sum()),
            period_ns=PERIOD_NS,
            sections=(section,),
            fixations=make_fixations(columns, HOUR_FIXATIONS),
            n_fixations=HOUR_FIXATIONS,
            warnings=(),
        )
        async with lab.db.begin() as tx:
            place = (lab.path.workspace.organization.id, plan.enrichment)
            await store_recordings(tx, place, [incoming], lab.caller.uuid, replace=False)


async def _draw(lab: Lab, n_areas: int) -> None:
    for number, inside in enumerate(make_masks(n_areas)):
        async with lab.db.begin() as tx:
            opened = await open_for_new(tx, lab.caller, lab.path)
            new = NewAoi(f"area {number}", MaskSource(png=to_png(inside)))
            await add_aoi(tx, lab.caller, opened, new, lab.pictures)
