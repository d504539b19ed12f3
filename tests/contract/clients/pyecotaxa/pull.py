"""Pull a project as an archive, with and without images."""

import base64
import io
import json
import os
import sys
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pyecotaxa.archive
import pyecotaxa.remote
import requests

ENDPOINT = os.environ["QUADRAT_CONTRACT_URL"] + "/api/"
HEADERS = {"Authorization": f"Bearer {os.environ['QUADRAT_CONTRACT_TOKEN']}"}
remote = pyecotaxa.remote.Remote(api_endpoint=ENDPOINT, api_token=os.environ["QUADRAT_CONTRACT_TOKEN"])
result = {}


def api(method, path, **options):
    answer = requests.request(method, ENDPOINT + path, headers=HEADERS, timeout=60, **options)
    answer.raise_for_status()
    return answer.json()


PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCB2qV3GgAAAABJRU5ErkJggg==")
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    lines = ["object_id\timg_file_name\tobject_area\tsample_id", "[t]\t[t]\t[f]\t[t]"]
    archive.writestr("ecotaxa_in.tsv", "\n".join([*lines, "a\ta.png\t1.5\ts", "b\tb.png\t2\ts"]))
    for name in ("a.png", "b.png"):
        archive.writestr(name, PIXEL)
project = api("POST", "projects/create", json={"title": "Pulled cruise"})
source = api("POST", "my_files/", files={"file": ("in.zip", packed.getvalue())})
job = api("POST", f"file_import/{project}", json={"source_path": source})["job_id"]
while (state := api("GET", f"jobs/{job}/")["state"]) not in "FEA":
    time.sleep(0.2)
assert state == "F", api("GET", f"jobs/{job}/")
for with_images in (False, True):
    with TemporaryDirectory() as folder:
        (path,) = remote.pull(project, target_directory=folder, with_images=with_images)
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            table = next(name for name in names if name.endswith(".tsv"))
            frame = pyecotaxa.archive.read_tsv(archive.open(table))
        result["with" if with_images else "without"] = {
            "file": Path(path).name.startswith(f"export_{project}_"),
            "members": sorted(name for name in names if not name.endswith(".log")),
            "columns": list(frame.columns),
            "area": frame["object_area"].tolist(),
        }
jobs = api("GET", "jobs")
result["left"] = [job["id"] for job in jobs if job["params"].get("req", {}).get("project_id") == project]
json.dump(result, sys.stdout)
