"""Exports of a project of a million objects over HTTP: speed of text, memory of the worker, summaries.

Usage: python bench/objects-ml/export.py [--objects N] [--keep DIR]

The original back-end takes 137 s for such a table (5.6 MB/s, 2.5 GB of memory) and fails at the summary; both were
measured on the same kind of machine, November 2026. Ends with 1 when an aim is missed.
"""

import argparse
import io
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import psycopg

sys.path.insert(0, str(Path(__file__).parents[1] / "objects"))

from dataset import Scale

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn
from run import Client, Report, Server, prepare

MIB = 2**20
FORMULAE = {"total_water_volume": "50.0", "subsample_coef": "1/2", "individual_volume": "math.pi*obj.feature_00**3/6"}


class Memory:
    """The most memory of the worker of a server while the block runs; a look every 50 ms."""

    def __init__(self, server: Server) -> None:
        self.worker = self._find(server)
        self.before = self.worker.memory_info().rss
        self.most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _find(self, server: Server) -> psutil.Process:
        while True:
            for child in psutil.Process(server.process.pid).children(recursive=True):
                if "worker" in child.cmdline():
                    return child
            time.sleep(0.1)

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.most = max(self.most, self.worker.memory_info().rss)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def run_job(client: Client, operation: str, **request: Any) -> tuple[float, Any]:
    """Seconds from the request to the end of the job, and the job."""
    began = time.perf_counter()
    asked = client.json("POST", f"/object_set/export/{operation}", {"filters": {}, "request": request})
    while True:
        job = client.json("GET", f"/jobs/{asked['job_id']}/")
        if job["state"] == "F":
            return time.perf_counter() - began, job
        if job["state"] == "E":
            raise SystemExit(f"the export failed: {job['errors']}")
        time.sleep(0.05)


def measure(server: Server, project_id: int, report: Report) -> None:
    client = Client(server.port)
    with Memory(server) as memory:
        seconds, job = run_job(client, "general", project_id=project_id)
    content = client.raw("GET", f"/jobs/{job['id']}/file")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        table = archive.infolist()[0]
        with archive.open(table) as file:
            columns = len(file.readline().split(b"\t"))
    text = table.file_size / 1e6
    print(
        f"{job['result']['rowcount']:,} lines x {columns} columns, {text:.0f} MB of text, "
        f"zip {len(content) / 1e6:.0f} MB"
    )
    report.add("general export", seconds, "s", None, "137 s")
    report.add("general export: text", text / seconds, "MB/s", 60, "5.6 MB/s", at_least=True)
    report.add("general export: memory of the worker", memory.most / MIB, "MiB", 300, "2,500 MB")
    report.add("  of which before the export", memory.before / MIB, "MiB", None, "")
    for quantity in ("abundance", "concentration", "biovolume"):
        formulae = {} if quantity == "abundance" else FORMULAE
        with Memory(server) as memory:
            seconds, job = run_job(client, "summary", project_id=project_id, quantity=quantity, formulae=formulae)
        report.add(f"summary: {quantity} ({job['result']['rowcount']:,} lines)", seconds, "s", 3, "failed")
        report.add("  memory of the worker", memory.most / MIB, "MiB", None, "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder that stays, to measure again without loading")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="quadrat-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    server = Server(folder / "data")
    try:
        with psycopg.connect(psycopg_dsn(EmbeddedPostgres(folder / "data").url)) as conn:
            project_id = prepare(server, conn, Scale(options.objects))
        server.stop()
        server = Server(folder / "data")
        measure(server, project_id, report)
    finally:
        server.stop()
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(report.table())
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
