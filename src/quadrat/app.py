"""The parent application: opens what the APIs share, mounts them, and closes everything again. No logic."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from quadrat.api import activation, files
from quadrat.api.ecotaxa import app as ecotaxa
from quadrat.api.events import EventHub
from quadrat.api.lightly import app as lightly
from quadrat.api.lightly.short_ways import ShortWays
from quadrat.api.middleware import RequestMiddleware
from quadrat.api.pages import app as pages
from quadrat.api.pages import health, static
from quadrat.api.pages.cookies import CookieCredential
from quadrat.api.pupilcloud import app as pupilcloud
from quadrat.api.state import HouseState, Limits, Whereabouts
from quadrat.api.ubiops import app as ubiops
from quadrat.api.ubiops.direct import DirectRequests
from quadrat.base.sealing import Sealer
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.gaze.analysis import Analyst
from quadrat.gaze.pictures.pool import Pictures
from quadrat.identity.authenticator import Authenticator
from quadrat.jobs.waiting import JobWaiter
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.door import Door as ObjectDoor
from quadrat.objects.intake import Intake as ObjectIntake
from quadrat.objects.store.clock import CHANNEL
from quadrat.opening import open_blobs, open_decoders, open_places, open_references, open_runner
from quadrat.samples.door import Door
from quadrat.samples.guard import SampleBlobGuard
from quadrat.samples.intake import Intake
from quadrat.samples.places import Places as ImagePlaces
from quadrat.samples.reader import ImageReader
from quadrat.samples.thumbnails import Thumbnails
from quadrat.serving.engine import ServingEngine
from quadrat.serving.flow.courier import Courier
from quadrat.serving.flow.engine import PipelineEngine
from quadrat.serving.flow.scheduler import Scheduler
from quadrat.serving.launch import Launcher
from quadrat.settings import Settings

DOORS = (ubiops, lightly, ecotaxa, pupilcloud)
# Their routes stream and limit files themselves.
_FILE_UPLOADS = re.compile(
    r"/files/.*|/v2\.1/projects/[^/]+/(models/[^/]+/versions/[^/]+/upload|blobs)/?|/v2/workspaces/[^/]+/files/[^/]+"
    r"|/v2/workspaces/[^/]+/projects/[^/]+/enrichments/[^/]+/recordings:import|/api/(my|user)_files/?"
)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the installation's keys are for.

    Args:
        signing: Signs addresses.
        sealer: Seals and opens secrets at rest.
    """

    signing: bytes = field(repr=False)
    sealer: Sealer


def create_app(settings: Settings, *, database_url: str, keys: Keys, events: EventHub | None = None) -> DirectRequests:
    """The whole server as one ASGI application.

    Args:
        settings: What the operator chose.
        database_url: A migrated database.
        keys: The installation's.
        events: What open pages listen to; whoever stops the server closes it first.
    """
    hub = events or EventHub()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[HouseState]:
        async with AsyncExitStack() as cleanup:
            state = await _open(settings, database_url, keys, hub, cleanup)
            await state["blob_guard"].recover()
            yield state

    routes: list[BaseRoute] = [Route("/", static.to_pages), *health.ROUTES, *files.ROUTES, *activation.ROUTES]
    routes += [Mount(door.PREFIX, door.create_app()) for door in (*DOORS, pages)]
    routes += static.ROUTES
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    most = settings.max_body_bytes
    signed_in = files.SignedFiles(ShortWays(CookieCredential(app, keys.signing), max_body_bytes=most))
    return DirectRequests(
        RequestMiddleware(signed_in, max_body_bytes=most, unlimited=_FILE_UPLOADS), max_body_bytes=most
    )


async def _open(
    settings: Settings, database_url: str, keys: Keys, hub: EventHub, cleanup: AsyncExitStack
) -> HouseState:
    db = Database(database_url, pool_size=settings.database_pool_size)
    cleanup.push_async_callback(db.close)
    listener = Listener(db.dsn)
    authenticator = Authenticator(db, listener)
    job_waiter = JobWaiter(db, listener)
    pictures = Pictures()
    cleanup.push_async_callback(pictures.close)
    blobs = open_blobs(settings, keys.signing)
    references = open_references(settings)
    decoders = open_decoders(settings, processes=1)
    cleanup.push_async_callback(decoders.close)
    runner = open_runner(settings)
    cleanup.push_async_callback(runner.close)
    launcher = Launcher(runner, blobs, keys.sealer, settings.instance_start_timeout_s)
    engine = ServingEngine(db, listener, launcher, memory_mb=settings.model_memory_mb)
    hub.attach(listener)
    columns = ColumnCache(db, settings.data_dir.resolve() / "columns", settings.object_memory_bytes)
    listener.subscribe(CHANNEL, columns.on_change)
    cleanup.push_async_callback(columns.close)
    places = open_places(settings)
    await places.proxy.start()
    cleanup.push_async_callback(places.proxy.stop)
    courier = Courier(db, keys.sealer, places, engine)
    pipelines = PipelineEngine(db, listener, engine, courier)
    await listener.start()
    cleanup.push_async_callback(listener.stop)
    await engine.start()
    cleanup.push_async_callback(engine.stop)
    await pipelines.start()
    cleanup.push_async_callback(pipelines.stop)
    scheduler = Scheduler(db, engine, pipelines)
    scheduler.start()
    cleanup.push_async_callback(scheduler.stop)
    door = Door(db, authenticator)
    image_places = ImagePlaces(db, authenticator)
    object_door = ObjectDoor(db, authenticator)
    return HouseState(
        db=db,
        authenticator=authenticator,
        blobs=blobs,
        sealer=keys.sealer,
        engine=engine,
        analyst=Analyst(db, blobs),
        pictures=pictures,
        job_waiter=job_waiter,
        pipelines=pipelines,
        limits=Limits(
            max_upload_bytes=settings.max_upload_bytes,
            max_samples_per_dataset=settings.max_samples_per_dataset,
            read_url_life=settings.read_url_life,
            write_url_life=settings.write_url_life,
            session_life=settings.session_life,
            sign_in_attempts=settings.sign_in_attempts,
            unused_upload_life=settings.unused_upload_life,
            import_roots=tuple(settings.import_roots),
            max_archive_bytes=settings.max_archive_bytes,
            common_dir=settings.common_dir,
            export_right=settings.export_right,
        ),
        whereabouts=Whereabouts(
            settings.data_dir.resolve(),
            settings.store_url or str(settings.data_dir.resolve() / "store"),
            has_own_database=settings.database_url is None,
        ),
        public_url=settings.public_url,
        events=hub,
        page_key=keys.signing,
        page_origins=static.store_origins(settings.store_url, settings.store_endpoint),
        columns=columns,
        object_door=object_door,
        object_intake=ObjectIntake(db, object_door, columns),
        blob_guard=SampleBlobGuard(db, blobs, references, image_places),
        references=references,
        door=door,
        intake=Intake(db, door, settings.max_samples_per_dataset),
        image_places=image_places,
        thumbnails=Thumbnails(db, ImageReader(db, blobs, references, decoders)),
    )
