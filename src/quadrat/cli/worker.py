"""`quadrat worker`: runs jobs; and the worker processes that `serve` keeps alive."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from quadrat.app import open_blobs, open_decoders, open_places, open_references, open_runner
from quadrat.base.sealing import Sealer
from quadrat.cli.house import HouseError, database_url, embedded
from quadrat.cli.keys import open_sealer, secret_key
from quadrat.db.engine import Database
from quadrat.gaze.tasks.handlers import HANDLERS as GAZE_HANDLERS
from quadrat.jobs.registry import Registry
from quadrat.jobs.tasks import HANDLERS as JOB_HANDLERS
from quadrat.jobs.worker import Worker, WorkerTiming
from quadrat.mail.sender import Mailer
from quadrat.mail.tasks import HANDLERS as MAIL_HANDLERS
from quadrat.objects.tasks import HANDLERS as OBJECT_HANDLERS
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

_log = structlog.get_logger(__name__)
_RESTART_S = 1.0
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


class WorkerProcesses:
    """Children of `serve`, started again when they die, stopped with it.

    Each holds the read end of a pipe as its standard input; when `serve` is killed the pipe closes and they stop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: set[asyncio.subprocess.Process] = set()
        self._stopping = False

    def start(self) -> None:
        """Start as many as the settings say."""
        self._tasks = [
            asyncio.create_task(self._keep_one(number), name=f"worker-{number}")
            for number in range(self._settings.workers)
        ]

    async def stop(self) -> None:
        """Ask all to finish their jobs, wait as long as the settings grant, then kill."""
        self._stopping = True
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._settings.shutdown_grace_s + 5)
            for process in list(self._processes) if late else []:
                _log.warning("worker.killed", pid=process.pid)
                process.kill()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _is_stopping(self) -> bool:
        return self._stopping

    async def _keep_one(self, number: int) -> None:
        while not self._stopping:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "quadrat.cli.main",
                "--data-dir",
                str(self._settings.data_dir.resolve()),
                "worker",
                "--stop-with-parent",
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            self._processes.add(process)
            if self._is_stopping():  # asked to while the process was being made
                process.send_signal(signal.SIGTERM)
            code = await process.wait()
            self._processes.discard(process)
            if not self._stopping:
                _log.error("worker.died", number=number, exit_code=code)
                await asyncio.sleep(_RESTART_S)


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
        import_processes: Picture processes of one import.
        places: Where connectors write to.
        mailer: Sends letters; None when the operator named no server.
        own_url: Address under which people reach this server.
    """

    blobs: BlobStore
    runner: LocalRunner
    instance_start_timeout_s: float
    sealer: Sealer
    images: ImageReader
    references: References
    common_dir: Path | None
    import_processes: int
    places: Places
    mailer: Mailer | None
    own_url: str


def import_processes(settings: Settings) -> int:
    """How many processes one import reads images with."""
    return settings.import_processes or min(os.cpu_count() or 1, _MOST_IMPORT_PROCESSES)


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
    asyncio.run(_work(settings, database_url(settings, server), stop_with_parent=stop_with_parent))


async def _work(settings: Settings, url: str, *, stop_with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if stop_with_parent:
        loop.add_reader(sys.stdin.fileno(), _on_stdin, stop)
    db = Database(url, pool_size=settings.worker_concurrency * 2 + 2)
    runner = open_runner(settings)
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
        import_processes=import_processes(settings),
        places=places,
    )
    worker = Worker(
        db,
        Registry(_HANDLERS),
        resources,
        concurrency=settings.worker_concurrency,
        timing=WorkerTiming(grace_s=settings.shutdown_grace_s),
    )
    try:
        async with db.begin() as tx:
            await purge_daily(tx, after=_FIRST_PURGE)
        await worker.run(stop)
    finally:
        await decoders.close()
        await places.proxy.stop()
        await runner.close()
        await db.close()


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is None:
        return None
    return Mailer(settings.smtp_url.get_secret_value(), settings.mail_from)


def _own_url(settings: Settings) -> str:
    # Never what a request says: a stranger could have letters point elsewhere.
    return (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")


def _on_stdin(stop: asyncio.Event) -> None:
    """Standard input is a pipe into which nobody writes: it can be read when the parent is gone."""
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
