"""Every operation about models, versions, requests and blobs: once as it should be, once refused."""

import io
import tempfile
import time
import zipfile
from pathlib import Path

import ubiops
from session import connect, own_organization, refusal, report, unique

MODEL = """
import os

class Model:
    def request(self, data):
        path = data["picture"]
        print("given", path)
        content = open(path, "rb").read()
        with open("turned round.bin", "wb") as out:
            out.write(content[::-1])
        return {"size": len(content), "name": os.path.basename(path), "picture": "turned round.bin"}
"""
DEADLINE_S = 90
PICTURE = bytes(range(256)) * 4096

api = connect()
project = api.projects_create(data=ubiops.ProjectCreate(name=unique("p"), organization_name=own_organization(api))).name
missing = "00000000-0000-4000-8000-000000000000"
done: dict[str, object] = {}
refused: dict[str, dict] = {}


def shown(found):
    if isinstance(found, list):
        return [shown(item) for item in found]
    return found.to_dict() if hasattr(found, "to_dict") else None


def good(name, **arguments):
    found = getattr(api, name)(**arguments)
    done[name] = shown(found)
    return found


def bad(name, **arguments):
    refused[name] = refusal(getattr(api, name), **arguments)


def package() -> str:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("model_package/model.py", MODEL)
    return written("package.zip", target.getvalue())


def written(name: str, content: bytes) -> str:
    path = Path(tempfile.mkdtemp()) / name
    path.write_bytes(content)
    return str(path)


def wait(look, ended):
    deadline = time.monotonic() + DEADLINE_S
    while not ended(state := look()):
        assert time.monotonic() < deadline, state
        time.sleep(0.2)
    return state


field, out = ubiops.ModelInputFieldCreate, ubiops.ModelOutputFieldCreate
fields = {
    "input_type": "structured",
    "output_type": "structured",
    "input_fields": [field(name="picture", data_type="blob")],
    "output_fields": [
        out(name="size", data_type="int"),
        out(name="name", data_type="string"),
        out(name="picture", data_type="blob"),
    ],
}
in_project = {"project_name": project}
good("models_create", **in_project, data=ubiops.ModelCreate(name="first", **fields))
bad("models_create", **in_project, data=ubiops.ModelCreate(name="first", **fields))
good("models_list", **in_project)
bad("models_list", project_name=unique("no"))
good("models_get", **in_project, model_name="first")
bad("models_get", **in_project, model_name="none")
good("models_update", **in_project, model_name="first", data=ubiops.ModelUpdate(name="turn", description="d"))
bad("models_update", **in_project, model_name="turn", data={"name": "Not A Name"})

at_model = {**in_project, "model_name": "turn"}
new = ubiops.ModelVersionCreate(version="v0", memory_allocation=256, maximum_instances=2)
good("model_versions_create", **at_model, data=new)
bad("model_versions_create", **at_model, data={"version": "v2", "memory_allocation": 255})
good("model_versions_list", **at_model)
bad("model_versions_list", **in_project, model_name="none")
good("model_versions_update", **at_model, version="v0", data={"version": "v1", "maximum_idle_time": 60})
bad("model_versions_update", **at_model, version="v1", data={"maximum_idle_time": 9})
at = {**at_model, "version": "v1"}
good("model_versions_get", **at)
bad("model_versions_get", **at_model, version="v0")

# Nothing is there to be asked or fetched yet.
bad("model_versions_file_download", **at)
bad("model_versions_file_upload", **at, file=written("package.zip", b"this is no archive"))
bad("model_requests_create", **at, data={"picture": missing})
zipped = package()
good("model_versions_file_upload", **at, file=zipped)
status = wait(lambda: api.model_versions_get(**at).status, lambda state: state == "available" or "failed" in state)
assert status == "available", api.model_versions_get(**at).error_message
downloaded = good("model_versions_file_download", **at)
same_package = downloaded.read() == Path(zipped).read_bytes()

given = good("blobs_create", **in_project, file=written("a picture.png", PICTURE), blob_ttl=1000)
bad("blobs_create", **in_project, file=written("x", b"x"), blob_ttl=899)
good("blobs_list", **in_project, range=-10)
bad("blobs_list", **in_project, range=0)
got = good("blobs_get", **in_project, blob_id=given.id)
blob = {"same": got.read() == PICTURE, "disposition": got.getheader("Content-Disposition")}
bad("blobs_get", **in_project, blob_id=missing)

answer = good("model_requests_create", **at, data={"picture": given.id}, timeout=60)
turned = api.blobs_get(**in_project, blob_id=answer.result["picture"])
blob["turned"] = turned.read() == PICTURE[::-1]
blob["turned_disposition"] = turned.getheader("Content-Disposition")

bad("batch_model_requests_create", **at, data=[{"picture": given.id}, {"picture": missing}])
made = good("batch_model_requests_create", **at, data=[{"picture": given.id}] * 3)
ids = [item.id for item in made]
for id_ in ids:
    wait(
        lambda id_=id_: api.batch_model_requests_get(**at, request_id=id_).status, {"completed", "failed"}.__contains__
    )
good("batch_model_requests_get", **at, request_id=ids[0])
bad("batch_model_requests_get", **at, request_id=missing)
good("batch_model_requests_list", **at, status="completed", limit=2)
bad("batch_model_requests_list", **at, status="cancelled")
collected = good("batch_model_requests_batch_collect", **at, data=ids)
bad("batch_model_requests_batch_collect", **at, data=[*ids, missing])
batch_blobs = [api.blobs_get(**in_project, blob_id=item.result["picture"]).read() for item in collected]
bad("batch_model_requests_batch_delete", **at, data=[*ids, missing])
good("batch_model_requests_delete", **at, request_id=ids[0])
bad("batch_model_requests_delete", **at, request_id=ids[0])
good("batch_model_requests_batch_delete", **at, data=ids[1:])

good("blobs_delete", **in_project, blob_id=given.id)
bad("blobs_delete", **in_project, blob_id=given.id)
gone = refusal(api.model_requests_create, **at, data={"picture": given.id})
good("model_versions_delete", **at)
bad("model_versions_delete", **at)
good("models_delete", **at_model)
bad("models_delete", **at_model)
api.projects_delete(project_name=project)
report(
    {
        "done": done,
        "refused": refused,
        "same_package": same_package,
        "blob": blob,
        "batch_blobs": [content == PICTURE[::-1] for content in batch_blobs],
        "gone": gone,
    }
)
