"""The same statistics as scripts of the field take them: area by area. Runs in an environment of its own.

    .venvs/bench/gaze/bin/python bench/gaze/peer.py pandas|pymovements <order.json>

Nothing of Quadrat is imported. Reading the data takes no part in the time. Prints JSON: seconds, and what was counted.
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd


def main() -> None:
    style, path = sys.argv[1:]
    with open(path) as file:  # noqa: PTH123 - a script that stands for many
        order = json.load(file)
    print(json.dumps({"pandas": run_pandas, "pymovements": run_pymovements}[style](order)))


def frames(recording: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples and fixations of one recording."""
    types = {"t": "<i8", "x": "<f8", "y": "<f8", "detected": "u1"}
    columns = {name: np.fromfile(f"{recording['folder']}/{name}", kind) for name, kind in types.items()}
    gaze = pd.DataFrame(columns).astype({"detected": bool})
    fixations = pd.DataFrame({name: values for name, values in np.load(recording["fixations"]).items()})  # noqa: C416
    return gaze, fixations.astype({"detected": bool})


def run_pandas(order: dict) -> dict:
    """One area after the other looks at all of the samples and fixations, with data frames."""
    masks = np.load(order["masks"])
    height, width = masks.shape[1:]
    counted, took = [], 0.0
    for recording in order["recordings"]:
        gaze, fixations = frames(recording)
        began = time.perf_counter()
        for mask in masks:
            on = gaze[gaze.detected & gaze.x.between(0, width, "left") & gaze.y.between(0, height, "left")]
            hits = on[mask[on.y.astype(int), on.x.astype(int)]]
            first_gaze = hits.t.min() - order["start_ns"] if len(hits) else None
            fixated = (
                fixations.detected & fixations.x.between(0, width, "left") & fixations.y.between(0, height, "left")
            )
            fixated[fixated] = mask[fixations.y[fixated].astype(int), fixations.x[fixated].astype(int)]
            looked = fixations[fixated]
            durations = ((looked.end_ns - looked.start_ns) / 1e6).round()
            run = (fixated != fixated.shift()).cumsum()[fixated]
            visits = looked.groupby(run).agg(start=("start_ns", "first"), end=("end_ns", "last"))
            counted.append(
                {
                    "samples": len(hits),
                    "first_gaze_ms": None if first_gaze is None else round(first_gaze / 1e6),
                    "fixations": len(looked),
                    "fixation_ms": int(durations.sum()),
                    "first_fixation_ms": round((looked.start_ns.min() - order["start_ns"]) / 1e6)
                    if len(looked)
                    else None,
                    "visits": len(visits),
                    "visit_ns": int((visits.end - visits.start).sum()),
                }
            )
        took += time.perf_counter() - began
    return {"seconds": took, "counted": counted}


def run_pymovements(order: dict) -> dict:
    """Fixations only, boxes only, and of several areas the first: what `Events.map_to_aois` can do."""
    import polars as pl  # noqa: PLC0415
    import pymovements as pm  # noqa: PLC0415

    warnings.simplefilter("ignore")
    masks = np.load(order["masks"])
    boxes = []
    for number, mask in enumerate(masks):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes.append((f"area {number}", columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    names = ["aoi", "left", "top", "right", "bottom"]
    stimulus = pm.stimulus.TextStimulus(
        pl.DataFrame(boxes, schema=names, orient="row"),
        aoi_column="aoi",
        start_x_column="left",
        start_y_column="top",
        end_x_column="right",
        end_y_column="bottom",
    )
    fixations = frames(order["recordings"][0])[1].head(order["fixations"])
    events = pm.Events(
        pl.DataFrame(
            {
                "name": ["fixation"] * len(fixations),
                "onset": (fixations.start_ns // 1_000_000).to_numpy(),
                "offset": (fixations.end_ns // 1_000_000).to_numpy(),
                "location": fixations[["x", "y"]].to_numpy().tolist(),
            }
        )
    )
    began = time.perf_counter()
    events.map_to_aois(stimulus, verbose=False)
    return {"seconds": time.perf_counter() - began, "counted": len(events.frame)}


if __name__ == "__main__":
    main()
