"""A worker process for the tests of jobs: `python -m support.job_worker <database url>`."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs.registry import Handler, JobContext, Registry
from quadrat.jobs.worker import Worker, WorkerTiming

TIMING = WorkerTiming(heartbeat_s=0.3, stalled_after_s=1.5, poll_s=1.0, grace_s=1.0)


async def double(context: JobContext[None], params: Mapping[str, Any]) -> dict[str, Any]:
    await context.log(f"doubling {params['number']}")
    return {"number": params["number"] * 2}


async def hang_once(context: JobContext[None], _params: Mapping[str, Any]) -> dict[str, Any]:
    """Stays in its first run until it is killed or cancelled; the next run ends."""
    if context.job.attempt == 1:
        await context.progress(10, "hanging")
        await context.log(f"hanging in {os.getpid()}")
        await asyncio.Event().wait()
    return {"attempt": context.job.attempt}


async def fail(context: JobContext[None], params: Mapping[str, Any]) -> dict[str, Any]:
    if params.get("refuse"):
        raise QuadratError(ErrorKind.INVALID, "The file has no header.")
    if context.job.attempt <= params["times"]:
        raise RuntimeError("secret detail")
    return {"attempt": context.job.attempt}


async def ask(context: JobContext[None], _params: Mapping[str, Any]) -> dict[str, Any]:
    if "name" not in context.job.reply:
        context.ask({"missing": ["name"]})
    return {"hello": context.job.reply["name"]}


REGISTRY = Registry(
    [
        Handler("test.double", double),
        Handler("test.hang_once", hang_once),
        Handler("test.fail", fail, max_attempts=2),
        Handler("test.ask", ask),
    ]
)


async def main(url: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    db = Database(url, pool_size=3)
    await Worker(db, REGISTRY, None, concurrency=4, timing=TIMING).run(stop)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
