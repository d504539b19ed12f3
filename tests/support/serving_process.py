"""A part of serving in a process of its own, to be killed: `python -m support.serving_process engine|worker ...`."""

import asyncio
import sys
from pathlib import Path

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.runner.local import LocalRunner
from quadrat.serving.engine import ServingEngine
from quadrat.serving.launch import Launcher
from support.house import SEALER
from support.serving import TIMING, open_blobs, run_worker


async def main(part: str, url: str, root: str, runner_dir: str) -> None:
    db = Database(url, pool_size=5)
    blobs, runner = open_blobs(Path(root)), LocalRunner(Path(runner_dir))
    if part == "worker":
        await run_worker(db, blobs, runner, asyncio.Event())
    listener = Listener(db.dsn)
    engine = ServingEngine(db, listener, Launcher(runner, blobs, SEALER), timing=TIMING)
    await listener.start()
    await engine.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
