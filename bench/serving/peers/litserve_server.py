"""The model as LitServe serves it. BENCH_PORT, BENCH_WORKERS, BENCH_SLEEP_S."""

import os
import time
from typing import Any

import litserve

SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", "0"))


class Double(litserve.LitAPI):
    """``output = 2 * input``."""

    def setup(self, device: str) -> None:
        pass

    def predict(self, x: dict[str, Any]) -> dict[str, Any]:
        if SLEEP_S:
            time.sleep(SLEEP_S)
        given = x["input"]
        return {"output": [item * 2 for item in given] if isinstance(given, list) else given * 2}


if __name__ == "__main__":
    server = litserve.LitServer(
        Double(), accelerator="cpu", workers_per_device=int(os.environ.get("BENCH_WORKERS", "1"))
    )
    server.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), generate_client_file=False, log_level="error")
