"""The way of every user: model, version, package, wait until it is available, requests one by one and in a batch."""

import tempfile
import time
import zipfile
from pathlib import Path

import ubiops
from session import connect, own_organization, refusal, report, unique

PACKAGE = """
class Model:
    def __init__(self, base_directory, context):
        self.version = context["version"]

    def request(self, data):
        if data["number"] < 0:
            raise ValueError("only numbers from 0 on")
        return {"tripled": data["number"] * 3, "greeting": f"{data['name']} by {self.version}"}
"""
BUILD_DEADLINE_S = 90
BATCH_DEADLINE_S = 60


def write_package() -> str:
    path = Path(tempfile.mkdtemp()) / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model_package/model.py", PACKAGE)
    return str(path)


def poll(look, done, deadline_s):
    """Ask again until it is done, as the client's own notebooks do."""
    deadline = time.monotonic() + deadline_s
    seen = []
    while True:
        state = look()
        if not seen or seen[-1] != state:
            seen.append(state)
        if done(state):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"still {state} after {deadline_s} s, seen {seen}")
        time.sleep(0.2)


api = connect()
organization = own_organization(api)
project = api.projects_create(data=ubiops.ProjectCreate(name=unique("p"), organization_name=organization)).name
field, out = ubiops.ModelInputFieldCreate, ubiops.ModelOutputFieldCreate
model = api.models_create(
    project_name=project,
    data=ubiops.ModelCreate(
        name="triple",
        description="three times",
        input_type="structured",
        output_type="structured",
        input_fields=[field(name="number", data_type="int"), field(name="name", data_type="string")],
        output_fields=[out(name="tripled", data_type="int"), out(name="greeting", data_type="string")],
    ),
)
version = api.model_versions_create(
    project_name=project,
    model_name="triple",
    data=ubiops.ModelVersionCreate(version="v1", memory_allocation=256, maximum_instances=1, minimum_instances=0),
)
at = {"project_name": project, "model_name": "triple", "version": "v1"}
too_early = refusal(api.model_requests_create, **at, data={"number": 1, "name": "a"})
no_package = refusal(api.model_versions_file_download, **at)
package = write_package()
uploaded = api.model_versions_file_upload(**at, file=package)
states = poll(
    lambda: api.model_versions_get(**at).status,
    lambda state: state == "available" or "failed" in state,
    BUILD_DEADLINE_S,
)
downloaded = api.model_versions_file_download(**at)

answered = api.model_requests_create(**at, data={"number": 14, "name": "six"})
failed = api.model_requests_create(**at, data={"number": -1, "name": "six"})
wrong_type = refusal(api.model_requests_create, **at, data={"number": "fourteen", "name": "six"})
missing = refusal(api.model_requests_create, **at, data={"number": 14})

batch = api.batch_model_requests_create(**at, data=[{"number": n, "name": f"item {n}"} for n in (1, 2, -3)])
ids = [item.id for item in batch]
for request_id in ids:
    poll(
        lambda request_id=request_id: api.batch_model_requests_get(**at, request_id=request_id).status,
        lambda state: state in {"completed", "failed"},
        BATCH_DEADLINE_S,
    )
collected = {item.id: item.to_dict() for item in api.batch_model_requests_batch_collect(**at, data=ids)}
listed = api.batch_model_requests_list(**at)
completed = api.batch_model_requests_list(**at, status="completed", sort="asc")
api.batch_model_requests_delete(**at, request_id=ids[0])
gone = refusal(api.batch_model_requests_get, **at, request_id=ids[0])
one_gone = refusal(api.batch_model_requests_batch_collect, **at, data=ids)
api.batch_model_requests_batch_delete(**at, data=ids[1:])

result = {
    "model": model.to_dict(),
    "models": [item.name for item in api.models_list(project_name=project)],
    "versions_counted": api.models_get(project_name=project, model_name="triple").number_of_versions,
    "version": version.to_dict(),
    "too_early": too_early,
    "no_package": no_package,
    "uploaded": uploaded.success,
    "states": states,
    "error_message": api.model_versions_get(**at).error_message,
    "download_equals_upload": downloaded.read() == Path(package).read_bytes(),
    "download_name": downloaded.getheader("Content-Disposition"),
    "answered": answered.to_dict(),
    "failed": failed.to_dict(),
    "wrong_type": wrong_type,
    "missing": missing,
    "batch_created": [item.to_dict() for item in batch],
    "collected": [collected[request_id] for request_id in ids],
    "listed": [item.id for item in listed],
    "listed_completed": [item.id for item in completed],
    "batch_ids": ids,
    "gone": gone,
    "one_gone": one_gone,
    "left": [item.id for item in api.batch_model_requests_list(**at)],
}
api.model_versions_delete(**at)
api.models_delete(project_name=project, model_name="triple")
result["deleted"] = refusal(api.models_get, project_name=project, model_name="triple")
api.projects_delete(project_name=project)
report(result)
