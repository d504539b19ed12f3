"""Quadrat beside its peers, a raw ASGI echo and a prototype of its own hot path: one run, one table, ratios.

Needs wrk, and `make bench-peers` for the peers. Every server gets one warm-up and then `--runs` measurements per row;
the median counts. The exit code is 1 when a peer wins or an aim is missed.

Usage: python bench/serving/run.py [--rows small-1,small-16,small-64,big-16,sleep-32] [--targets quadrat,prototype,...]
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from targets import TARGETS, Running, Setup  # noqa: E402 - this folder is no package


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of load."""

    name: str
    body: str
    connections: int
    setup: Setup


ROWS = {
    row.name: row
    for row in (
        Row("small-1", "small", 1, Setup()),
        Row("small-16", "small", 16, Setup()),
        Row("small-64", "small", 64, Setup()),
        Row("big-16", "big", 16, Setup()),
        Row("sleep-32", "small", 32, Setup(instances=4, sleep_s=0.005)),
    )
}
PEERS = ("litserve", "mlserver", "bentoml", "cog", "cog-async", "ray")
#: Least ratio to the best peer and to the prototype, and most ratio of the p99 to the prototype's.
AIMS = {
    "small-1": (3.0, 0.6, 3.0),
    "small-16": (8.0, 0.6, 3.0),
    "small-64": (3.0, 0.6, 3.0),
    "big-16": (1.0, 0.6, None),
    "sleep-32": (1.0, 0.95, None),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What wrk saw. Only good answers count per second."""

    per_second: float
    p99_ms: float
    errors: int


def script(running: Running, body: str) -> str:
    """The request, as wrk takes it."""
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in running.headers.items())
    return f'wrk.method = "POST"\nwrk.body = [==[{body}]==]\n{headers}'


def wrk(running: Running, kind: str, connections: int, seconds: float) -> Measured:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script(running, running.bodies[kind]))
        lua.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "--latency", "-s", lua.name]
        text = subprocess.run(
            [*command, running.urls.get(kind, running.url)], check=True, capture_output=True, text=True
        ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    assert rate is not None, text
    assert p99 is not None, text
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[p99.group(2)]
    errors = int(bad.group(1)) if bad else 0
    errors += sum(map(int, broken.groups())) if broken else 0
    took = re.search(r"requests in ([\d.]+)(ms|s|m)", text)
    assert took is not None, text
    took_s = float(took.group(1)) * {"ms": 0.001, "s": 1.0, "m": 60.0}[took.group(2)]
    return Measured(float(rate.group(1)) - errors / took_s, float(p99.group(1)) * scale, errors)


def measure(running: Running, row: Row, runs: int, seconds: float) -> Measured:
    wrk(running, row.body, row.connections, min(2.0, seconds))
    found = [wrk(running, row.body, row.connections, seconds) for _ in range(runs)]
    return Measured(
        statistics.median(item.per_second for item in found),
        statistics.median(item.p99_ms for item in found),
        sum(item.errors for item in found),
    )


@contextmanager
def started(name: str, setup: Setup) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)
        with TARGETS[name](setup, Path(folder)) as running:
            yield running


def run(names: list[str], rows: list[Row], runs: int, seconds: float) -> dict[str, dict[str, Measured]]:
    table: dict[str, dict[str, Measured]] = {row.name: {} for row in rows}
    for setup in dict.fromkeys(row.setup for row in rows):
        for name in names:
            try:
                with started(name, setup) as running:
                    for row in rows:
                        if row.setup == setup and row.body in running.bodies:
                            found = measure(running, row, runs, seconds)
                            table[row.name][name] = found
                            print(
                                f"{row.name:<10}{name:<12}{found.per_second:>10.0f}/s  p99 {found.p99_ms:>8.1f} ms"
                                f"  errors {found.errors}",
                                flush=True,
                            )
            except RuntimeError as error:
                print(f"{name}: {error}", file=sys.stderr, flush=True)
    return table


def judge(table: dict[str, dict[str, Measured]]) -> bool:
    """Print ratios; False when an aim is missed."""
    kept = True
    print(f"\n{'row':<10}{'aim':<34}{'ratio':>8}   kept")
    for name, found in table.items():
        ours, prototype = found.get("quadrat"), found.get("prototype")
        if ours is None:
            continue
        over_peer, over_prototype, most_p99 = AIMS[name]
        checks = []
        peers = {peer: found[peer].per_second for peer in PEERS if peer in found}
        if peers:
            best = max(peers, key=peers.__getitem__)
            checks.append((f">= {over_peer:g} x {best}", ours.per_second / peers[best], over_peer, True))
        if prototype is not None:
            ratio = ours.per_second / prototype.per_second
            checks.append((f">= {over_prototype:.0%} of the prototype", ratio, over_prototype, True))
            if most_p99 is not None:
                ratio = ours.p99_ms / prototype.p99_ms
                checks.append((f"p99 < {most_p99:g} x the prototype's", ratio, most_p99, False))
        checks.append(("no errors", float(ours.errors), 0.0, False))
        setup = ROWS[name].setup
        if setup.sleep_s:
            # Whoever is faster than that has not done the same work.
            most = setup.instances / setup.sleep_s
            checks += [(f"{other} <= {most:g}/s", found[other].per_second, most, False) for other in found]
        for what, ratio, limit, at_least in checks:
            good = ratio >= limit if at_least else ratio <= limit
            kept = kept and good
            print(f"{name:<10}{what:<34}{ratio:>8.2f}   {'yes' if good else 'NO'}")
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--save", type=Path, help="add what was measured to this JSON file")
    parser.add_argument("--judge", type=Path, help="measure nothing; judge what the JSON file holds")
    options = parser.parse_args()
    if options.judge:
        stored = json.loads(options.judge.read_text())
        table = {row: {name: Measured(*values) for name, values in found.items()} for row, found in stored.items()}
        return 0 if judge(table) else 1
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {options.runs} runs of {options.seconds:g} s")
    rows = [ROWS[name] for name in options.rows.split(",")]
    table = run(options.targets.split(","), rows, options.runs, options.seconds)
    if options.save:
        stored = json.loads(options.save.read_text()) if options.save.exists() else {}
        for name, found in table.items():
            values = {target: [item.per_second, item.p99_ms, item.errors] for target, item in found.items()}
            stored.setdefault(name, {}).update(values)
        options.save.write_text(json.dumps(stored, indent=1))
    return 0 if judge(table) else 1


if __name__ == "__main__":
    sys.exit(main())
