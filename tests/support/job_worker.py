"""A worker process for the tests of jobs: `python -m support.job_worker <database url> <poll_s>`."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs.registry import Handler, JobContext, Registry
from quadrat.jobs.worker import Worker, WorkerTiming


async def double(context: JobContext[None], params: Mapping[str, Any]) -> dict[str, Any]:
    await context.log(f"doubling {params['number']}")
    return {"number": params["number"] * 2}


async def hang_once(context: JobContext[None], _params: Mapping[str, Any]) -> dict[str, Any]:
    """Stays in its first run until it is killed or cancelled; the next run ends."""
    if context.job.attempt == 1:
        await context.log(f"hanging in {os.getpid()}")
        await context.progress(10, "hanging")
        await asyncio.Event().wait()
    return {"attempt": context.job.attempt}


async def wait_for_file(context: JobContext[None], params: Mapping[str, Any]) -> dict[str, Any]:
    await context.progress(10, "waiting")
    while not await asyncio.to_thread(Path(params["path"]).exists):
        await asyncio.sleep(0.05)
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


async def die(context: JobContext[None], _params: Mapping[str, Any]) -> None:
    await context.log("dying")
    os.kill(os.getpid(), signal.SIGKILL)


async def leave_unstorable(context: JobContext[None], params: Mapping[str, Any]) -> dict[str, Any]:
    """Ends with what no JSON column holds."""
    if params["ask"]:
        context.ask({"name": "\0"})
    return {"handler": leave_unstorable}


async def stumble(context: JobContext[None], _params: Mapping[str, Any]) -> None:
    """Fails while it is being interrupted."""
    await context.progress(10, "hanging")
    try:
        await asyncio.Event().wait()
    finally:
        raise RuntimeError("in the way out")


REGISTRY = Registry(
    [
        Handler("test.double", double),
        Handler("test.hang_once", hang_once),
        Handler("test.wait_for_file", wait_for_file),
        Handler("test.fail", fail, max_attempts=2),
        Handler("test.ask", ask),
        Handler("test.die", die, max_attempts=2),
        Handler("test.leave_unstorable", leave_unstorable, max_attempts=1),
        Handler("test.stumble", stumble),
    ]
)


async def main(url: str, poll_s: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    db = Database(url, pool_size=3)
    timing = WorkerTiming(heartbeat_s=0.3, stalled_after_s=1.5, poll_s=poll_s, grace_s=1.0)
    await Worker(db, REGISTRY, None, concurrency=4, timing=timing).run(stop)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
