"""A taxonomy of 100,000 nodes: taken in from a file, and searched over HTTP.

    python bench/objects/taxa.py [--taxa N]

Makes a file as WoRMS and GBIF hand them out (Darwin Core), has `quadrat taxa import` take it in beside a running
server, and searches as a person types. Ends with 1 when an aim is missed.
"""

import argparse
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import Client, Report, Server

IMPORT_S = 10
SEARCH_MS = 10
SEARCHES = 200
SYLLABLES = re.findall("[a-z]+", "ca la nus te mo ra poda ehi no der ma tin opsis cyclo pho ri as tra co pe si phon")


def write_taxa(path: Path, count: int) -> list[str]:
    """A tree of eight ranks, every twentieth node a synonym; its names."""
    chance = random.Random(5)
    names: list[str] = []
    depth = [0] * count
    with path.open("w") as file:
        file.write("taxonID\tparentNameUsageID\tscientificName\ttaxonomicStatus\tacceptedNameUsageID\treferences\n")
        for number in range(count):
            parent = -1
            while number and (parent < 0 or depth[parent] > 6):
                parent = chance.randrange(max(1, number // 8))
            depth[number] = depth[parent] + 1 if number else 0
            name = "".join(chance.choice(SYLLABLES) for _ in range(chance.randint(2, 5))).capitalize()
            names.append(name)
            synonym = number > 100 and number % 20 == 0
            file.write(
                f"urn:lsid:bench:{number}\t{f'urn:lsid:bench:{parent}' if number else ''}\t{name}\t"
                f"{'unaccepted' if synonym else 'accepted'}\t{f'urn:lsid:bench:{number - 1}' if synonym else ''}\t"
                f"https://example.org/{number}\n"
            )
    return names


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--taxa", type=int, default=100_000)
    count = parser.parse_args().taxa
    report = Report()
    with tempfile.TemporaryDirectory(prefix="quadrat-bench-") as folder:
        path = Path(folder) / "taxa.tsv"
        names = write_taxa(path, count)
        server = Server(Path(folder) / "data")
        try:
            command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(server.folder), "taxa", "import"]
            began = time.perf_counter()
            done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - began
            if done.returncode:
                raise SystemExit(done.stderr)
            print(done.stdout.strip())
            report.add(f"import of {count:,} taxa, the command from start to end", seconds, "s", IMPORT_S, "")
            search(Client(server.port), names, report)
        finally:
            server.stop()
    return 1 if report.missed else 0


def search(client: Client, names: list[str], report: Report) -> None:
    """Three letters and more of names that are there, and with a star in the middle."""
    chance = random.Random(6)
    for what, query in (
        ("three letters", lambda name: name[:3]),
        ("six letters", lambda name: name[:6]),
        ("a star in the middle", lambda name: f"{name[:3]}*{name[-2:]}"),
        ("a star in front", lambda name: f"*{name[-4:]}"),
    ):
        taken = []
        for name in chance.sample(names, SEARCHES):
            began = time.perf_counter()
            client.json("GET", f"/taxon_set/search?query={query(name)}")
            taken.append((time.perf_counter() - began) * 1000)
        taken.sort()
        report.add(f"search by {what}: p50", statistics.median(taken), "ms", SEARCH_MS, "")
        report.add(f"search by {what}: p95", taken[len(taken) * 95 // 100], "ms", None, "")


if __name__ == "__main__":
    sys.exit(main())
