"""The pupilcloud client (branch mgg/v2) against the live server.

The client is in no package index. QUADRAT_TEST_PUPILCLOUD_PYTHON names an interpreter that has it; without one this
test does not run.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PYTHON = os.environ.get("QUADRAT_TEST_PUPILCLOUD_PYTHON")
TOUR = Path(__file__).parent / "clients" / "pupilcloud" / "tour.py"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(300),
    pytest.mark.skipif(PYTHON is None, reason="QUADRAT_TEST_PUPILCLOUD_PYTHON names no interpreter"),
]

EXPECTED: dict[str, Any] = {
    "project": "Tour",
    "thumbnail_without_token": "image/png",
    "enrichments": 1,
    "family": "neon",
    "event": 1.5,
    "events": ["mark", "recording.begin", "recording.end"],
    "unique_events": 3,
    "used_id": 409,
    "box": {"min_x": 0.5, "max_x": 1.0, "min_y": 1.0, "max_y": 0.5},
    "listed": ["ring", "left", "box"],
    "got": "left",
    "empty": 409,
    "patched": "#112233",
    "patch_id": 409,
    "of_none": 404,
    "label": "union",
    "label_gone": 404,
    "aoi_gone": 404,
    "left": ["Ring"],
    "maps": [True] * 5,
    "no_heatmap": 404,
    "gaze_on_plane": 200,
    "no_plane": 404,
    "export": [
        "sections.csv",
        "gaze.csv",
        "fixations.csv",
        "aoi_fixations.csv",
        "aoi_metrics.csv",
        "reference_image.png",
        "enrichment_info.txt",
        "events.csv",
    ],
    "mapper": "static-image-mapper",
    "fixations": [20, 0],
    "placed": 1,
    "gaze_offset": [27.5, -6.25],
    "files": [["scene.mp4", "video/mp4", True]],
    "no_file": 404,
    "gaze_json": 400,
    "own_fixations": 20,
    "timeline": 2,
    "scanpath": 20,
    "surface": ["Screen", ["1", "2"]],
    "no_surface": 404,
    "gaze_on_surface": 200,
    "recording_events": ["cloud", "recording", "recording"],
    "event_gone": "mark",
    "no_event": 404,
    "project_event": ["trial", 0.5, "project"],
    "settings": ["heatmap", "Map", {"heatmap": {"sigma": 0.02, "colormap": "Jet"}}, True],
    "settings_changed": ["aoi_heatmap", "Areas", {}],
    "settings_of_none": 409,
    "settings_removed": "Areas",
    "settings_gone": 404,
    "wearer_renamed": "Eve",
    "wearer_got": "Eve",
    "wearer_removed": "Eve",
    "wearer_gone": 404,
    "raw": ["info.json", "events.csv", "fixations.csv", "gaze.csv", "ID_0.0-2.000.mp4"],
    "raw_without": ["info.json", "events.csv", "fixations.csv"],
    "raw_kind": ["raw-data-export"],
    "no_raw": 404,
    "enrichment_gone": 404,
    "recording_gone": 404,
    "project_gone": 404,
    "wrong": 401,
    "prefixed": None,
}
TRUE = {
    "workspaces",
    "workspace",
    "project_listed",
    "recordings",
    "project_recordings",
    "own_id",
    "hits",
    "of_one",
    "label_hits",
    "labels",
    "export_by_post",
    "mapper_is_none",
    "video",
    "settings_listed",
    "settings_got",
    "wearers",
    "label_aois",
    "raw_video",
}


def test_every_operation_of_the_client_succeeds_and_fails_as_it_expects(server: Any):
    assert PYTHON is not None
    environment = {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "QUADRAT_CONTRACT_URL": server.url,
        "QUADRAT_CONTRACT_TOKEN": server.token,
    }
    done = subprocess.run([PYTHON, TOUR], env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)
    assert set(told.pop("enrichment")) == {"markerless_id"}
    assert {name: told[name] for name in told if name not in TRUE} == EXPECTED
    assert {name for name in TRUE if told[name] is not True} == set()
