"""A model that classifies images, deployed through one API and used through another; deep features; what they allow."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from support.image_models import digit_archive, digits, nearest_means, package

DEADLINE_S = 180
OBJECTS, VALIDATED = 130, 40


@dataclass
class Lab:
    """A project with digits as objects, and two models beside them."""

    http: httpx2.Client
    project: int
    name: str
    objects: list[int]

    def api(self, method: str, path: str, **options: Any) -> Any:
        answer = self.http.request(method, f"/api{path}", **options)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    def done(self, job: int) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_S
        while (found := self.api("GET", f"/jobs/{job}/"))["state"] not in "FE":
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    def predict(self, **request: Any) -> dict[str, Any]:
        body = {"filters": {}, "request": {"project_id": self.project, **request}}
        return self.api("POST", "/object_set/predict", json=body)

    def states(self) -> dict[int, list[Any]]:
        fields = "obj.classif_qual,txo.name,obj.classif_auto_score"
        found = self.api("POST", f"/object_set/{self.project}/query?fields={fields}", json={})
        return dict(zip(found["object_ids"], found["details"], strict=True))

    def deploy(self, model: str, content: bytes, kind: str, outputs: list[dict[str, str]]) -> None:
        at = f"/v2.1/projects/{self.name}/models"
        fields = {"input_fields": [{"name": "image", "data_type": kind}], "output_fields": outputs}
        both = {"input_type": "structured", "output_type": "structured"}
        assert self.http.post(at, json={"name": model, **both, **fields}).status_code == 201
        limits = {"memory_allocation": 256, "maximum_instances": 1}
        made = self.http.post(f"{at}/{model}/versions", json={"version": "v1", "language": "python3.8", **limits})
        assert made.status_code == 201, made.text
        upload = {"file": ("package.zip", content, "application/zip")}
        sent = self.http.put(f"{at}/{model}/versions/v1/upload", files=upload)
        assert sent.status_code == 200, sent.text
        deadline = time.monotonic() + DEADLINE_S
        while (version := self.http.get(f"{at}/{model}/versions/v1").json())["status"] != "available":
            assert "failed" not in version["status"], version
            assert time.monotonic() < deadline, version
            time.sleep(0.1)


@pytest.fixture(scope="module")
def lab(server: Any) -> Iterator[Lab]:
    with httpx2.Client(base_url=server.url, timeout=60, headers={"Authorization": f"Bearer {server.token}"}) as http:
        project = http.post("/api/projects/create", json={"title": "Served digits"}).json()
        names = {each["id"]: each["name"] for each in http.get("/ui/api/projects").json()}
        made = Lab(http, project, names[project], [])
        path = made.api("POST", "/my_files/", files={"file": ("d.zip", digit_archive(OBJECTS, VALIDATED))})
        job = made.done(made.api("POST", f"/file_import/{project}", json={"source_path": path})["job_id"])
        assert job["state"] == "F", job
        made.objects = made.api("POST", f"/object_set/{project}/query", json={})["object_ids"]
        made.deploy("digits", package(), "blob", [_out("label", "string"), _out("score", "double")])
        made.deploy("eyes", package(makes_vectors=True), "string", [_out("vector", "array_double")])
        yield made


def _out(name: str, kind: str) -> dict[str, str]:
    return {"name": name, "data_type": kind}


@pytest.mark.timeout(400)
def test_deployed_model_predicts_the_objects_of_a_project(lab: Lab):
    asked = lab.predict(model=f"{lab.name}/digits/v1")
    assert asked["errors"] == []
    done = lab.done(asked["job_id"])
    assert (done["state"], done["type"], done["errors"]) == ("F", "Prediction", [])
    assert done["result"] == {"rowcount": OBJECTS - VALIDATED}
    states = lab.states()
    assert {states[id_][0] for id_ in lab.objects[:VALIDATED]} == {"V"}
    predicted = lab.objects[VALIDATED:]
    assert [states[id_][:2] for id_ in predicted] == [["P", str(digit)] for digit in nearest_means(OBJECTS)[VALIDATED:]]
    assert all(0 < states[id_][2] < 1 for id_ in predicted)
    left = lab.http.get(f"/v2.1/projects/{lab.name}/models/digits/versions/v1/request-batch").json()
    assert left == []


@pytest.mark.timeout(400)
def test_given_labels_come_before_names(lab: Lab):
    found = lab.api("GET", "/taxon_set/search?query=copepoda")
    taxon = next(each["id"] for each in found if each["text"] == "Copepoda")
    asked = lab.predict(model=f"{lab.project}/digits/v1", labels={str(digit): taxon for digit in range(10)})
    assert lab.done(asked["job_id"])["state"] == "F"
    assert {state[1] for id_, state in lab.states().items() if id_ in lab.objects[VALIDATED:]} == {"Copepoda"}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("{name}/digits/v2", "Version v2 does not exist"),
        ("{name}/nothing", "does not exist"),
        ("digits", "project/model/version"),
        ("nowhere/digits/v1", "does not exist"),
    ],
)
def test_model_that_is_not_there_is_an_error_without_a_job(lab: Lab, model: str, words: str):
    asked = lab.predict(model=model.format(name=lab.name))
    assert asked["job_id"] == 0
    assert words in asked["errors"][0]


def test_answers_without_a_label_fail_the_job_with_words(lab: Lab):
    done = lab.done(lab.predict(model=f"{lab.name}/eyes/v1")["job_id"])
    assert done["state"] == "E"
    assert "no field of the answer is called label" in done["errors"][0]


@pytest.mark.timeout(400)
def test_network_makes_features_that_are_kept_and_make_images_comparable(lab: Lab):
    at = f"/object_set/{lab.project}/query"
    one = lab.objects[0]
    refused = lab.http.post(f"/api{at}?order_field=ss-I{one}", json={})
    assert refused.status_code == 422
    assert "no deep features" in refused.json()["detail"][0]["msg"]
    settings = lab.api("GET", f"/projects/{lab.project}?for_managing=true")
    lab.api("PUT", f"/projects/{lab.project}", json={**settings, "cnn_network_id": None})
    learn = {
        "source_project_ids": [lab.project],
        "features": ["fre.area"],
        "categories": _digit_taxa(lab),
        "pre_mapping": {},
        "use_scn": True,
    }
    without = lab.done(lab.predict(**learn)["job_id"])
    assert (without["state"], "No network is configured" in without["errors"][0]) == ("E", True)
    lab.api("PUT", f"/projects/{lab.project}", json={**settings, "cnn_network_id": "eyes/v1"})
    for _ in range(2):  # the second time nothing is asked
        done = lab.done(lab.predict(**learn)["job_id"])
        assert (done["state"], done["errors"], done["result"]) == ("F", [], {"rowcount": OBJECTS - VALIDATED})
    states, (grey, labels) = lab.states(), digits(OBJECTS)
    right = sum(
        states[id_][1] == str(label) for id_, label in zip(lab.objects[VALIDATED:], labels[VALIDATED:], strict=True)
    )
    assert right > 0.6 * (OBJECTS - VALIDATED)  # by ink alone it would be a fifth
    report = lab.api("GET", f"/jobs/{done['id']}/report")
    assert any(name.startswith("deep ") for name in report["features"])
    found = lab.api("POST", f"{at}?order_field=ss-I{one}&window_size=20", json={})
    length = (grey**2).sum(axis=1) ** 0.5
    cosine = (grey @ grey[0]) / (length * length[0])
    expected = [lab.objects[i] for i in (-cosine).argsort(kind="stable")]
    assert found["object_ids"] == expected[:20]
    assert found["total_ids"] == OBJECTS
    lab.api("PUT", f"/projects/{lab.project}", json={**settings, "cnn_network_id": "eyes/v2"})
    assert lab.http.post(f"/api{at}?order_field=ss-I{one}", json={}).status_code == 422


def _digit_taxa(lab: Lab) -> list[int]:
    query = lab.api("POST", f"/object_set/{lab.project}/query?fields=obj.classif_id", json={"statusfilter": "V"})
    return sorted({row[0] for row in query["details"]})
