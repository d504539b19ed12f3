"""What a pipeline of three trivial models costs beside one plain model request, direct and in batches.

Usage: python bench/pipelines/chain.py [--direct 400] [--batch 10000]

Aims: the direct request of the chain takes less than 3.5 times one direct model request (p50); batch requests of the
chain run at least a third as many models a second as batch model requests do. Exits with 1 when one is missed.
"""

import argparse
import http.client
import io
import json
import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

MODEL = """
class Model:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        return {"number": data["number"] + 1}
"""
FIELDS = [{"name": "number", "data_type": "double"}]
DIRECT_AIM, BATCH_AIM = 3.5, 1 / 3
WARM_UP = 50
BUILD_S, BATCH_S = 120, 240


class Server:
    """A real `quadrat serve`, asked over one connection."""

    def __init__(self, data_dir: Path) -> None:
        self._token = secrets.token_hex(20)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "serve", "--port", "0"],
            env={
                **os.environ,
                "QUADRAT_ADMIN_EMAIL": "bench@example.org",
                "QUADRAT_ADMIN_PASSWORD": secrets.token_urlsafe(12),
                "QUADRAT_ADMIN_TOKEN": self._token,
                "QUADRAT_LOG_LEVEL": "error",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.search(r"http://([^:]+):(\d+)", line)
            if found:
                self._web = http.client.HTTPConnection(found[1], int(found[2]))
                return
        raise SystemExit("The server did not start.")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the serving API."""
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self._send(method, path, content, "application/json")

    def upload(self, path: str, archive: bytes) -> None:
        """A package."""
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="package.zip"\r\n\r\n'
        self._send("PUT", path, head + archive + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")

    def stop(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def _send(self, method: str, path: str, content: str | bytes, media_type: str) -> Any:
        headers = {"Authorization": f"Token {self._token}", "Content-Type": media_type}
        self._web.request(method, f"/v2.1{path}", content, headers)
        answer = self._web.getresponse()
        body = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {body[:500]!r}")
        return json.loads(body) if body else None


def set_up(server: Server) -> tuple[str, str]:
    """Addresses of an available version, and of a pipeline with it three times in a row."""
    server.ask("POST", "/organizations", {"name": "bench-house", "subscription": "free", "subscription_agreed": True})
    server.ask("POST", "/projects", {"name": "bench", "organization_name": "bench-house"})
    project = "/projects/bench"
    kinds = {"input_type": "structured", "output_type": "structured", "input_fields": FIELDS, "output_fields": FIELDS}
    server.ask("POST", f"{project}/models", {"name": "plus-one", **kinds})
    instances = {"minimum_instances": 1, "maximum_instances": 1}
    version = f"{project}/models/plus-one/versions"
    server.ask("POST", version, {"version": "v1", "memory_allocation": 256, **instances})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("model_package/model.py", MODEL)
    server.upload(f"{version}/v1/upload", archive.getvalue())
    deadline = time.monotonic() + BUILD_S
    while (status := server.ask("GET", f"{version}/v1")["status"]) != "available":
        if "failed" in status or time.monotonic() > deadline:
            raise SystemExit(f"The version is {status}.")
        time.sleep(0.2)
    pipeline = f"{project}/pipelines/chain"
    body = {"name": "chain", "input_type": "structured", "input_fields": FIELDS}
    server.ask("POST", f"{project}/pipelines", body)
    before = "pipeline_start"
    mapping = [{"source_field_name": "number", "destination_field_name": "number"}]
    for name in ("first", "second", "third"):
        reference = {"reference_type": "model", "reference_name": "plus-one", "version": "v1"}
        server.ask("POST", f"{pipeline}/objects", {"name": name, **reference})
        ends = {"source_name": before, "destination_name": name, "mapping": mapping}
        server.ask("POST", f"{pipeline}/attachments", ends)
        before = name
    return f"{version}/v1", pipeline


def direct(server: Server, addresses: tuple[str, str], times: int) -> tuple[float, float]:
    """p50 of both kinds of direct request in ms, asked in turns."""
    taken: dict[str, list[float]] = {address: [] for address in addresses}
    for number in range(WARM_UP + times):
        for address in addresses:
            began = time.perf_counter()
            answer = server.ask("POST", f"{address}/request", b'{"number":1}')
            took = time.perf_counter() - began
            runs = answer.get("model_requests", [answer])
            if not all(run["success"] for run in runs) or len(runs) not in {1, 3}:
                raise SystemExit(f"A request failed: {answer}")
            if number >= WARM_UP:
                taken[address].append(took * 1000)
    first, second = (statistics.median(times_ms) for times_ms in taken.values())
    return first, second


def batch(server: Server, address: str, number: int, per_call: int) -> float:
    """Seconds from the first call that queues requests to the end of the last of them."""
    began = time.perf_counter()
    for start in range(0, number, per_call):
        items = [{"number": n} for n in range(start, min(start + per_call, number))]
        server.ask("POST", f"{address}/request-batch", items)
    deadline = time.monotonic() + BATCH_S
    while any(
        server.ask("GET", f"{address}/request-batch?status={status}&limit=1") for status in ("pending", "processing")
    ):
        if time.monotonic() > deadline:
            raise SystemExit(f"The batch did not end within {BATCH_S} s.")
        time.sleep(0.05)
    took = time.perf_counter() - began
    if server.ask("GET", f"{address}/request-batch?status=failed&limit=1"):
        raise SystemExit("A request of the batch failed.")
    return took


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--direct", type=int, default=400)
    parser.add_argument("--batch", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quadrat-bench-") as folder:
        Path(folder).chmod(0o755)
        server = Server(Path(folder) / "data")
        try:
            version, pipeline = set_up(server)
            model_ms, chain_ms = direct(server, (version, pipeline), options.direct)
            model_s = batch(server, version, options.batch, 250)
            chain_s = batch(server, pipeline, options.batch, 100)
        finally:
            server.stop()
    direct_ratio = chain_ms / model_ms
    model_rate, run_rate = options.batch / model_s, 3 * options.batch / chain_s
    print(f"direct   one model {model_ms:.2f} ms, chain of three {chain_ms:.2f} ms (p50 of {options.direct}):", end=" ")
    print(f"{direct_ratio:.2f} times, aim below {DIRECT_AIM}")
    print(
        f"batch    models {model_rate:.0f}/s, chain {options.batch / chain_s:.0f}/s = {run_rate:.0f} runs/s:", end=" "
    )
    print(f"{run_rate / model_rate:.2f} of the rate, aim at least {BATCH_AIM:.2f} ({options.batch} requests each)")
    if direct_ratio >= DIRECT_AIM or run_rate / model_rate < BATCH_AIM:
        sys.exit("An aim is missed.")


if __name__ == "__main__":
    main()
