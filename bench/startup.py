"""How long `quadrat serve` takes to its first answer, and what it holds in memory when idle.

Usage: python bench/startup.py [--runs 5]
"""

import argparse
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
from pathlib import Path

import psutil

IDLE_S = 5
MIB = 1024 * 1024


def start(data_dir: Path) -> tuple[subprocess.Popen[str], float]:
    """Start a server; returns it with the seconds from the start of the process to the first 200 of /readyz."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "serve", "--port", "0"],
        env={
            # Compiled once, as installers do, not at each start.
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "QUADRAT_ADMIN_EMAIL": "bench@example.org",
            "QUADRAT_ADMIN_PASSWORD": secrets.token_urlsafe(12),
            "QUADRAT_LOG_LEVEL": "error",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://\S+", line)
        if found:
            with urllib.request.urlopen(f"{found.group()}/readyz") as answer:
                assert answer.status == 200
            return process, time.perf_counter() - began
    raise SystemExit("The server did not start.")


def stop(process: subprocess.Popen[str]) -> float:
    """Stop as Ctrl-C does; returns the seconds that it took."""
    began = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.wait(60)
    return time.perf_counter() - began


def memory(process: subprocess.Popen[str], data_dir: Path) -> tuple[int, int]:
    """Proportional set size of server, workers and database, in bytes, and their number."""
    postmaster = int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    tree = []
    for root in (psutil.Process(process.pid), psutil.Process(postmaster)):
        tree += [root, *root.children(recursive=True)]
    # Linux counts a page that several share once; elsewhere what is a process's own has to do.
    return sum(getattr(facts := member.memory_full_info(), "pss", facts.uss) for member in tree), len(tree)


def _pace_s() -> float:
    """How fast a core is at this moment: virtual machines differ from hour to hour."""
    began = time.perf_counter()
    total = 0
    for number in range(10_000_000):
        total += number
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    empty, existing, stopping, sizes, number = [], [], [], [], 0
    for number_of_run in range(runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            data_dir = Path(folder)
            process, seconds = start(data_dir)
            if not number_of_run:  # the one that compiles what an installer has left
                stop(process)
                continue
            empty.append(seconds)
            stopping.append(stop(process))
            process, seconds = start(data_dir)
            existing.append(seconds)
            time.sleep(IDLE_S)
            size, number = memory(process, data_dir)
            sizes.append(size / MIB)
            stopping.append(stop(process))
    print(f"{runs} runs on {psutil.cpu_count()} cores, Python {sys.version.split()[0]}; median (least to most)")
    print(f"{'this machine, 10 million additions in Python':<44}{_pace_s():6.2f} s")
    for name, values, unit in (
        ("empty directory, start to first 200", empty, "s"),
        ("existing directory, start to first 200", existing, "s"),
        ("stop", stopping, "s"),
        (f"idle memory (PSS) of {number} processes", sizes, "MiB"),
    ):
        print(f"{name:<44}{statistics.median(values):6.2f} {unit}  ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
