"""Payloads of nearly 100 MiB: a direct request, a batch request, a file."""

import hashlib
import io
import tempfile
import time
import zipfile
from pathlib import Path

import ubiops
from session import connect, own_organization, report, unique

MIB = 1024**2
MODEL = """
import hashlib

class Model:
    def request(self, data):
        how, _, text = data.partition(":")
        return hashlib.sha256(text.encode()).hexdigest() if how == "hash" else text
"""
DEADLINE_S = 120
LARGE = "x" * (99 * MIB)

api = connect()
project = api.projects_create(data=ubiops.ProjectCreate(name=unique("p"), organization_name=own_organization(api))).name
api.models_create(project_name=project, data=ubiops.ModelCreate(name="large", input_type="plain", output_type="plain"))
version = ubiops.ModelVersionCreate(version="v1", memory_allocation=2048, maximum_instances=1)
api.model_versions_create(project_name=project, model_name="large", data=version)
at = {"project_name": project, "model_name": "large", "version": "v1"}
package = io.BytesIO()
with zipfile.ZipFile(package, "w") as archive:
    archive.writestr("model_package/model.py", MODEL)
path = Path(tempfile.mkdtemp()) / "package.zip"
path.write_bytes(package.getvalue())
api.model_versions_file_upload(**at, file=str(path))
deadline = time.monotonic() + DEADLINE_S
while api.model_versions_get(**at).status != "available":
    assert time.monotonic() < deadline
    time.sleep(0.2)

digest = hashlib.sha256(LARGE.encode()).hexdigest()
direct = [api.model_requests_create(**at, data=how + ":" + LARGE).result for how in ("hash", "echo")]
made = api.batch_model_requests_create(**at, data=["hash:" + LARGE])
made += api.batch_model_requests_create(**at, data=["echo:" + LARGE])
collected = []
for item in made:
    while True:
        found = api.batch_model_requests_get(**at, request_id=item.id)
        if found.status in {"completed", "failed"}:
            break
        assert time.monotonic() < deadline + DEADLINE_S, found.status
        time.sleep(0.5)
    collected.append(found)
result = {
    "direct": [direct[0] == digest, direct[1] == LARGE],
    "batch": [collected[0].result == digest, collected[1].result == LARGE],
    "data": [item.request_data == how + ":" + LARGE for item, how in zip(collected, ("hash", "echo"), strict=True)],
    "errors": [item.error_message for item in collected],
}
api.models_delete(project_name=project, model_name="large")
api.projects_delete(project_name=project)
report(result)
