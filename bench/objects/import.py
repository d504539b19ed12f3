"""Import speed, as a user sees it: 50,000 objects with small PNGs, 50 numeric and 5 text columns, through HTTP.

Starts `quadrat serve` on a temporary directory and imports a few objects first, so that its worker has started and all
programs are compiled, as in a house that is in use. The original imports 770 objects/s of such an archive on this kind
of machine (measured on two cores, November 2026); the aim is five times that.

    python bench/objects/import.py [--objects N]
    python bench/objects/import.py --objects 4500 --side 1000

The second makes a zip of 4.5 GB, with the 64-bit directory that more than 4 GiB need; its figure is the memory, and it
has no aim of speed. With `--objects 20000` it is 20 GB, and needs 40 GB of the disk.
"""

import argparse
import os
import random
import re
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import httpx2
import psutil

ORIGINAL_PER_S = 770
AIM = 5
SIDE_PX = 40
FIRST_OBJECTS = 500
MOST_MIB = 1024
PICTURES_PX = 800_000  # of all different pictures together
POLL_S = 0.25
LOOK_EVERY = 8  # polls; looking at memory costs what is measured


def png(seed: int, side: int) -> bytes:
    """A grey picture of noise, which no compression makes much smaller."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def write_archive(path: Path, count: int, side: int) -> None:
    """One index file and one image for each object."""
    fixed = ["object_id", "img_file_name", "object_lat", "object_lon", "object_date", "object_time", "object_depth_min"]
    fixed += ["sample_id", "acq_id", "process_id", "object_annotation_status", "object_annotation_category"]
    numbers = [f"object_n{place}" for place in range(50)]
    texts = [f"object_t{place}" for place in range(5)]
    names = [*fixed, *numbers, *texts]
    types = ["[f]" if name in numbers or name in {"object_lat", "object_lon"} else "[t]" for name in names]
    noise = random.Random(1)
    values = [[f"{noise.gauss(100, 30):.6g}" for _ in numbers] for _ in range(200)]
    pictures = [png(seed, side) for seed in range(max(4, PICTURES_PX // side**2))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        lines = ["\t".join(names), "\t".join(types)]
        for number in range(count):
            sample = number * 100 // count
            state = ("validated", "predicted", "")[number % 3]
            cells = [f"obj_{number:07d}", f"obj_{number:07d}.png", "43.685", "7.315", "20140420", "120000", "10"]
            cells += [f"s{sample}", f"a{sample}", f"p{sample}", state, "Copepoda" if state else ""]
            cells += [*values[number % 200], "one", "two", "three", "four", "five"]
            lines.append("\t".join(cells))
            archive.writestr(cells[1], pictures[number % len(pictures)])
        archive.writestr("ecotaxa_bench.tsv", "\n".join(lines) + "\n")


def serve(data_dir: Path, token: str) -> tuple[subprocess.Popen[str], str]:
    """A server of our own, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "serve", "--port", "0"],
        env={
            # Compiled once, as installers do, not by each process.
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "QUADRAT_ADMIN_EMAIL": "bench@example.org",
            "QUADRAT_ADMIN_TOKEN": token,
        },
        stdout=subprocess.PIPE,
        stderr=(data_dir.parent / "server.log").open("w"),
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://\S+", line)
        if found:
            return process, found.group()
    raise SystemExit("the server did not start")


def family_mib(process: subprocess.Popen[str]) -> float:
    """Memory of the worker of a server and of its picture processes, without the database."""
    total = 0
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            words = child.cmdline()
            if any("quadrat" in word for word in words):
                total += child.memory_info().rss
        except psutil.Error:
            continue
    return total / 2**20


def peak_mib(process: subprocess.Popen[str]) -> float:
    """The most memory that the web process has had, uploads included."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def run_import(http: httpx2.Client, process: subprocess.Popen[str], archive: Path) -> tuple[float, float, Any]:
    """Seconds from the request to the end of the job, most memory in MiB, and the job."""
    project = http.post("/api/projects/create", json={"title": "Bench"}).raise_for_status().json()
    with archive.open("rb") as file:
        path = http.post("/api/my_files/", files={"file": (archive.name, file)}, timeout=600).raise_for_status().json()
    archive.unlink()  # large ones would need their space three times
    began, most, looks = time.perf_counter(), 0.0, 0
    asked = http.post(f"/api/file_import/{project}", json={"source_path": path}).raise_for_status().json()
    while True:
        job = http.get(f"/api/jobs/{asked['job_id']}/").raise_for_status().json()
        if job["state"] in "FEA":
            return time.perf_counter() - began, most, job
        looks += 1
        if looks % LOOK_EVERY == 0:
            most = max(most, family_mib(process))
        time.sleep(POLL_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=50_000)
    parser.add_argument("--side", type=int, default=SIDE_PX, help="of each image, in px")
    options = parser.parse_args()
    count = options.objects
    folder = Path(tempfile.mkdtemp(prefix="quadrat-bench-import-"))
    token = secrets.token_hex(20)
    archive = folder / "bench.zip"
    write_archive(archive, count, options.side)
    print(f"archive: {archive.stat().st_size / 2**20:.0f} MiB, {count} objects")
    process, url = serve(folder / "data", token)
    try:
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
            first = folder / "first.zip"
            write_archive(first, FIRST_OBJECTS, SIDE_PX)
            run_import(http, process, first)
            seconds, most, job = run_import(http, process, archive)
            web = peak_mib(process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        shutil.rmtree(folder)
    if job["state"] != "F":
        sys.exit(f"the import ended with {job['state']}: {job['errors'][:3]}")
    rate = count / seconds
    print(f"import: {seconds:.1f} s, {rate:.0f} objects/s")
    print(f"memory of worker and picture processes: at most {most:.0f} MiB (aim: {MOST_MIB})")
    print(f"memory of the web process, which took in the upload: at most {web:.0f} MiB")
    missed = most + web > MOST_MIB
    if options.side == SIDE_PX:
        print(f"{rate / ORIGINAL_PER_S:.1f} x the original's {ORIGINAL_PER_S} (aim: {AIM})")
        missed |= rate < AIM * ORIGINAL_PER_S
    if missed:
        sys.exit("an aim was missed")


if __name__ == "__main__":
    main()
