"""A project that has something of everything, made through the APIs: for tests that look at every page."""

import base64
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from support.archives import table
from support.browser import client_of
from support.people import unique
from support.server import wait_for

GAZE_SAMPLE = Path(__file__).parents[2] / "demo" / "gaze_sample"
MODEL = """
class Model:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        return {"twice": data["number"] * 2}
"""
_VERSION_TABS = ("builds", "environment", "variables", "scaling", "settings")
_NOBODY = "00000000-0000-0000-0000-000000000000"
_ENDED = {"F", "E"}


@dataclass(frozen=True, slots=True)
class Filled:
    """Where everything is.

    Args:
        name: Of the project.
        project: Its number.
        addresses: The end of the address of each page, by a name.
    """

    name: str
    project: int
    addresses: dict[str, str]


def digit_pictures(count: int) -> list[tuple[int, bytes, dict[str, str]]]:
    """Real handwritten digits: what each is, its picture, its measures. After the 1,797 come the first ones turned."""
    digits = load_digits()
    found = []
    for place in range(count):
        turned, at = divmod(place, len(digits.images))
        pixels = np.rot90(digits.images[at], turned) * (255 / 16)
        png = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).resize((40, 40), Image.Resampling.NEAREST).save(png, "PNG")
        measures = {"object_area": str(int((pixels > 64).sum())), "object_mean": f"{pixels.mean():.3f}"}
        found.append((int(digits.target[at]), png.getvalue(), measures))
    return found


def digits_archive(count: int, categories: list[str]) -> bytes:
    """So many predicted objects as a zip to import; every digit has a category of its own by its rest."""
    rows, content = [], io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for place, (digit, png, measures) in enumerate(digit_pictures(count)):
            name = f"digit-{place:04}"
            archive.writestr(f"{name}.png", png)
            rows.append(
                {
                    "object_id": name,
                    "img_file_name": f"{name}.png",
                    "object_lat": "43.5",
                    "object_lon": "7.2",
                    "object_date": "20240501",
                    "object_time": "1200",
                    "object_depth_min": str(place % 50),
                    "object_depth_max": str(place % 50 + 5),
                    **measures,
                    "object_annotation_status": "predicted",
                    "object_annotation_category": categories[digit % len(categories)],
                    "sample_id": f"haul {place % 3}",
                    "acq_id": f"a{place % 3}",
                    "process_id": f"p{place % 3}",
                }
            )
        archive.writestr("ecotaxa_digits.tsv", table(rows))
    return content.getvalue()


def import_objects(client: httpx2.Client, project: int, archive: bytes) -> list[int]:
    """The numbers of the objects, once all are there."""
    name = f"{unique('digits')}.zip"
    sent = _ok(client.post("/api/my_files/", files={"file": (name, archive)}, data={"path": name}))
    job = _ok(client.post(f"/api/file_import/{project}", json={"source_path": sent}))["job_id"]
    done = wait_for(lambda: _ended(client, job), 120)
    assert done["state"] == "F", done
    ids: list[int] = _ok(client.post(f"/api/object_set/{project}/query", json={}))["object_ids"]
    return ids


def _ended(client: httpx2.Client, job: int) -> Any:
    found = _ok(client.get(f"/api/jobs/{job}/"))
    return found if found["state"] in _ENDED else None


