"""How long a model takes that does not run yet: from an upload to `available`, and from scale-to-zero to an answer.

Two packages: a trivial one, and one that imports a good part of the standard library. Each cold request goes to a
version whose last instance has ended for idleness. It is compared, in turns, with what cannot be avoided: the version's
own interpreter that imports the same package in a process of its own and runs the same request. The exit code is 1 when
an aim is missed: upload in under 1 s, a cold request in at most 1.3 times the plain process plus 50 ms (medians).

Usage: python bench/serving/cold.py [--times 5]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from targets import MODEL, SMALL, Api, Running, post, serve

UPLOAD_AIM_S, COLD_AIM, COLD_ALLOWANCE_S = 1.0, 1.3, 0.05
IDLE_S = 10
"""The shortest time after which an idle instance ends."""

WAIT_S = 60
LIBRARIES = (
    "import asyncio, ctypes, decimal, email.message, http.client, logging.config, multiprocessing.pool, sqlite3\n"
)
PACKAGES = {"trivial": "", "libraries": LIBRARIES + "import unittest, urllib.request, xml.dom.minidom, zipfile\n"}
PLAIN = (
    "import sys; sys.path.insert(0, sys.argv[1]); import json, model; model.Model().request(json.loads(sys.argv[2]))"
)


def uploads_s(api: Api, path: str, source: str, times: int) -> list[float]:
    """From the first byte of an upload to the answer that says `available`."""
    found = []
    for number in range(times):
        began = time.perf_counter()
        api.upload(path, f"{source}\n# {number}")
        found.append(time.perf_counter() - began)
    return found


def wait_for_zero(api: Api, paths: list[str]) -> None:
    """Return when the log of each version says that as many instances have ended as were started."""
    deadline = time.monotonic() + IDLE_S + WAIT_S
    for path in paths:
        model = path.split("/")[-3]
        while True:
            question = {"filters": {"model_name": model, "system": True}, "date_range": -86400, "limit": 500}
            lines = [line["log"] for line in api.call("POST", "/projects/bench/logs", question)]
            started = sum(line.startswith("Instance ") and line.endswith(" is running.") for line in lines)
            if started and started == sum(line.startswith("Instance ") and "has ended" in line for line in lines):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"An instance of {model} has not ended: {lines}")
            time.sleep(0.2)


def plain_s(folder: Path, name: str) -> float:
    """The same package in a process of its own, with an environment that Quadrat made."""
    python = next((folder / "data" / "runner" / "environments").glob("*/bin/python"))
    source = folder / f"plain-{name}"
    began = time.perf_counter()
    subprocess.run([python, "-c", PLAIN, source, SMALL], check=True)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {options.times} times each, in ms")
    kept = True

    def judge(what: str, found: list[float], aim_s: float, *, strict: bool) -> None:
        nonlocal kept
        middle = statistics.median(found)
        good = middle < aim_s if strict else middle <= aim_s
        kept = kept and good
        shown = f"{middle * 1000:>8.0f} ({min(found) * 1000:.0f} to {max(found) * 1000:.0f})"
        print(f"{what:<24}{shown:<28}aim {aim_s * 1000:>6.0f}   {'yes' if good else 'NO'}", flush=True)

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with serve(folder) as api:
            idle = {"minimum_instances": 0, "maximum_idle_time": IDLE_S}
            for package, imports in PACKAGES.items():
                source = imports + MODEL.format(pause="pass")
                (folder / f"plain-{package}").mkdir()
                (folder / f"plain-{package}" / "model.py").write_text(source)
                paths = [api.deploy(f"{package}-{n}", source, "double", **idle) for n in range(options.times)]
                judge(f"upload {package}", uploads_s(api, paths[0], source, options.times), UPLOAD_AIM_S, strict=True)
                versions = [Running(f"{api.url}{path}/request", {}, api.headers) for path in paths]
                for version in versions:
                    post(version, SMALL)
                wait_for_zero(api, paths)
                plain, cold = [], []
                for version in versions:
                    plain.append(plain_s(folder, package))
                    began = time.perf_counter()
                    answer = post(version, SMALL)
                    cold.append(time.perf_counter() - began)
                    if b'"success":true' not in answer:
                        raise RuntimeError(answer)
                bare = statistics.median(plain)
                print(
                    f"{'plain ' + package:<24}{bare * 1000:>8.0f} ({min(plain) * 1000:.0f} to {max(plain) * 1000:.0f})"
                )
                judge(f"cold {package}", cold, COLD_AIM * bare + COLD_ALLOWANCE_S, strict=False)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
