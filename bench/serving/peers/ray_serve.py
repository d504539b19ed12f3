"""The model as Ray Serve serves it. BENCH_PORT, BENCH_WORKERS, BENCH_SLEEP_S."""

import os
import signal
import time
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", "0"))


@serve.deployment(num_replicas=int(os.environ.get("BENCH_WORKERS", "1")), max_ongoing_requests=128)
class Double:
    """``output = 2 * input``."""

    def work(self, value: dict[str, Any]) -> dict[str, Any]:
        if SLEEP_S:
            time.sleep(SLEEP_S)
        given = value["input"]
        return {"output": [item * 2 for item in given] if isinstance(given, list) else given * 2}

    async def __call__(self, request: Request) -> dict[str, Any]:
        return self.work(await request.json())


if __name__ == "__main__":
    ray.init(num_cpus=8, include_dashboard=False, logging_level="ERROR")
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])})
    serve.run(Double.bind(), blocking=False)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
