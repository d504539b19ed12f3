"""Gaze on a live server: areas that a deployed model proposes, and an upload whose line breaks."""

import base64
import io
import socket
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from PIL import Image

from support.contract.tenants import sign_up
from support.gaze_live import LiveLab

pytestmark = pytest.mark.timeout(400)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "aoi_proposer" / "model_package"
BUILD_DEADLINE_S = 240
#: Two bright things on a dark ground: left, top, right, bottom.
THINGS = [(40, 30, 140, 130), (200, 150, 360, 260)]
WIDTH, HEIGHT = 400, 300


def deploy(lab: LiveLab, model: str, package: bytes) -> None:
    """A version v1 that takes a picture and gives areas, ready for requests."""
    models = f"/v2.1/projects/{lab.name}/models"
    fields = {
        "input_type": "structured",
        "output_type": "structured",
        "input_fields": [{"name": "image", "data_type": "string"}],
        "output_fields": [{"name": "areas", "data_type": "string"}],
    }
    lab.ask("POST", models, json={"name": model, **fields})
    lab.ask("POST", f"{models}/{model}/versions", json={"version": "v1", "maximum_instances": 1})
    at = f"{models}/{model}/versions/v1"
    lab.ask("PUT", f"{at}/upload", files={"file": ("package.zip", package)})
    deadline = time.monotonic() + BUILD_DEADLINE_S
    while (found := lab.ask("GET", at))["status"] != "available":
        assert "failed" not in found["status"], found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def draw() -> bytes:
    pixels = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    for left, top, right, bottom in THINGS:
        pixels[top:bottom, left:right] = 230
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


def pack(files: dict[str, str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"model_package/{name}", text)
    return target.getvalue()


def inside(area: Any) -> np.ndarray:
    png = base64.b64decode(area["mask_image_data_url"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)))[..., 3] > 0


@pytest.fixture(scope="module")
def lab(http: httpx2.Client, server: Any) -> LiveLab:
    return LiveLab(http, sign_up(http, server.token), draw())


@pytest.mark.slow
def test_example_package_proposes_areas_that_are_accepted_or_dropped(lab: LiveLab):
    deploy(lab, "proposer", pack({file.name: file.read_text() for file in EXAMPLE.iterdir() if file.is_file()}))
    made = lab.ask("POST", f"{lab.at}/aois:propose", json={"model": "proposer", "version": "v1"})["result"]
    assert [area["proposed_by"] for area in made] == ["proposer/v1"] * 2
    # The largest first.
    for area, (left, top, right, bottom) in zip(made, reversed(THINGS), strict=True):
        wanted = np.zeros((HEIGHT, WIDTH), bool)
        wanted[top:bottom, left:right] = True
        assert (inside(area) == wanted).all()
    kept, dropped = (f"{lab.at}/aois/{area['id']}" for area in made)
    accepted = lab.ask("PATCH", kept, json={"name": "Poster", "accepted": True})["result"]
    assert (accepted["name"], accepted["proposed_by"]) == ("Poster", None)
    lab.ask("DELETE", dropped)
    listed = {area["id"]: area["name"] for area in lab.ask("GET", f"{lab.at}/aois")["result"]}
    assert listed[made[0]["id"]] == "Poster"
    assert made[1]["id"] not in listed
    rows = lab.ask("GET", f"{lab.at}/aois:stats")["result"]["aois"]
    assert "Poster" in [row["aoi_name"] for row in rows]


TRIANGLE = repr('[{"name": "triangle", "color": "#112233", "polygon": [[0, 0], [1, 0], [0, 1]]}]')
ANSWERS = {
    "no-json": "'areas'",
    "no-list": "'{}'",
    "no-mask": '\'[{"name": "a"}]\'',
    "bad-mask": '\'[{"name": "a", "mask": "data:image/png;base64,AAAA"}]\'',
    "empty-run": '\'[{"name": "a", "rle": [100], "size": [10, 10]}]\'',
}


def test_answers_of_a_model_become_areas_or_are_refused_whole(lab: LiveLab):
    # One version, one process: it answers in turn, and fails in the end.
    source = f"""
class Model:
    def __init__(self, base_directory, context):
        self.answers = [{", ".join([TRIANGLE, *ANSWERS.values()])}]

    def request(self, data):
        if not self.answers:
            raise RuntimeError("nothing left")
        return {{"areas": self.answers.pop(0)}}
"""
    deploy(lab, "odd", pack({"model.py": source}))
    order = {"model": "odd", "version": "v1"}
    before = lab.ask("GET", f"{lab.at}/aois")["result"]
    (triangle,) = lab.ask("POST", f"{lab.at}/aois:propose", json=order)["result"]
    assert (triangle["name"], triangle["color"], triangle["proposed_by"]) == ("triangle", "#112233", "odd/v1")
    assert inside(triangle).mean() == pytest.approx(0.5, abs=0.01)
    with_it = lab.ask("GET", f"{lab.at}/aois")["result"]
    assert with_it == [*before, triangle]
    for _ in (*ANSWERS, "error"):
        answer = lab.request("POST", f"{lab.at}/aois:propose", json=order)
        assert answer.status_code == 409, answer.text
        assert "model" in answer.json()["message"].lower()
    assert lab.ask("GET", f"{lab.at}/aois")["result"] == with_it
    lab.ask("DELETE", f"{lab.at}/aois/{triangle['id']}")


@pytest.mark.parametrize(("model", "version"), [("none", "v1"), ("", "")])
def test_model_that_is_not_there_is_not_found(lab: LiveLab, model: str, version: str):
    answer = lab.request("POST", f"{lab.at}/aois:propose", json={"model": model, "version": version})
    assert answer.status_code == 404


def test_upload_whose_line_breaks_goes_on_where_it_stopped(lab: LiveLab):
    data = draw() + bytes(200_000)
    made = lab.announce(len(data))
    url = urlsplit(made["upload_url"])
    head = (
        f"PATCH {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\napi-key: {lab.token}\r\nTus-Resumable: 1.0.0\r\n"
        f"Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    assert url.hostname is not None
    with socket.create_connection((url.hostname, url.port), timeout=30) as line:
        line.sendall(head.encode() + data[:100_000])
    deadline = time.monotonic() + 60
    while not (offset := int(lab.request("HEAD", made["upload_url"]).headers["upload-offset"])):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert offset == 100_000
    lab.send(made["upload_url"], offset, data[offset:])
    body = {"reference_image_id": made["id"], "scanning_recording_id": ""}
    assert lab.ask("POST", f"{lab.place}/markerless/", json=body)["result"]["width"] == WIDTH
