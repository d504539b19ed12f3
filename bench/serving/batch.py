"""Batch requests: how fast they are accepted, run and recorded, and what a long queue costs.

One server, one version, one instance; each call creates 250 requests of 40 bytes over `--clients` connections.
Whole way: `--whole` requests of a trivial model from the first call to the last recorded result. Accepting: `--queued`
requests behind a model that works a second on each. Draining: the trivial model takes that queue over. Memory: the most
that the web process had meanwhile, against the most before. In the end every result is read and compared. The exit code
is 1 when an aim is missed.

Usage: python bench/serving/batch.py [--queued 100000] [--whole 30000] [--clients 4]
"""

import argparse
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

sys.path.insert(0, str(Path(__file__).parent))

from targets import MODEL, Api, serve

PER_CALL = 250
TRIVIAL, SLOW = MODEL.format(pause="pass"), MODEL.format(pause="time.sleep(1)")
CREATE_AIM, PROCESS_AIM, GROWTH_AIM_MIB = 20_000, 3_000, 16.0
WAIT_S = 600
MIB = 1024 * 1024


@dataclass(slots=True)
class Client:
    """Callers of one version, each with a connection of its own that stays open."""

    api: Api
    path: str
    local: threading.local = field(default_factory=threading.local)

    def call(self, method: str, where: str, body: bytes | None = None) -> Any:
        address = urlsplit(self.api.url)
        line = getattr(self.local, "line", None)
        if line is None:
            assert address.hostname is not None
            line = self.local.line = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        line.request(method, address.path + self.path + where, body, self.api.headers)
        answer = line.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {where}: {answer.status} {content[:300]!r}")
        return content

    def create(self, first: int) -> bytes:
        """The answer to one call: requests with the numbers from `first` on."""
        items = ",".join(
            f'{{"input": {number}.123456789012345}}'.ljust(40) for number in range(first, first + PER_CALL)
        )
        content: bytes = self.call("POST", "/request-batch", f"[{items}]".encode())
        return content

    def is_empty(self) -> bool:
        """Whether nothing waits or runs."""
        kinds = ("pending", "processing")
        return all(self.call("GET", f"/request-batch?status={kind}&limit=1") == b"[]" for kind in kinds)

    def wait_until_empty(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while not self.is_empty():
            if time.monotonic() > deadline:
                raise RuntimeError("The queue is not empty in time.")
            time.sleep(0.1)

    def wrong_results(self, first: int, answer: bytes) -> int:
        """How many requests of one call have no result, or another one than twice their input."""
        ids = [item["id"] for item in json.loads(answer)]
        found = {item["id"]: item for item in json.loads(self.collect(ids))}
        expected = [{"output": float(f"{number}.123456789012345") * 2} for number in range(first, first + PER_CALL)]
        return sum(
            not found[id_]["success"] or found[id_]["result"] != value for id_, value in zip(ids, expected, strict=True)
        )

    def collect(self, ids: list[str]) -> bytes:
        content: bytes = self.call("POST", "/request-batch-collect", json.dumps(ids).encode())
        return content


class Memory:
    """The most that a process has had since it was last asked, looked at ten times in a second."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self._most = max(self._most, self._process.memory_info().rss)

    def most_mib(self) -> float:
        most, self._most = max(self._most, self._process.memory_info().rss), 0
        return most / MIB

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def watched(api: Api) -> Iterator[Memory]:
    """The memory of the web process: the child of this one that listens."""
    port = urlsplit(api.url).port
    found = next(
        child
        for child in psutil.Process().children()
        if any(line.laddr.port == port for line in child.net_connections("tcp") if line.status == psutil.CONN_LISTEN)
    )
    memory = Memory(found)
    try:
        yield memory
    finally:
        memory.stop()


class Bench:
    """One version with one instance, and what is asked of it.

    Args:
        api: Where.
        memory: Of the web process.
        threads: As many as there are clients.
    """

    def __init__(self, api: Api, memory: Memory, threads: ThreadPoolExecutor) -> None:
        self.checks: list[tuple[str, float, float, bool]] = []
        self._api = api
        self._memory = memory
        self._threads = threads
        self._path = api.deploy("double", TRIVIAL, "double", minimum_instances=1, maximum_instances=1)
        self._client = Client(api, self._path)
        self._next = 0
        self._answers: dict[int, bytes] = {}

    def accept(self, count: int) -> float:
        """Requests accepted in a second."""
        starts = range(self._next, self._next + count, PER_CALL)
        self._next += count
        began = time.perf_counter()
        for start, answer in zip(starts, self._threads.map(self._client.create, starts), strict=True):
            self._answers[start] = answer
        return count / (time.perf_counter() - began)

    def whole_way(self, count: int) -> None:
        self.accept(count)
        self._client.wait_until_empty()
        began = time.perf_counter()
        self.accept(count)
        self._client.wait_until_empty()
        rate = count / (time.perf_counter() - began)
        print(f"whole way    {rate:>8.0f} requests/s from the first call to the last result ({count})")
        self.checks.append(("whole way, requests/s", rate, PROCESS_AIM, True))

    def queue(self, count: int) -> None:
        before_mib = self._memory.most_mib()
        self._api.upload(self._path, SLOW)
        rate = self.accept(count)
        print(f"accepting    {rate:>8.0f} requests/s ({count})")
        self.checks.append(("accepting, requests/s", rate, CREATE_AIM, True))
        middle = self._answers[self._next - count // 2 // PER_CALL * PER_CALL]
        began = time.perf_counter()
        self._client.call("GET", f"/request-batch?limit=50&offset={count // 2}")
        self._client.collect([item["id"] for item in json.loads(middle)])
        took_ms = (time.perf_counter() - began) * 1000
        print(f"with queue   {took_ms:>8.0f} ms for a page and {PER_CALL} requests from its middle")
        self._api.upload(self._path, TRIVIAL)
        began = time.perf_counter()
        self._client.wait_until_empty()
        rate = count / (time.perf_counter() - began)
        print(f"draining     {rate:>8.0f} requests/s ({count})")
        self.checks.append(("draining, requests/s", rate, PROCESS_AIM, True))
        most_mib = self._memory.most_mib()
        print(f"memory       {most_mib:>8.1f} MiB at the most with the queue, {before_mib:.1f} before it")
        self.checks.append(("growth of memory, MiB", most_mib - before_mib, GROWTH_AIM_MIB, False))

    def read_results(self) -> None:
        wrong = sum(self._threads.map(lambda item: self._client.wrong_results(*item), self._answers.items()))
        print(f"results      {len(self._answers) * PER_CALL:>8} read, {wrong} wrong")
        self.checks.append(("wrong results", wrong, 0, False))


def judge(checks: list[tuple[str, float, float, bool]]) -> bool:
    """Print what was aimed at; False when an aim is missed."""
    kept = True
    print(f"\n{'':<26}{'measured':>10}{'aim':>12}   kept")
    for what, found, aim, at_least in checks:
        good = found >= aim if at_least else found <= aim
        kept = kept and good
        print(f"{what:<26}{found:>10.1f}{'>= ' if at_least else '<= ':>5}{aim:<7g}   {'yes' if good else 'NO'}")
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queued", type=int, default=100_000)
    parser.add_argument("--whole", type=int, default=30_000)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {options.clients} clients, {PER_CALL} in each call"
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ThreadPoolExecutor(options.clients) as threads:
        Path(folder).chmod(0o755)
        with serve(Path(folder)) as api, watched(api) as memory:
            bench = Bench(api, memory, threads)
            bench.whole_way(options.whole)
            bench.queue(options.queued)
            bench.read_results()
    return 0 if judge(bench.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
