"""Statistics of 30 recordings of an hour (21.6 million samples, 300,000 fixations) in 50 overlapping areas.

    python bench/gaze/statistics.py [--recordings 30] [--areas 50]

Beside it, in the same run and on the same arrays, the usual way: with pandas, each area looks at every sample and
fixation of a recording by itself (bench/gaze/peer.py; some of the recordings, the rest in proportion). And pymovements,
which maps fixations only, to boxes, one by one (some of the fixations). Exits with 1 when an aim is missed.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import lab as labs

from quadrat.gaze.analysis import Analyst
from quadrat.gaze.types import Statistics

AIMS = {"cold_s": 2.5, "warm_s": 0.1, "one_mask_s": 2.5, "lag_s": 0.05, "ratio": 20.0, "peak_mib": 1536.0}
COMPARED_RECORDINGS = 3
MAPPED_FIXATIONS = 500
TICK_S = 0.005
PEER = Path(__file__).parent / "peer.py"
PEER_PYTHON = Path(__file__).parents[2] / ".venvs" / "bench" / "gaze" / "bin" / "python"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=30)
    parser.add_argument("--areas", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quadrat-bench-") as folder:
        sys.exit(asyncio.run(run(Path(folder), options.recordings, options.areas)))


async def run(folder: Path, n_recordings: int, n_areas: int) -> int:
    async with labs.open_lab(folder, n_recordings, n_areas) as lab:
        before_mib = peak_mib()
        analyst = Analyst(lab.db, lab.blobs)
        found: dict[str, float] = {}
        answer, found["cold_s"], found["lag_s"] = await timed(lab, analyst)
        _, found["warm_s"], _ = await timed(lab, analyst)
        found["peak_mib"] = peak_mib()
        await lab.change_first_mask()
        _, found["one_mask_s"], _ = await timed(lab, analyst)
    compared = min(n_recordings, COMPARED_RECORDINGS)
    order = write_order(folder, compared, n_areas)
    pandas = ask_peer("pandas", order)
    compare(answer, pandas["counted"], n_areas)
    whole_s = pandas["seconds"] * n_recordings / compared
    found["ratio"] = whole_s / found["cold_s"]
    mapped = ask_peer("pymovements", order)
    all_mapped_s = mapped["seconds"] * n_recordings * labs.HOUR_FIXATIONS / mapped["counted"]
    print(f"{n_recordings} recordings of {labs.HOUR_SAMPLES} samples, {n_areas} areas of {labs.WIDTH}x{labs.HEIGHT}")
    print(f"pandas: {pandas['seconds']:.2f} s for {compared} recordings, so {whole_s:.1f} s for all; equal numbers")
    print(f"pymovements: {mapped['seconds']:.2f} s for {mapped['counted']} fixations, so {all_mapped_s:.0f} s for all")
    print(f"peak memory before the statistics: {before_mib:.0f} MiB")
    missed = 0
    for name, value in found.items():
        good = value >= AIMS[name] if name == "ratio" else value <= AIMS[name]
        missed += not good
        print(f"{name:12} {value:9.3f}   aim {AIMS[name]:g} {'met' if good else 'MISSED'}")
    return int(missed > 0)


async def timed(lab: labs.Lab, analyst: Analyst) -> tuple[Statistics, float, float]:
    """The answer, how long it took, and how long others had to wait for the loop at most."""
    ticker = Ticker()
    began = time.perf_counter()
    answer = await analyst.fresh(lab.plan, analyst.statistics)
    took = time.perf_counter() - began
    await ticker.stop()
    return answer, took, ticker.longest_s


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Ticker:
    """Looks every few milliseconds whether the loop is free for others; keeps the longest wait."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._task = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.longest_s = max(self.longest_s, time.perf_counter() - began - TICK_S)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


def write_order(folder: Path, n_recordings: int, n_areas: int) -> Path:
    """The same columns, fixations and masks as files for the peers."""
    np.save(folder / "masks.npy", np.stack(labs.make_masks(n_areas)))
    recordings = []
    for number in range(n_recordings):
        columns = labs.make_columns(number, labs.HOUR_SAMPLES)
        target = folder / f"recording-{number}"
        target.mkdir()
        for name in ("t", "x", "y", "detected"):
            columns[name].tofile(target / name)
        fixations = labs.make_fixations(columns, labs.HOUR_FIXATIONS)
        names = ("start_ns", "end_ns", "x", "y", "detected")
        np.savez(target / "fixations.npz", **{name: fixations[name] for name in names})
        recordings.append({"folder": str(target), "fixations": str(target / "fixations.npz")})
    order = {"masks": str(folder / "masks.npy"), "recordings": recordings, "start_ns": labs.START_NS}
    path = folder / "order.json"
    path.write_text(json.dumps({**order, "fixations": MAPPED_FIXATIONS}))
    return path


def ask_peer(style: str, order: Path) -> Any:
    done = subprocess.run([PEER_PYTHON, PEER, style, order], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def compare(answer: Statistics, counted: list[dict[str, Any]], n_areas: int) -> None:
    """Refuse a race against other numbers."""
    for place, theirs in enumerate(counted):
        ours = answer.recordings[place // n_areas].metrics[place % n_areas]
        assert theirs == {
            "samples": ours.samples,
            "first_gaze_ms": ours.first_gaze_at_ms,
            "fixations": ours.fixations,
            "fixation_ms": ours.fixation_ms,
            "first_fixation_ms": ours.first_fixation_at_ms,
            "visits": ours.visits,
            "visit_ns": ours.visit_ns,
        }, (place, theirs, ours)


if __name__ == "__main__":
    main()
