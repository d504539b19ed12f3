"""One project of a million objects, asked and changed over HTTP.

Usage: python bench/objects/run.py [--objects N] [--keep DIR] [--only windows,reads,classify,bulk,mix]

Prints what was measured beside the aim and beside what the original back-end takes for the same (measured on the same
kind of machine and data, November 2026; see docs/figures/objects.md). Ends with 1 when an aim is missed.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
from dataset import Scale, load

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn

TOKEN = "be" * 20
REPEATS = 9
MIX_S = 30.0
N_CLIENTS = 16


class Server:
    """`quadrat serve` on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = (folder.parent / "bench.log").open("ab")
        environment = {
            # Compiled once, as installers do, not by each process.
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "QUADRAT_ADMIN_EMAIL": "bench@example.org",
            "QUADRAT_ADMIN_TOKEN": TOKEN,
            "QUADRAT_LOG_LEVEL": "warning",
        }
        command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(folder), "serve", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True)
        self.port = self._wait()

    def _wait(self) -> int:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "http://127.0.0.1:" in line:
                port = int(line.split("http://127.0.0.1:")[1].split("/")[0].split()[0])
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return port
        raise SystemExit("the server did not start; see bench.log")

    def memory_mib(self) -> float:
        """Private memory of the web process; mapped files that the system may drop at any time are not counted."""
        return psutil.Process(self.process.pid).memory_full_info().uss / 2**20

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(60)


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    def raw(self, method: str, path: str, body: Any = None) -> bytes:
        """One request; the body of its answer."""
        return self.send(method, path, None if body is None else json.dumps(body, separators=(",", ":")).encode())

    def send(self, method: str, path: str, content: bytes | None) -> bytes:
        """One request whose body is written already; the body of its answer."""
        self.connection.request(method, f"/api{path}", content, self.headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:300]!r}")
        return data

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """One request; what its answer says."""
        return json.loads(self.raw(method, path, body))


