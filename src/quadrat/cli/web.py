"""The web server of `quadrat serve`, with the workers and the watch over the database beside it."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from functools import partial

import click
import structlog
import uvicorn
import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.api.events import EventHub
from quadrat.api.quick_files import QuickFiles
from quadrat.api.ubiops.express import Express
from quadrat.app import Keys, create_app
from quadrat.base.garbage import settle
from quadrat.base.memory import keep_freed_memory
from quadrat.cli.joined_writes import JoinedWrites
from quadrat.cli.keys import open_sealer, secret_key
from quadrat.cli.saying import say
from quadrat.cli.worker_processes import WorkerProcesses
from quadrat.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from quadrat.db.engine import Database
from quadrat.identity.actions.users import ensure_first_administrator
from quadrat.migrations.upgrade import upgrade
from quadrat.settings import Settings

_log = structlog.get_logger(__name__)
_WATCH_S = 1.0


class _WebServer(uvicorn.Server):
    """uvicorn that leaves signals to us: the database has to stop after it.

    Args:
        config: Of the web server.
        workers: Started once it listens: their start takes as much of the processor as its own.
    """

    def __init__(self, config: uvicorn.Config, workers: WorkerProcesses) -> None:
        super().__init__(config)
        self._workers = workers

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            settle()
            self.announce()
            self._workers.start()
            self.lifespan.state["engine"].warm_up()

    def announce(self) -> None:
        """Print the address once it answers."""
        host = self.config.host
        port = self.servers[0].sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        say(f"Quadrat is ready at http://{shown}:{port}", "Press Ctrl-C to stop.")


def run(settings: Settings, url: str, server: EmbeddedPostgres | None) -> None:
    """Serve until SIGINT or SIGTERM, then drain.

    Args:
        settings: What the operator chose.
        url: Of the database.
        server: The embedded database, if there is one; it is started again when it dies.

    Raises:
        DatabaseError: The database cannot be used.
    """
    keep_freed_memory()
    upgrade(url)
    keys = Keys(secret_key(settings), open_sealer(settings))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, url, keys, server))


async def _serve(settings: Settings, url: str, keys: Keys, server: EmbeddedPostgres | None) -> None:
    await _first_administrator(settings, url)
    events = EventHub()
    workers = WorkerProcesses(settings)
    app = create_app(settings, database_url=url, keys=keys, events=events)
    express = Express(app.doors, max_body_bytes=settings.max_body_bytes)
    protocol = partial(JoinedWrites, express=express, files=QuickFiles())
    web = _WebServer(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            lifespan="on",
            http=protocol,  # type: ignore[arg-type]  # it is only called
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=round(settings.shutdown_grace_s),
            timeout_keep_alive=75,
        ),
        workers,
    )
    _stop_on_signals(web, events)
    async with contextlib.AsyncExitStack() as cleanup:
        watcher = asyncio.create_task(_keep_running(server), name="database-watcher")
        cleanup.callback(watcher.cancel)
        cleanup.push_async_callback(workers.stop)
        # uvicorn leaves the process when it cannot listen, having said why in its log.
        with contextlib.suppress(SystemExit):
            await web.serve()
    if not web.started:
        raise click.ClickException(
            f"The server did not start; is port {settings.port} of {settings.host} in use? Choose another with --port."
        )


async def _first_administrator(settings: Settings, url: str) -> None:
    db = Database(url, pool_size=1)
    try:
        async with db.begin() as tx:
            secret = await _ensure(settings, tx)
    finally:
        await db.close()
    if secret is not None:
        say("The first administrator has been made. Its API token, shown only this once:", f"  {secret}")


async def _ensure(settings: Settings, tx: AsyncConnection) -> str | None:
    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    token = settings.admin_token.get_secret_value() if settings.admin_token else None
    first = await ensure_first_administrator(tx, settings.admin_email, password, token)
    return first.secret


def _stop_on_signals(web: uvicorn.Server, events: EventHub) -> None:
    def stop() -> None:
        if web.should_exit:
            web.force_exit = True
            return
        web.should_exit = True
        events.close()  # pages that are open would keep the server waiting for them
        say("\nFinishing what is running; press Ctrl-C again to stop at once.")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        loop.add_signal_handler(signal.SIGHUP, stop)


async def _keep_running(server: EmbeddedPostgres | None) -> None:
    """Start the embedded database again when it died under us."""
    while server is not None:
        await asyncio.sleep(_WATCH_S)
        if server.is_running():
            continue
        _log.error("postgres.died")
        try:
            await asyncio.to_thread(server.start)
            _log.info("postgres.restarted")
        except (EmbeddedPostgresError, OSError) as error:
            _log.error("postgres.restart_failed", error=str(error))
