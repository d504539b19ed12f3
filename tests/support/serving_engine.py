"""An engine in a process of its own, to be killed: `python -m support.serving_engine <url> <root> <runner dir>`."""

import asyncio
import sys
from pathlib import Path

from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.runner.local import LocalRunner
from quadrat.serving.engine import ServingEngine
from quadrat.storage.blobs import BlobStore
from support.serving import TIMING


async def main(url: str, root: str, runner_dir: str) -> None:
    db = Database(url, pool_size=5)
    listener = Listener(db.dsn)
    blobs = BlobStore.on_disk(Path(root) / "store", b"k" * 32)
    engine = ServingEngine(db, listener, blobs, LocalRunner(Path(runner_dir)), timing=TIMING)
    await listener.start()
    await engine.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