class Report:
    """Lines of figures with their aims."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, str]] = []
        self.missed = 0

    def add(
        self, what: str, value: float, unit: str, aim: float | None, original: str, *, at_least: bool = False
    ) -> None:
        """One figure, printed at once."""
        ok = aim is None or (value >= aim if at_least else value <= aim)
        self.missed += not ok
        wanted = "" if aim is None else f"{'>=' if at_least else '<='} {aim:g} {unit}{'' if ok else '  MISSED'}"
        self.lines.append((what, f"{value:.1f} {unit}", wanted, original))
        print(f"{what:<58} {value:>9.1f} {unit:<6} {wanted:<22} {original}", flush=True)

    def table(self) -> str:
        """All figures as a table."""
        rows = [f"| {' | '.join(line)} |" for line in self.lines]
        return "\n".join(["| work | measured | aim | original |", "|---|---|---|---|", *rows])


def median_ms(work: Callable[[], Any], repeats: int = REPEATS, before: Callable[[], Any] | None = None) -> float:
    """The time of the work, without that of what comes before each."""
    taken = []
    for _ in range(repeats):
        if before is not None:
            before()
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


class Bench:
    """The measurements, in an order in which the later ones do not spoil the earlier ones."""

    def __init__(self, server: Server, conn: psycopg.Connection, project_id: int, report: Report) -> None:
        self.server, self.conn, self.project_id, self.report = server, conn, project_id, report
        self.client = Client(server.port)
        self.chance = random.Random(1)
        rows = conn.execute("SELECT id, taxon_id FROM objects.object WHERE project_id = %s ORDER BY id", (project_id,))
        pairs = rows.fetchall()
        self.ids = [row[0] for row in pairs]
        self.taxa = sorted({row[1] for row in pairs if row[1] is not None})
        self.samples = [
            r[0] for r in conn.execute("SELECT id FROM objects.net_sample WHERE project_id = %s", (project_id,))
        ]
        conn.commit()

    def query(self, filters: dict[str, str], order: str, start: int, client: Client | None = None) -> Any:
        """A window of 200 with six fields."""
        fields = "obj.orig_id,obj.classif_qual,txo.display_name,fre.feature_03,obj.depth_min,img.file_name"
        path = (
            f"/object_set/{self.project_id}/query?fields={fields}&order_field={order}"
            f"&window_start={start}&window_size=200"
        )
        return (client or self.client).json("POST", path, filters)

    def windows(self) -> None:
        """Every filter with every order, at the beginning and deep in the list."""
        taxon = str(self.taxa[0])
        filters = {
            "none": {},
            "taxon": {"taxo": taxon},
            "20 taxa with children": {"taxo": ",".join(map(str, self.taxa[:20])), "taxochild": "Y"},
            "predicted": {"statusfilter": "P"},
            "validated by others": {"statusfilter": "NVM"},
            "map and depth": {
                "MapN": "40",
                "MapS": "-40",
                "MapE": "100",
                "MapW": "-100",
                "depthmin": "0",
                "depthmax": "300",
            },
            "10 samples": {"samples": ",".join(map(str, self.samples[:10]))},
            "month and time": {"month": "1,2,6", "fromtime": "06:00:00", "totime": "18:00:00"},
            "dates and daytime": {"fromdate": "2015-01-01", "todate": "2020-01-01", "daytime": "D,N"},
            "decided from": {"validfromdate": "2024-01-01 00:00", "statusfilter": "V"},
            "number": {"freenum": "on07", "freenumst": "5", "freenumend": "60"},
            "score": {"freenum": "oscore", "freenumst": "0.2"},
            "text": {"freetxt": "ot02", "freetxtval": "word_01"},
            "annotators": {
                "filt_annot": str(self.conn.execute("SELECT min(author_id) FROM objects.object").fetchone()[0])
            },
        }
        orders = [
            "",
            "obj.objid",
            "-obj.classif_auto_score",
            "fre.feature_11",
            "-fre.text_03",
            "obj.orig_id",
            "obj.classif_when",
            "txo.display_name",
            "sam.orig_id",
        ]
        worst: tuple[float, str] = (0.0, "")
        every = []
        for name, given in filters.items():
            for order in orders:
                for start in (0, 100_000, 500_000) if name == "none" else (0, 20_000):

                    def work(given: Any = given, order: str = order, start: int = start) -> None:
                        self.query(given, order, start)

                    work()
                    taken = median_ms(work, 5)
                    every.append(taken)
                    worst = max(worst, (taken, f"{name}, {order or 'no order'}, from {start}"))
        self.report.add(
            "window of 200: median over all filters, orders, depths",
            statistics.median(every),
            "ms",
            25,
            "60 to 1,400 ms",
        )
        self.report.add(f"window of 200: the slowest ({worst[1]})", worst[0], "ms", 25, "up to 2,340 ms")

    def reads(self) -> None:
        """Lists of ids, counts, parents."""
        path = f"/object_set/{self.project_id}/query"
        self.client.raw("POST", path, {})
        self.report.add("all ids", median_ms(lambda: self.client.raw("POST", path, {}), 5), "ms", 400, "4,009 ms")
        for name, filters in (
            ("everything", {}),
            ("a taxon", {"taxo": str(self.taxa[0])}),
            ("a depth", {"depthmin": "0", "depthmax": "99"}),
        ):
            summary = f"/object_set/{self.project_id}/summary?only_total=false"
            taken = median_ms(lambda f=filters, s=summary: self.client.raw("POST", s, f))
            self.report.add(f"summary of {name}", taken, "ms", 15, "12 to 670 ms")
        some = self.chance.sample(self.ids, 10_000)
        taken = median_ms(lambda: self.client.raw("POST", "/object_set/parents", some))
        self.report.add("parents of 10,000", taken, "ms", 25, "200 to 232 ms")

    def classify(self) -> None:
        """Decisions and guesses on objects drawn by chance."""
        for n, aim, original in (
            (100, None, "83 to 481 ms"),
            (1_000, None, "166 to 1,018 ms"),
            (10_000, 150, "817 to 3,073 ms"),
        ):
            taken = self.median_of("/object_set/classify", lambda n=n: {**self.draw(n), "wanted_qualification": "V"})
            self.report.add(f"classify {n:,}", taken, "ms", aim, original)
        taken = self.median_of(
            "/object_set/classify_auto", lambda: {**self.draw(10_000), "scores": [0.5] * 10_000, "keep_log": True}
        )
        self.report.add("classify_auto 10,000", taken, "ms", 250, "2,200 to 2,500 ms")

    def median_of(self, path: str, draw: Callable[[], dict[str, Any]]) -> float:
        """Time of a request, whose body is drawn and written beforehand."""
        content = b""

        def write() -> None:
            nonlocal content
            content = json.dumps(draw(), separators=(",", ":")).encode()

        return median_ms(lambda: self.client.send("POST", path, content), before=write)

    def draw(self, n: int) -> dict[str, list[int]]:
        """Objects, and a taxon for each."""
        some = self.chance.sample(self.ids, n)
        return {"target_ids": some, "classifications": [self.chance.choice(self.taxa[:20]) for _ in some]}

    def bulk(self) -> None:
        """Changes of many objects, the later ones of those that the earlier ones changed."""
        base = f"/object_set/{self.project_id}"
        # About 100,000 objects each: the validated ones of as many samples as that takes.
        n_samples = len(self.samples) * 100_000 // (len(self.ids) * 45 // 100)
        many = {"samples": ",".join(map(str, self.samples[:n_samples])), "statusfilter": "V"}
        n = self.client.json("POST", f"{base}/summary?only_total=true", many)["total_objects"]
        began = time.perf_counter()
        self.client.raw("POST", f"{base}/reclassify?forced_id={self.taxa[3]}&reason=W", many)
        self.report.add(f"reclassify {n:,}", (time.perf_counter() - began) * 1000, "ms", 2000, "19,000 ms for 88,000")
        began = time.perf_counter()
        self.client.raw("POST", f"{base}/reset_to_predicted", many)
        self.report.add(f"reset {n:,}", (time.perf_counter() - began) * 1000, "ms", 2000, "21,400 ms for 132,000")
        again = {"samples": many["samples"], "statusfilter": "P", "taxo": str(self.taxa[3])}
        n = self.client.json("POST", f"{base}/summary?only_total=true", again)["total_objects"]
        for dry in ("true", "false"):
            began = time.perf_counter()
            self.client.raw("POST", f"{base}/revert_to_history?dry_run={dry}", again)
            what = f"revert {n:,}{' (dry)' if dry == 'true' else ''}"
            self.report.add(what, (time.perf_counter() - began) * 1000, "ms", 2000, "11,400 dry, 26,500 ms for 132,000")
        some = self.chance.sample(self.ids, 10_000)
        body = {"target_ids": some, "updates": [{"ucol": "feature_05", "uval": "1.5"}]}
        self.report.add(
            "update a free column of 10,000",
            median_ms(lambda: self.client.raw("POST", "/object_set/update", body), 3),
            "ms",
            None,
            "200 ms",
        )
        gone = self.chance.sample(self.ids, 10_000)
        began = time.perf_counter()
        self.client.raw("DELETE", "/object_set/", gone)
        self.report.add("erase 10,000", (time.perf_counter() - began) * 1000, "ms", 1000, "1,000 ms")
        left = set(gone)
        self.ids = [id_ for id_ in self.ids if id_ not in left]

    def mix(self) -> None:
        """Sixteen people who look and classify in turn; each change must be found in the history afterwards."""
        before = self._lines_and_unclassified()
        end = time.perf_counter() + MIX_S
        taken: dict[str, list[float]] = {"query": [], "classify": []}
        changed = []
        failures = []

        def work(number: int) -> None:
            chance = random.Random(number)
            client = Client(self.server.port)
            try:
                while time.perf_counter() < end:
                    began = time.perf_counter()
                    filters = chance.choice([{}, {"taxo": str(chance.choice(self.taxa))}, {"statusfilter": "P"}])
                    self.query(
                        filters,
                        chance.choice(["", "fre.feature_11", "-obj.classif_auto_score"]),
                        chance.choice([0, 1000]),
                        client,
                    )
                    taken["query"].append((time.perf_counter() - began) * 1000)
                    began = time.perf_counter()
                    some = chance.sample(self.ids, 100)
                    body = {
                        "target_ids": some,
                        "classifications": [chance.choice(self.taxa)] * 100,
                        "wanted_qualification": "V",
                    }
                    changed.append(client.json("POST", "/object_set/classify", body))
                    taken["classify"].append((time.perf_counter() - began) * 1000)
            except (OSError, SystemExit, http.client.HTTPException) as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(N_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        n = sum(map(len, taken.values()))
        self.report.add("16 clients: operations a second", n / MIX_S, "/s", 20 * 16.6, "16.6 /s", at_least=True)
        self.report.add("16 clients: query p50", statistics.median(taken["query"]), "ms", None, "628 ms")
        self.report.add("16 clients: classify p50", statistics.median(taken["classify"]), "ms", None, "938 ms")
        after = self._lines_and_unclassified()
        lost = sum(changed) - (after[0] - before[0]) - (before[1] - after[1])
        self.report.add("16 clients: errors", len(failures), "", 0, "")
        self.report.add("16 clients: lost or doubled updates", abs(lost), "", 0, "")

    def _lines_and_unclassified(self) -> tuple[int, int]:
        lines = self.conn.execute("SELECT count(*) FROM objects.history").fetchone()[0]
        empty = self.conn.execute("SELECT count(*) FROM objects.object WHERE state = 'U'").fetchone()[0]
        self.conn.commit()
        return lines, empty


def prepare(server: Server, conn: psycopg.Connection, scale: Scale) -> int:
    """The project, loaded once."""
    found = conn.execute("SELECT id FROM identity.project WHERE title = 'bench'").fetchone()
    if found is not None:
        return int(found[0])
    project_id = int(Client(server.port).json("POST", "/projects/create", {"title": "bench"}))
    authors = [row[0] for row in conn.execute("SELECT id FROM identity.user")]
    began = time.perf_counter()
    load(conn, project_id, authors, scale)
    conn.commit()
    print(f"loaded {scale.n_objects:,} objects in {time.perf_counter() - began:.0f} s")
    conn.autocommit = True
    conn.execute("VACUUM ANALYZE")
    conn.autocommit = False
    return project_id


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder that stays, to measure again without loading")
    parser.add_argument("--only", default="windows,reads,classify,bulk,mix")
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
        with psycopg.connect(psycopg_dsn(EmbeddedPostgres(folder / "data").url)) as conn:
            bench = Bench(server, conn, project_id, report)
            began = time.perf_counter()
            bench.query({"statusfilter": "V"}, "obj.objid", 0)
            report.add("first query after a start", (time.perf_counter() - began) * 1000, "ms", 1000, "up to 2,340 ms")
            for part in options.only.split(","):
                getattr(bench, part)()
            report.add("memory of the web process", server.memory_mib(), "MiB", 600, "")
            size = conn.execute(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = 'objects' AND relkind = 'r'"
            ).fetchone()[0]
            report.add(
                "tables and indexes per million objects",
                float(size) / 2**20 * 1e6 / options.objects,
                "MiB",
                None,
                "1,600 MB",
            )
    finally:
        server.stop()
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(report.table())
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
