"""The model as BentoML serves it. BENCH_WORKERS, BENCH_SLEEP_S."""

import os
import time
from typing import Any

import bentoml

SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", "0"))


@bentoml.service(workers=int(os.environ.get("BENCH_WORKERS", "1")), traffic={"timeout": 60, "concurrency": 128})
class Double:
    """``output = 2 * input``."""

    @bentoml.api
    def predict(self, input: Any) -> dict[str, Any]:
        if SLEEP_S:
            time.sleep(SLEEP_S)
        return {"output": [item * 2 for item in input] if isinstance(input, list) else input * 2}
