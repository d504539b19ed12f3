"""Statistics of 30 recordings of an hour (21.6 million samples, 300,000 fixations) in 50 overlapping areas.

    python bench/gaze/statistics.py [--recordings 30] [--areas 50]

Beside it, in the same run and on the same arrays, the usual way: a loop over areas and recordings in which each area
looks at every sample by itself, as scripts with pandas or NumPy do. Exits with 1 when an aim is missed.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import lab as labs

from quadrat.gaze.analysis import Analyst
from quadrat.gaze.types import Statistics

AIMS = {"cold_s": 2.5, "warm_s": 0.1, "one_mask_s": 2.5, "ratio": 20.0, "peak_mib": 1536.0}
LOOPED_RECORDINGS = 2


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
        answer, found["cold_s"] = await timed(lab, analyst)
        _, found["warm_s"] = await timed(lab, analyst)
        found["peak_mib"] = peak_mib()
        await lab.change_first_mask()
        _, found["one_mask_s"] = await timed(lab, analyst)
    looped_s = loop(answer, min(n_recordings, LOOPED_RECORDINGS), n_areas)
    whole_s = looped_s * n_recordings / min(n_recordings, LOOPED_RECORDINGS)
    found["ratio"] = whole_s / found["cold_s"]
    print(f"{n_recordings} recordings of {labs.HOUR_SAMPLES} samples, {n_areas} areas of {labs.WIDTH}x{labs.HEIGHT}")
    print(f"the loop over areas: {looped_s:.2f} s for {LOOPED_RECORDINGS} recordings, so {whole_s:.1f} s for all")
    print(f"peak memory before the statistics: {before_mib:.0f} MiB")
    missed = 0
    for name, value in found.items():
        good = value >= AIMS[name] if name == "ratio" else value <= AIMS[name]
        missed += not good
        print(f"{name:12} {value:9.3f}   aim {AIMS[name]:g} {'met' if good else 'MISSED'}")
    return int(missed > 0)


async def timed(lab: labs.Lab, analyst: Analyst) -> tuple[Statistics, float]:
    began = time.perf_counter()
    answer = await analyst.fresh(lab.plan, analyst.statistics)
    return answer, time.perf_counter() - began


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def loop(answer: Statistics, n_recordings: int, n_areas: int) -> float:
    """The usual way, on arrays that are in memory already; its numbers have to be ours."""
    masks = labs.make_masks(n_areas)
    took = 0.0
    for number in range(n_recordings):
        columns = labs.make_columns(number, labs.HOUR_SAMPLES)
        fixations = labs.make_fixations(columns, labs.HOUR_FIXATIONS)
        began = time.perf_counter()
        for area, inside in enumerate(masks):
            counted = look(columns, fixations, inside)
            metrics = answer.recordings[number].metrics[area]
            assert counted == (metrics.samples, metrics.fixations, metrics.fixation_ms, metrics.visits)
        took += time.perf_counter() - began
    return took


def look(columns: dict[str, np.ndarray], fixations: np.ndarray, inside: np.ndarray) -> tuple[int, int, int, int]:
    """One area in one recording."""

    def hits(x: np.ndarray, y: np.ndarray, there: np.ndarray) -> np.ndarray:
        on = there & (x >= 0) & (x < labs.WIDTH) & (y >= 0) & (y < labs.HEIGHT)
        found = np.zeros(len(x), bool)
        found[on] = inside[y[on].astype(int), x[on].astype(int)]
        return found

    samples = hits(columns["x"], columns["y"], columns["detected"].astype(bool))
    hit = hits(fixations["x"], fixations["y"], fixations["detected"] == 1)
    durations = np.round((fixations["end_ns"] - fixations["start_ns"])[hit] / 1e6)
    visits = int(hit[:1].sum() + (hit[1:] & ~hit[:-1]).sum())
    return int(samples.sum()), int(hit.sum()), int(durations.sum()), visits


if __name__ == "__main__":
    main()
