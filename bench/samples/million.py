"""One dataset of a million samples: lists, pages and creation, with their aims; exits with 1 when one is missed.

    python bench/samples/million.py [--samples 1000000]

The samples are written straight into the database, as the server would write them; everything measured goes over HTTP
to a real `quadrat serve` of its own.
"""

import argparse
import asyncio
import contextlib
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
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import psycopg

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn

TOKEN = "be" * 20
MIB = 1024 * 1024


@contextlib.contextmanager
def serving(folder: Path, **settings: str) -> Iterator[tuple[str, psutil.Process]]:
    """A server on an empty directory: its address, and its web process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUADRAT_")} | {
        "QUADRAT_ADMIN_EMAIL": "bench@example.org",
        "QUADRAT_ADMIN_PASSWORD": "Correct-horse-1",
        "QUADRAT_ADMIN_TOKEN": TOKEN,
        **settings,
    }
    command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(folder), "serve", "--port", "0"]
    with (folder.parent / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--log-level", "error"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert process.stdout is not None
        url = next(found.group() for line in process.stdout if (found := re.search(r"http://\S+", line)))
        try:
            yield url, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def call(url: str, method: str, path: str, body: Any = None) -> Any:
    """What the samples API answers."""
    request = urllib.request.Request(
        f"{url}/v1{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read() or b"null")


def fill(folder: Path, dataset: str, count: int) -> None:
    """Write samples as the server would."""
    with psycopg.connect(psycopg_dsn(EmbeddedPostgres(folder).url)) as conn:
        columns = (
            "id, dataset_id, index, kind, file_name, file_name_digest, request_digest, created_at, last_modified_at"
        )
        with conn.cursor().copy(f"COPY samples.sample ({columns}) FROM STDIN") as copy:
            for index in range(count):
                name = f"survey 7/station {index // 1000:04}/image {index:07}.jpg"
                digest = sha256(name.encode()).digest()
                copy.write_row(
                    (f"65000000{index:016x}", dataset, index, "image", name, digest, digest, "2026-01-01", "2026-01-01")
                )
        conn.execute("UPDATE samples.dataset SET n_samples = %s WHERE id = %s", (count, dataset))
    with psycopg.connect(psycopg_dsn(EmbeddedPostgres(folder).url), autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE samples.sample")


def read_all(url: str, path: str) -> tuple[float, int]:
    """Seconds and bytes of a whole list, thrown away as it comes."""
    start = time.perf_counter()
    total = 0
    request = urllib.request.Request(f"{url}/v1{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        while chunk := answer.read(MIB):
            total += len(chunk)
    return time.perf_counter() - start, total


def watch_memory(process: psutil.Process, run: Any) -> tuple[Any, float]:
    """What `run` gives, and by how many MiB the process grew at most meanwhile."""
    before = process.memory_info().rss
    peak = before

    async def watching() -> Any:
        nonlocal peak
        task = asyncio.get_running_loop().run_in_executor(None, run)
        while not task.done():
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.02)
        return await task

    result = asyncio.run(watching())
    return result, (peak - before) / MIB


async def create(url: str, dataset: str, connections: int, seconds: float) -> float:
    """Samples per second over connections that each wait for the answer before the next request."""
    host, port = url.removeprefix("http://").split(":")
    stop = time.perf_counter() + seconds
    made = 0

    async def one(number: int) -> None:
        nonlocal made
        reader, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST /v1/datasets/{dataset}/samples HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        count = 0
        while time.perf_counter() < stop:
            name = f"new/{secrets.token_hex(4)}-{number}-{count}.jpg"
            meta = {"sizeInBytes": 300_000, "sharpness": 12.5, "mean": [0.1, 0.2, 0.3], "shape": [480, 640, 3]}
            body = json.dumps({"fileName": name, "metaData": meta, "exif": {"Make": "x"}})
            writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 201 " in answer[:20], answer
            length = int(re.search(rb"content-length: (\d+)", answer.lower())[1])  # type: ignore[index]
            await reader.readexactly(length)
            count += 1
        made += count
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(connections)))
    return made / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    count = parser.parse_args().samples
    missed = []

    def report(what: str, found: float, unit: str, aim: float, *, at_least: bool = False) -> None:
        met = found >= aim if at_least else found <= aim
        word = "at least" if at_least else "at most"
        print(f"{what:58} {found:10.1f} {unit:5} aim: {word} {aim:g} {'' if met else '  MISSED'}", flush=True)
        if not met:
            missed.append(what)

    with tempfile.TemporaryDirectory() as work, serving(Path(work) / "data") as (url, web):
        dataset = call(url, "POST", "/datasets", {"name": "a million", "type": "Images"})["id"]
        start = time.perf_counter()
        fill(Path(work) / "data", dataset, count)
        print(f"{count} samples written in {time.perf_counter() - start:.0f} s", flush=True)
        samples = f"/datasets/{dataset}/samples"
        for mode in ("ids", "fileNames"):
            (seconds, size), grown = watch_memory(
                web, lambda mode=mode: read_all(url, f"{samples}/partial?mode={mode}")
            )
            report(f"partial?mode={mode}, {size / MIB:.0f} MiB", seconds, "s", 6)
            report("  extra memory of the web process", grown, "MiB", 100)
        times = []
        for offset in (0, count // 3, count // 2, count - 100):
            for path in (samples, f"{samples}/partial"):
                call(url, "GET", f"{path}?pageSize=100&pageOffset={offset}")
                start = time.perf_counter()
                assert len(call(url, "GET", f"{path}?pageSize=100&pageOffset={offset}")) == 100
                times.append((time.perf_counter() - start) * 1000)
        report(f"slowest page of 100 by offset (median {statistics.median(times):.1f})", max(times), "ms", 30)
        asyncio.run(create(url, dataset, 16, 2))
        rate = asyncio.run(create(url, dataset, 16, 10))
        report("create over 16 connections", rate, "per s", 1500, at_least=True)
        (mapping, size), grown = watch_memory(
            web, lambda: read_all(url, f"/datasets/{dataset}/mappings?field=fileName")
        )
        print(f"mappings?field=fileName: {mapping:.1f} s, {size / MIB:.0f} MiB, {grown:.0f} MiB of extra memory")
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
