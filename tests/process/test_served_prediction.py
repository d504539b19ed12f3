"""A served model, or a pipeline, predicts from measured features; its worker is killed, the job is cancelled."""

import io
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from support.image_models import digit_archive, digits
from support.server import ADMIN_TOKEN, Server, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Serve = Callable[..., Server]
#: Three blocks of requests, the last one not full.
OBJECTS, BLOCK = 250, 100
# Requests of a pipeline run beside each other: of the next block some are asked before the last of this one.
AHEAD = 60

_MODEL = '''
"""Tells its tester about each object, waits for the answer, and says what it is by two of its features."""

from urllib.request import urlopen


class Model:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        with urlopen(f"{ADDRESS}/{data['all'][1]:.0f}") as answer:
            answer.read()
        return {"label": "1" if data["all"][0] > data["depth_min"] else "0", "score": 0.75}
'''


@dataclass
class Gate:
    """Counts what the model is asked, and holds it up after so many."""

    asked: Counter[int] = field(default_factory=Counter)
    left: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    address: str = ""

    def pass_(self, key: int) -> None:
        with self.changed:
            self.asked[key] += 1
            self.changed.wait_for(lambda: self.left > 0)
            self.left -= 1

    def open(self, n: int) -> None:
        with self.changed:
            self.left = n
            self.changed.notify_all()

    @property
    def passed(self) -> int:
        """Requests that came, the one that is held up among them."""
        return sum(self.asked.values())


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.pass_(int(self.path.strip("/")))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.address = f"http://127.0.0.1:{cast('tuple[str, int]', server.server_address)[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    made.open(10**6)
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Lab:
    """A project of unclassified digits, a model of their features, and a pipeline around it."""

    server: Server
    project: int
    name: str

    def api(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        answer = httpx2.request(method, self.server.url + path, headers=headers, timeout=60, **options)
        assert answer.status_code in {200, 201, 204}, f"{path}: {answer.text}"
        return answer.json() if answer.content else None

    def done(self, job: int) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            found = self.api("GET", f"/api/jobs/{job}/")
            return found if found["state"] in "FE" else None

        return wait_for(ended, 200)

    def predict(self, model: str) -> int:
        request = {
            "project_id": self.project,
            "model": f"{self.name}/{model}",
            "features": ["fre.area", "fre.mean", "obj.depth_min"],
        }
        asked = self.api("POST", "/api/object_set/predict", json={"filters": {}, "request": request})
        assert asked["errors"] == []
        return int(asked["job_id"])

    def states(self) -> list[list[Any]]:
        fields = "obj.classif_qual,txo.name,obj.classif_auto_score"
        return list(self.api("POST", f"/api/object_set/{self.project}/query?fields={fields}", json={})["details"])

    def waiting(self) -> int:
        """Requests of the model and of the pipeline that somebody keeps."""
        at = f"/v2.1/projects/{self.name}"
        lists = (f"{at}/models/sums/versions/v1/request-batch", f"{at}/pipelines/line/request-batch")
        return sum(len(self.api("GET", path)) for path in lists)


def make_lab(server: Server, gate: Gate) -> Lab:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    project = httpx2.post(f"{server.url}/api/projects/create", headers=headers, json={"title": "Sums"}).json()
    names = {each["id"]: each["name"] for each in httpx2.get(f"{server.url}/ui/api/projects", headers=headers).json()}
    lab = Lab(server, project, names[project])
    archive = digit_archive(OBJECTS, 0, each=lambda i: {"object_mean": i, "object_depth_min": MIDDLE})
    path = lab.api("POST", "/api/my_files/", files={"file": ("d.zip", archive)})
    imported = lab.done(lab.api("POST", f"/api/file_import/{project}", json={"source_path": path})["job_id"])
    assert imported["state"] == "F", imported
    at = f"/v2.1/projects/{lab.name}"
    takes = {"input_type": "structured", "input_fields": fields(all="array_double", depth_min="double")}
    gives = {"output_type": "structured", "output_fields": fields(label="string", score="double")}
    lab.api("POST", f"{at}/models", json={"name": "sums", **takes, **gives})
    version = {"version": "v1", "language": "python3.8", "memory_allocation": 256, "maximum_instances": 1}
    lab.api("POST", f"{at}/models/sums/versions", json=version)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr("model_package/model.py", _MODEL.replace("{ADDRESS}", gate.address))
    upload = {"file": ("package.zip", packed.getvalue(), "application/zip")}
    lab.api("PUT", f"{at}/models/sums/versions/v1/upload", files=upload)
    wait_for(lambda: lab.api("GET", f"{at}/models/sums/versions/v1")["status"] == "available", 120)
    lab.api("POST", f"{at}/pipelines", json={"name": "line", **takes})
    model = {"name": "sums", "reference_type": "model", "reference_name": "sums", "version": "v1"}
    lab.api("POST", f"{at}/pipelines/line/objects", json=model)
    links = [{"source_field_name": name, "destination_field_name": name} for name in ("all", "depth_min")]
    ends = {"source_name": "pipeline_start", "destination_name": "sums", "mapping": links}
    lab.api("POST", f"{at}/pipelines/line/attachments", json=ends)
    return lab


MIDDLE = float(sorted(digits(OBJECTS)[0].sum(axis=1))[OBJECTS // 2])
EXPECTED = [["P", str(int(area > MIDDLE)), 0.75] for area in digits(OBJECTS)[0].sum(axis=1)]


def fields(**kinds: str) -> list[dict[str, str]]:
    return [{"name": name, "data_type": kind} for name, kind in kinds.items()]


@pytest.mark.parametrize("model", ["sums/v1", "line"])
def test_model_of_features_predicts_on_after_its_worker_is_killed(model: str, serve: Serve, gate: Gate) -> None:
    server = serve()
    lab = make_lab(server, gate)
    gate.open(BLOCK + AHEAD)
    job = lab.predict(model)
    wait_for(lambda: gate.passed > BLOCK + AHEAD, 100)
    wait_for(lambda: sum(state[0] == "P" for state in lab.states()) == BLOCK)
    assert lab.api("GET", f"/api/jobs/{job}/")["state"] == "R"
    worker = server.worker()
    worker.kill()
    wait_for(lambda: server.worker().pid != worker.pid)
    gate.open(10**6)
    done = lab.done(job)
    assert (done["state"], done["errors"], done["result"]) == ("F", [], {"rowcount": OBJECTS})
    assert lab.states() == EXPECTED
    assert gate.asked == dict.fromkeys(range(OBJECTS), 1), "nothing was asked twice"
    assert lab.waiting() == 0


def test_served_prediction_goes_on_after_the_whole_server_is_killed(serve: Serve, gate: Gate, tmp_path: Path) -> None:
    server = serve()
    lab = make_lab(server, gate)
    gate.open(BLOCK + 20)
    job = lab.predict("sums/v1")
    wait_for(lambda: gate.passed > BLOCK + 20, 100)
    wait_for(lambda: sum(state[0] == "P" for state in lab.states()) == BLOCK)
    server.kill()
    gate.open(10**6)
    lab.server = serve(server.data_dir)
    done = lab.done(job)
    assert (done["state"], done["errors"], done["result"]) == ("F", [], {"rowcount": OBJECTS})
    assert lab.states() == EXPECTED
    # What was written is not asked again; what the model had answered and nobody had written down yet, may be.
    assert {gate.asked[number] for number in range(BLOCK)} == {1}
    assert max(gate.asked.values()) <= 2
    objects = lab.api("POST", f"/api/object_set/{lab.project}/query", json={})["object_ids"]
    assert [lab.api("GET", f"/api/object/{id_}/history") for id_ in objects[:3]] == [[], [], []]
    assert lab.waiting() == 0


@pytest.mark.parametrize("model", ["sums/v1", "line"])
def test_cancelled_prediction_takes_its_requests_back(model: str, serve: Serve, gate: Gate) -> None:
    lab = make_lab(serve(), gate)
    gate.open(20)
    job = lab.predict(model)
    wait_for(lambda: gate.passed > 20, 100)
    assert lab.waiting() > 20
    lab.api("DELETE", f"/api/jobs/{job}")
    wait_for(lambda: lab.waiting() == 0)
    gate.open(10**6)
    again = lab.predict(model)
    asked = gate.passed
    assert lab.done(again)["result"] == {"rowcount": OBJECTS}
    assert lab.states() == EXPECTED
    # The one that the model held when it was taken back, and then each object once.
    assert asked <= 22
    assert gate.passed <= OBJECTS + 22
