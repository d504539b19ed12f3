"""`quadrat worker`: runs jobs."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from quadrat import log
from quadrat.base.garbage import settle
from quadrat.base.priority import stand_back
from quadrat.base.sealing import Sealer
from quadrat.cli.house import HouseError, database_url, embedded
from quadrat.cli.keys import open_sealer, secret_key
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.tasks.handlers import HANDLERS as GAZE_HANDLERS
from quadrat.jobs.registry import Registry
from quadrat.jobs.tasks import HANDLERS as JOB_HANDLERS
from quadrat.jobs.worker import Worker, WorkerTiming
from quadrat.mail.sender import Mailer
from quadrat.mail.tasks import HANDLERS as MAIL_HANDLERS
from quadrat.objects.actions.taxa import recount_later
from quadrat.objects.tasks import HANDLERS as OBJECT_HANDLERS
from quadrat.opening import open_blobs, open_decoders, open_places, open_references, open_runner
from quadrat.runner.local import LocalRunner
from quadrat.samples.reader import ImageReader
from quadrat.samples.tasks import HANDLERS as SAMPLE_HANDLERS
from quadrat.serving.actions.housekeeping import purge_daily
from quadrat.serving.purging import HANDLERS as PURGE_HANDLERS
from quadrat.serving.targets.places import Places
from quadrat.serving.tasks import HANDLERS as SERVING_HANDLERS
from quadrat.settings import Settings
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References

_MOST_IMPORT_PROCESSES = 8
_HANDLERS = (
    *JOB_HANDLERS,
    *SERVING_HANDLERS,
    *PURGE_HANDLERS,
    *MAIL_HANDLERS,
    *SAMPLE_HANDLERS,
    *OBJECT_HANDLERS,
    *GAZE_HANDLERS,
)
# Not while a server that has just started has better things to do.
_FIRST_PURGE = timedelta(minutes=10)
_FIRST_RECOUNT = timedelta(minutes=1)
_DYING_S, _LOOK_S, _AGAIN_S = 5.0, 0.02, 1.0


@dataclass(frozen=True, slots=True)
class WorkerResources:
    """What this process offers to the handlers of jobs.

    Args:
        blobs: The store.
        runner: Builds environments and tries models.
        instance_start_timeout_s: Longest time for a model to load.
        sealer: Opens secrets at rest.
        images: Looks into the images of samples.
        references: Reads images that lie outside of the store.
        common_dir: Folder that every user may import from.
        export_dir: Folder for copies of exports.
        import_processes: Picture processes of one import.
        places: Where connectors write to.
        mailer: Sends letters; None when the operator named no server.
        own_url: Address under which people reach this server.
        unused_upload_life: How long uploads for gaze are kept that nothing refers to.
    """

    blobs: BlobStore
    runner: LocalRunner
    instance_start_timeout_s: float
    sealer: Sealer
    images: ImageReader
    references: References
    common_dir: Path | None
    export_dir: Path | None
    import_processes: int
    places: Places
    mailer: Mailer | None
    own_url: str
    unused_upload_life: timedelta


def import_processes(settings: Settings) -> int:
    """How many processes one import reads images with."""
    return settings.import_processes or min(os.cpu_count() or 1, _MOST_IMPORT_PROCESSES)


@click.command()
@click.option("--stop-with-parent", is_flag=True, hidden=True, help="End when standard input is closed.")
@click.option("--concurrency", "worker_concurrency", type=click.IntRange(1, 64), help="Jobs at a time  [default: 2]")
@click.pass_obj
def worker(settings: Settings, /, stop_with_parent: bool, **options: Any) -> None:
    """Run jobs (imports, builds, clean-up) beside a server, on this machine or another with the same database."""
    chosen = settings.with_options(**options)
    log.configure(level=chosen.log_level, format=chosen.log_format, process="worker")
    run(chosen, stop_with_parent=stop_with_parent)


def run(settings: Settings, *, stop_with_parent: bool) -> None:
    """Run jobs until SIGINT or SIGTERM, or until standard input ends.

    Raises:
        HouseError: The embedded database does not run.
    """
    server = embedded(settings)
    if server is not None and not server.is_running():
        raise HouseError(
            f"The database of {settings.data_dir.resolve()} does not run: start `quadrat serve` there first, "
            "or set QUADRAT_DATABASE_URL."
        )
    stand_back(settings.worker_niceness)
    asyncio.run(_work(settings, database_url(settings, server), stop_with_parent=stop_with_parent))


async def _work(settings: Settings, url: str, *, stop_with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runner = open_runner(settings)
    clearing: list[asyncio.Task[None]] = []
    if stop_with_parent:
        parent = os.getppid()

        def on_stdin() -> None:
            # A pipe into which nobody writes: it can be read when the parent is gone.
            if not os.read(sys.stdin.fileno(), 1):
                loop.remove_reader(sys.stdin.fileno())
                stop.set()
                clearing.append(asyncio.create_task(_clear_after(parent, runner)))

        loop.add_reader(sys.stdin.fileno(), on_stdin)
    db = Database(url, pool_size=settings.worker_concurrency * 2 + 2)
    blobs = open_blobs(settings, secret_key(settings))
    references = open_references(settings)
    decoders = open_decoders(settings, processes=max(1, (os.cpu_count() or 1) // max(1, settings.workers)))
    places = open_places(settings)
    await places.proxy.start()
    resources = WorkerResources(
        blobs=blobs,
        runner=runner,
        instance_start_timeout_s=settings.instance_start_timeout_s,
        sealer=open_sealer(settings),
        mailer=_mailer(settings),
        own_url=_own_url(settings),
        images=ImageReader(db, blobs, references, decoders),
        references=references,
        common_dir=settings.common_dir,
        export_dir=settings.export_dir,
        import_processes=import_processes(settings),
        places=places,
        unused_upload_life=settings.unused_upload_life,
    )
    worker = Worker(
        db,
        Registry(_HANDLERS),
        resources,
        concurrency=settings.worker_concurrency,
        timing=WorkerTiming(grace_s=settings.shutdown_grace_s),
    )
    try:
        settle()
        async with asyncio.TaskGroup() as group:
            planning = group.create_task(_plan(db), name="worker-plan")
            await worker.run(stop)
            planning.cancel()
    finally:
        await decoders.close()
        await places.proxy.stop()
        await asyncio.gather(*clearing, return_exceptions=True)
        await runner.close()
        await db.close()


async def _plan(db: Database) -> None:
    """Have the jobs that nobody asks for in the queue; a database that is away is waited for."""
    while True:
        try:
            async with db.begin() as tx:
                await purge_daily(tx, after=_FIRST_PURGE)
                await recount_later(tx, _FIRST_RECOUNT)
        except QuadratError as error:
            if error.kind is not ErrorKind.UNAVAILABLE:
                raise
            await asyncio.sleep(_AGAIN_S)
        else:
            return


async def _clear_after(parent: int, runner: LocalRunner) -> None:
    """End what the parent's models had started in sessions of their own: killed, it could not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DYING_S):
            # It closes one file after the other: the pipe to here may end before it lets go of its instances.
            while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells of its end on every system
                await asyncio.sleep(_LOOK_S)
    await runner.clear_left_over()


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is None:
        return None
    return Mailer(settings.smtp_url.get_secret_value(), settings.mail_from)


def _own_url(settings: Settings) -> str:
    # Never what a request says: a stranger could have letters point elsewhere.
    return (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
