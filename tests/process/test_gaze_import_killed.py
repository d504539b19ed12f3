"""A gaze import whose worker is killed while it reads is wholly there in the end, and before that not at all."""

import io
import threading
from pathlib import Path
from uuid import uuid4

import httpx2
import numpy as np
import pytest
from PIL import Image

from support.gaze_live import LiveLab
from support.server import ADMIN_TOKEN, launch, wait_for

N_SAMPLES = 3_000_000
START_NS = 1_760_676_788_219_000_000


def gaze_csv(path: Path) -> None:
    """Long enough to be met while it is read."""
    numbers = np.arange(N_SAMPLES)
    times = START_NS + numbers * 5_000_000
    with path.open("w") as file:
        file.write(
            "timestamp [ns],gaze detected in reference image,gaze position in reference image x [px],"
            "gaze position in reference image y [px]\n"
        )
        rows = (f"{at},true,{at % 399}.25,{at % 299}.75" for at in times.tolist())
        file.write("\n".join(rows))


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (400, 300)).save(made, "PNG")
    return made.getvalue()


class Import(threading.Thread):
    """Sends a long file, and keeps the answer."""

    def __init__(self, lab: LiveLab, path: Path) -> None:
        super().__init__(daemon=True)
        self._lab = lab
        self._path = path
        self.answer: httpx2.Response | None = None

    def run(self) -> None:
        fields = {"name": "R", "recording_id": str(uuid4()), "start_time_ns": str(START_NS)}
        with self._path.open("rb") as file:
            sent = {"files": {"gaze": file}, "data": fields}
            self.answer = self._lab.request("POST", f"{self._lab.at}/recordings:import", **sent)


@pytest.mark.slow
def test_gaze_import_whose_worker_is_killed_ends_whole(data_dir: Path, tmp_path: Path):
    gaze_csv(tmp_path / "gaze.csv")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    server = launch(data_dir, TMPDIR=str(scratch))
    try:
        with httpx2.Client(base_url=server.url) as http:
            lab = LiveLab(http, ADMIN_TOKEN, picture())
            box = {"min_x": 0, "max_x": 1, "min_y": 1, "max_y": 0}
            lab.ask("POST", f"{lab.at}/aois", json={"name": "all", "enrichment_id": lab.at[-36:], "bounding_box": box})
            importing = Import(lab, tmp_path / "gaze.csv")
            importing.start()
            # Columns of the recording are being written.
            wait_for(lambda: [path for path in scratch.glob("quadrat-import-*/set-*/*/t") if path.stat().st_size])
            server.worker().kill()
            assert lab.ask("GET", f"{lab.place}/recordings/")["result"] == []
            assert lab.ask("GET", f"{lab.at}/aois:stats")["result"]["recording_ids"] == []
            importing.join(240)
            assert importing.answer is not None
            assert importing.answer.status_code == 201, importing.answer.text
            assert lab.ask("GET", f"{lab.at}/aois:stats")["result"]["metrics"][0]["gaze_samples"] == N_SAMPLES
            assert len(list(data_dir.glob("store/gaze/data/**/t"))) == 1
            wait_for(lambda: not list(scratch.glob("quadrat-import-*")))
    finally:
        server.stop()
