"""A long gaze.csv through a real server: rows per second of parsing, and the memory of all its processes.

    python bench/gaze/imports.py [--gib 3]

First the reader alone, in one thread, on the first million rows of each format. Then `quadrat serve` on an embedded
database is sent the whole file over HTTP. Memory is the proportional share (PSS) of the server, its worker and what
they start, without PostgreSQL, summed, looked at ten times a second. Exits with 1 when an aim is missed.
"""

import argparse
import io
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

# Before polars is loaded: the rate is that of one core.
os.environ["POLARS_MAX_THREADS"] = "1"

import httpx2
import numpy as np
import polars as pl
import psutil
from PIL import Image

from quadrat.gaze.formats.assemble import assemble
from quadrat.gaze.formats.parsed import FileSet, GivenFacts
from quadrat.gaze.formats.reader import ImportReader

AIMS = {"rows_per_s": 1.2e6, "peak_mib": 1024.0}
START_NS = 1_760_676_788_219_000_000
BLOCK_ROWS = 1_000_000
SECTION = "5d0c1f0e-3f5e-4a6e-9d55-0f6f6d0f7a01"
RECORDING = "0b1f2d3c-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
WORDS = {
    "image mapper": ("gaze detected in reference image", "gaze position in reference image x [px]"),
    "marker mapper": ("gaze detected on surface", "gaze position on surface x [normalized]"),
}


def header(kind: str) -> bytes:
    detected, x = WORDS[kind]
    names = f"section id,recording id,timestamp [ns],{detected},{x},{x.replace(' x ', ' y ')},fixation id,blink id\n"
    return names.encode()


def block(kind: str, number: int) -> bytes:
    """A million rows as downloads have them: ids on every row, positions with three or six decimals."""
    random = np.random.default_rng(number)
    rows = np.arange(number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS)
    scale, decimals = ((1600, 1200), 3) if kind == "image mapper" else ((1, 1), 16)
    frame = pl.DataFrame(
        {
            "t": START_NS + rows * 5_000_000,
            "detected": random.random(BLOCK_ROWS) < 0.9,
            "x": (random.random(BLOCK_ROWS) * scale[0]).round(decimals),
            "y": (random.random(BLOCK_ROWS) * scale[1]).round(decimals),
            "fixation": rows // 72,
            "fixates": rows % 72 < 50,
        }
    )
    frame = frame.select(
        pl.lit(SECTION).alias("s"),
        pl.lit(RECORDING).alias("r"),
        "t",
        "detected",
        "x",
        "y",
        pl.when("fixates").then("fixation"),
        pl.lit(None, pl.Int32).alias("b"),
    )
    return frame.write_csv(include_header=False).encode()


def measure_parsing(folder: Path, kind: str) -> float:
    """Rows per second of processor time, from the file to sorted columns on disk."""
    path = folder / "gaze.csv"
    path.write_bytes(header(kind) + block(kind, 0))
    scratch = folder / kind.replace(" ", "-")
    scratch.mkdir()
    began = time.process_time()
    reader = ImportReader(FileSet({"gaze": path}, {"gaze": "gaze.csv"}), GivenFacts(name="R"), scratch, lambda _: None)
    reader.read()
    (found,) = assemble(reader, GivenFacts(name="R"), scratch)
    took = time.process_time() - began
    assert found.n_samples == BLOCK_ROWS
    return BLOCK_ROWS / took


def write_gaze(path: Path, n_bytes: int) -> int:
    """Writes until the file has so many bytes; returns the number of rows."""
    number = 0
    with path.open("wb") as file:
        file.write(header("image mapper"))
        while file.tell() < n_bytes:
            file.write(block("image mapper", number))
            number += 1
    return number * BLOCK_ROWS


