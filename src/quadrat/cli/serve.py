"""`quadrat serve`: the database and the program start beside each other, and stop in order."""

import contextlib
import gc
import pkgutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from quadrat import log
from quadrat.cli.house import database_url, embedded, hold_data_dir
from quadrat.cli.saying import say
from quadrat.settings import Settings


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="As before the command.")
@click.option("--host", help="Address to listen on  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one  [default: 8000]")
@click.option("--workers", type=click.IntRange(0, 64), help="Job worker processes to start  [default: 1]")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="[default: info]")
@click.pass_obj
def serve(settings: Settings, /, **options: Any) -> None:
    """Start everything: database, workers, the four APIs and the pages.

    On an empty data directory this makes the first administrator and prints its token once. Ctrl-C finishes what is
    running and stops cleanly.
    """
    chosen = settings.with_options(**options)
    log.configure(level=chosen.log_level, format=chosen.log_format, process="web")
    _run(chosen)


def _run(settings: Settings) -> None:
    # Until the loop runs, a request to stop is what Ctrl-C is, so that the database does not stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with hold_data_dir(settings.data_dir), contextlib.ExitStack() as cleanup:
        server = embedded(settings)
        with ThreadPoolExecutor(1, "database") as beside:
            starting = None
            if server is not None:
                cleanup.callback(server.stop)
                starting = beside.submit(server.start)
            # Nothing of what is loaded goes away again: looking for it would take a tenth of the time.
            gc.disable()
            serve_web = pkgutil.resolve_name("quadrat.cli.web:run")
            gc.enable()
            if starting is not None:
                starting.result()
        serve_web(settings, database_url(settings, server), server)
        say("Stopping the database." if server is not None else "Stopped.")
