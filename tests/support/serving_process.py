"""A part of serving in a process of its own, to be killed: `python -m support.serving_process engine|worker ...`."""

import asyncio
import sys
from pathlib import Path

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.runner.local import LocalRunner
from quadrat.serving.engine import ServingEngine
from quadrat.serving.flow.courier import Courier
from quadrat.serving.flow.engine import PipelineEngine
from quadrat.serving.launch import Launcher
from support.flow import COURIER
from support.house import SEALER
from support.places import open_places
from support.serving import TIMING, open_blobs, run_worker


async def main(part: str, url: str, root: str, runner_dir: str) -> None:
    db = Database(url, pool_size=5)
    blobs, runner = open_blobs(Path(root)), LocalRunner(Path(runner_dir), sandboxed=False)
    if part == "worker":
        await run_worker(db, blobs, runner, asyncio.Event())
    listener = Listener(db.dsn)
    engine = ServingEngine(db, listener, Launcher(runner, blobs, SEALER), timing=TIMING)
    places = open_places()
    pipelines = PipelineEngine(db, listener, engine, Courier(db, SEALER, places, engine, COURIER), TIMING.batch)
    await places.proxy.start()
    await listener.start()
    await engine.start()
    await pipelines.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