class MemoryWatch(threading.Thread):
    """Keeps the highest sum over a process and its descendants."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.peak_mib = 0.0
        self.at_peak: dict[str, float] = {}
        self._process = process
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.1):
            shares = {}
            for one in [self._process, *self._process.children(recursive=True)]:
                try:
                    words = " ".join(one.cmdline()[:4])[-40:]
                    shares[f"{one.pid} {words}"] = one.memory_full_info().pss / 1024**2
                except psutil.NoSuchProcess:
                    continue
            if sum(shares.values()) > self.peak_mib:
                self.peak_mib, self.at_peak = sum(shares.values()), shares

    def stop(self) -> None:
        self._end.set()
        self.join()


class Multipart:
    """A multipart body with one file, sent piece by piece."""

    def __init__(self, file: BinaryIO, fields: dict[str, str]) -> None:
        self._file = file
        mark = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={mark}"
        parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="gaze"; filename="gaze.csv"\r\n\r\n')
        self._head, self._tail = "".join(parts).encode(), f"\r\n--{mark}--\r\n".encode()

    def __iter__(self) -> Any:
        yield self._head
        while piece := self._file.read(1024**2):
            yield piece
        yield self._tail


def import_over_http(url: str, token: str, path: Path) -> tuple[int, float]:
    """Samples that were stored, and seconds from the first byte to the answer."""
    root = f"{url}/v2/workspaces/default"
    with httpx2.Client(headers={"api-key": token}, timeout=600) as http:

        def ask(method: str, place: str, **options: Any) -> Any:
            answer = http.request(method, place if "://" in place else root + place, **options)
            assert answer.is_success, answer.text
            return answer.json()["result"] if answer.content else None

        picture = io.BytesIO()
        Image.new("RGB", (1600, 1200)).save(picture, "PNG")
        file = ask("POST", "/files/", headers={"Upload-Length": str(len(picture.getvalue()))})
        ask("PATCH", file["upload_url"], headers={"Upload-Offset": "0"}, content=picture.getvalue())
        plane = ask("POST", "/markerless/", json={"reference_image_id": file["id"], "scanning_recording_id": ""})
        project = ask("POST", "/projects/", json={"name": "Bench"})["id"]
        body = {"name": "E", "from_event_name": "recording.begin", "to_event_name": "recording.end"}
        body |= {"kind": "slam-mapper", "args": {"markerless_id": plane["id"]}}
        at = f"/projects/{project}/enrichments/" + ask("POST", f"/projects/{project}/enrichments", json=body)["id"]
        began = time.perf_counter()
        with path.open("rb") as source:
            sent = Multipart(source, {"name": "R", "start_time_ns": str(START_NS)})
            told = ask(
                "POST", f"{at}/recordings:import", content=iter(sent), headers={"Content-Type": sent.content_type}
            )
        return told["gaze_samples"], time.perf_counter() - began


def serve(folder: Path, token: str, max_bytes: int) -> tuple[subprocess.Popen[str], str]:
    (folder / "scratch").mkdir()
    settings = {
        "QUADRAT_ADMIN_EMAIL": "bench@example.org",
        "QUADRAT_ADMIN_PASSWORD": secrets.token_urlsafe(12) + "Aa1-",
        "QUADRAT_ADMIN_TOKEN": token,
        "QUADRAT_MAX_UPLOAD_BYTES": str(max_bytes),
        "TMPDIR": str(folder / "scratch"),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("QUADRAT_", "POLARS_"))}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("quadrat"), "--data-dir", folder / "data", "serve", "--port", "0"],
            env=inherited | settings,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    for line in process.stdout:
        if "http://" in line:
            return process, line[line.index("http://") :].split()[0].rstrip(".,")
    raise RuntimeError((folder / "server.log").read_text()[-2000:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quadrat-bench-") as name:
        folder = Path(name)
        rates = {kind: measure_parsing(folder, kind) for kind in WORDS}
        for kind, rate in rates.items():
            print(f"parsing, {kind}: {rate / 1e6:.2f} million rows/s of one core")
        n_rows = write_gaze(folder / "gaze.csv", round(options.gib * 1024**3))
        size = (folder / "gaze.csv").stat().st_size
        token = secrets.token_hex(20)
        process, url = serve(folder, token, 2 * size)
        try:
            watch = MemoryWatch(psutil.Process(process.pid))
            watch.start()
            stored, took = import_over_http(url, token, folder / "gaze.csv")
            watch.stop()
        finally:
            process.terminate()
            process.wait(60)
    assert stored == n_rows
    print(f"{size / 1024**3:.2f} GiB, {n_rows} rows, over HTTP into the store: {took:.0f} s")
    for words, mib in sorted(watch.at_peak.items(), key=lambda item: -item[1])[:5]:
        print(f"  at the peak {mib:6.0f} MiB  {words}")
    found = {"rows_per_s": min(rates.values()), "peak_mib": watch.peak_mib}
    good = {"rows_per_s": found["rows_per_s"] >= AIMS["rows_per_s"], "peak_mib": found["peak_mib"] <= AIMS["peak_mib"]}
    for aim, value in found.items():
        print(f"{aim:12} {value:12.0f}   aim {AIMS[aim]:g} {'met' if good[aim] else 'MISSED'}")
    sys.exit(not all(good.values()))


if __name__ == "__main__":
    main()