def _ok(answer: httpx2.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json() if answer.content else None


def fill(url: str) -> Filled:
    """Objects, a served model, a pipeline with its schedule, samples, a picture with an area and a recording."""
    name = unique("filled")
    with client_of(url) as client:
        organization = _ok(client.get("/v2.1/organizations"))[0]["name"]
        _ok(client.post("/v2.1/projects", json={"name": name, "organization_name": organization}))
        [card] = [one for one in _ok(client.get("/ui/api/projects")) if one["name"] == name]
        project = int(card["id"])
        ids = import_objects(client, project, digits_archive(120, ["Copepoda", "Chaetognatha", "detritus"]))
        decided = {"target_ids": ids[:60], "classifications": [-1] * 60, "wanted_qualification": "V"}
        _ok(client.post("/api/object_set/classify", json=decided))
        _serve(client, f"/v2.1/projects/{name}")
        enrichment = _look(client, _ok(client.get(f"/ui/api/projects/{project}")))
        dataset = _sample(client)
        job = _ok(client.get("/ui/api/jobs"))[0]["id"]
    here = f"#/p/{project}"
    parts = ("sort", "import", "bulk", "export", "predict", "areas", "models", "pipelines", "connectors", "credentials")
    more = ("schedules", "variables", "service-users", "logs", "monitoring", "members")
    addresses = {part: f"{here}/{part}" for part in (*parts, *more)}
    addresses |= {
        "home": "#/",
        "projects": "#/projects",
        "project": here,
        "object": f"{here}/object/{ids[0]}",
        "predict with a model": f"{here}/predict?way=model",
        "model": f"{here}/models/doubler",
        "version": f"{here}/models/doubler/v1",
        "version test": f"{here}/models/doubler/v1?tab=test",
        "version requests": f"{here}/models/doubler/v1?tab=requests",
        **{f"version {tab}": f"{here}/models/doubler/v1?tab={tab}" for tab in _VERSION_TABS},
        "pipeline": f"{here}/pipelines/twice",
        "pipeline run": f"{here}/pipelines/twice?tab=run",
        "pipeline requests": f"{here}/pipelines/twice?tab=requests",
        "pipeline table": f"{here}/pipelines/twice?tab=table",
        "area editor": f"{here}/areas/{enrichment}?heat=1&fixations=1",
        "area metrics": f"{here}/areas/{enrichment}/metrics",
        "roles": f"{here}/members?tab=roles",
        "audit trail": f"{here}/members?tab=audit",
        "jobs": "#/jobs",
        "job": f"#/jobs/{job}",
        "datasets": "#/datasets",
        "samples": f"#/datasets/{dataset}",
        "taxonomy": "#/taxonomy",
        "administration": "#/admin",
        "profile": "#/profile",
    }
    return Filled(name, project, addresses)


def package(source: str = MODEL) -> bytes:
    """A zip with a model's code."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("model_package/model.py", source)
    return content.getvalue()


def _serve(client: httpx2.Client, base: str) -> None:
    """A model that has answered, a pipeline around it with credentials, a connector and a schedule."""
    number, twice = [{"name": "number", "data_type": "double"}], [{"name": "twice", "data_type": "double"}]
    fields = {"input_type": "structured", "input_fields": number, "output_type": "structured", "output_fields": twice}
    _ok(client.post(f"{base}/models", json={"name": "doubler", **fields}))
    versions = f"{base}/models/doubler/versions"
    _ok(client.post(versions, json={"version": "v1", "maximum_idle_time": 600}))
    _ok(client.put(f"{versions}/v1/upload", files={"file": ("model.zip", package())}))
    wait_for(lambda: _ok(client.get(f"{versions}/v1"))["status"] == "available", 120)
    _ok(client.post(f"{versions}/v1/request-batch", json=[{"number": 21}, {"number": 4}]))
    where = {"username": "a", "password": "b", "host": "localhost", "port": "1"}
    _ok(client.post(f"{base}/credentials", json={"name": "table", "type": "postgresql", "configuration": where}))
    place = {"credentials": "table", "configuration": {"database": "d", "table": "t"}, "input_fields": twice}
    _ok(client.post(f"{base}/connectors", json={"name": "table", "type": "postgresql", **place}))
    _ok(client.post(f"{base}/pipelines", json={"name": "twice", "input_type": "structured", "input_fields": number}))
    reference = {"reference_type": "model", "reference_name": "doubler", "version": "v1"}
    _ok(client.post(f"{base}/pipelines/twice/objects", json={"name": "doubler", **reference}))
    link = {"source_field_name": "number", "destination_field_name": "number"}
    ends = {"source_name": "pipeline_start", "destination_name": "doubler", "mapping": [link]}
    _ok(client.post(f"{base}/pipelines/twice/attachments", json=ends))
    _ok(client.post(f"{base}/pipelines/twice/request", json={"number": 2}))
    when = {"object_type": "pipeline", "object_name": "twice", "schedule": "0 3 1 1 *", "request_data": {"number": 1}}
    _ok(client.post(f"{base}/schedules", json={"name": "yearly", **when}))
    _ok(client.post(f"{base}/environment-variables", json={"name": "LIMIT", "value": "3", "secret": False}))


def _look(client: httpx2.Client, card: dict[str, Any]) -> str:
    """A picture with a real recording and one area; the enrichment."""
    workspace = f"/v2/workspaces/{card['organization_uuid']}"
    base = f"{workspace}/projects/{card['uuid']}/enrichments"
    picture = (GAZE_SAMPLE / "reference_image.png").read_bytes()
    tus = {"Tus-Resumable": "1.0.0", "Upload-Metadata": "name " + base64.b64encode(b"grid.png").decode()}
    made = _ok(client.post(f"{workspace}/files/", headers={**tus, "Upload-Length": str(len(picture))}))["result"]
    part = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    _ok(client.patch(made["upload_url"], headers=part, content=picture))
    body = {"reference_image_id": made["id"], "scanning_recording_id": _NOBODY}
    plane = _ok(client.post(f"{workspace}/markerless/", json=body))["result"]
    events = {"from_event_name": "recording.begin", "to_event_name": "recording.end"}
    new = {"name": "Grid", "kind": "slam-mapper", **events, "args": {"markerless_id": plane["id"]}}
    enrichment = str(_ok(client.post(base, json=new))["result"]["id"])
    names = ("gaze", "fixations", "sections")
    files = {name: (f"{name}.csv", (GAZE_SAMPLE / f"{name}.csv").read_bytes()) for name in names}
    _ok(client.post(f"{base}/{enrichment}/recordings:import", files=files))
    mask, png = Image.new("LA", (400, 300)), io.BytesIO()
    ImageDraw.Draw(mask).rectangle((100, 80, 300, 220), fill=(255, 255))
    mask.save(png, "PNG")
    address = "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
    area = {"enrichment_id": enrichment, "name": "Middle", "color": "#E69F00", "mask_image_data_url": address}
    _ok(client.post(f"{base}/{enrichment}/aois", json=area))
    return enrichment


def _sample(client: httpx2.Client) -> str:
    """A dataset with the pictures of ten digits."""
    token = client.headers["authorization"].partition(" ")[2]
    query = {"token": token}
    name = unique("digits")
    dataset = str(_ok(client.post("/v1/datasets", params=query, json={"name": name, "type": "Images"}))["id"])
    for place, (_, png, _) in enumerate(digit_pictures(10)):
        path = f"/v1/datasets/{dataset}/samples"
        sample = _ok(client.post(path, params=query, json={"fileName": f"digit-{place}.png"}))["id"]
        address = _ok(client.get(f"{path}/{sample}/writeurl", params={**query, "isThumbnail": False}))
        assert httpx2.put(address, content=png).is_success
    return dataset
