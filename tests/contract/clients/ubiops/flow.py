"""Pipelines, connectors, schedules: every operation of the client, well and badly used."""

import tempfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import ubiops
from session import connect, own_organization, refusal, report, unique

PACKAGE = """
class Model:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        if data["number"] < 0:
            raise ValueError("only numbers from 0 on")
        return {"number": data["number"] + 1}
"""
FIELD = [{"name": "number", "data_type": "double"}]
MAPPING = [ubiops.AttachmentFieldsCreate(source_field_name="number", destination_field_name="number")]


def write_package() -> str:
    path = Path(tempfile.mkdtemp()) / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model_package/model.py", PACKAGE)
    return str(path)


def until(look, deadline_s=90):
    deadline = time.monotonic() + deadline_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{look} was not so after {deadline_s} s")
        time.sleep(0.2)


class Bucket(BaseHTTPRequestHandler):
    """What of S3 a verification asks for: an empty list."""

    def do_GET(self):
        body = b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        return


bucket = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
threading.Thread(target=bucket.serve_forever, daemon=True).start()

api = connect()
project = api.projects_create(data=ubiops.ProjectCreate(name=unique("p"), organization_name=own_organization(api))).name
model = api.models_create(
    project_name=project,
    data=ubiops.ModelCreate(
        name="plus-one",
        input_type="structured",
        output_type="structured",
        input_fields=[ubiops.ModelInputFieldCreate(**FIELD[0])],
        output_fields=[ubiops.ModelOutputFieldCreate(**FIELD[0])],
    ),
)
at_version = {"project_name": project, "model_name": "plus-one", "version": "v1"}
api.model_versions_create(project, "plus-one", data=ubiops.ModelVersionCreate(version="v1", memory_allocation=256))
api.model_versions_file_upload(**at_version, file=write_package())

result = {}

# Pipelines.
new = ubiops.PipelineCreate(
    name="chain",
    description="two in a row",
    input_type="structured",
    input_fields=[ubiops.PipelineInputFieldCreate(**FIELD[0])],
)
result["pipeline"] = api.pipelines_create(project_name=project, data=new).to_dict()
result["pipeline_taken"] = refusal(api.pipelines_create, project_name=project, data=new)
result["pipelines"] = [item.name for item in api.pipelines_list(project_name=project)]
result["pipeline_got"] = api.pipelines_get(project_name=project, pipeline_name="chain").to_dict()
result["pipeline_missing"] = refusal(api.pipelines_get, project_name=project, pipeline_name="none")
result["pipeline_updated"] = api.pipelines_update(
    project_name=project, pipeline_name="chain", data={"description": "a chain"}
).description
at = {"project_name": project, "pipeline_name": "chain"}
result["nothing_attached"] = refusal(api.pipelines_request, **at, data={"number": 1})

# Objects.
for name in ("first", "second", "spare"):
    result[name] = api.pipeline_objects_create(
        **at,
        data=ubiops.PipelineObjectCreate(name=name, reference_type="model", reference_name="plus-one", version="v1"),
    ).to_dict()
result["object_got"] = api.pipeline_objects_get(**at, name="first").to_dict()
result["object_missing"] = refusal(api.pipeline_objects_get, **at, name="none")
result["object_bad"] = refusal(
    api.pipeline_objects_create,
    **at,
    data={"name": "x", "reference_type": "model", "reference_name": "plus-one", "version": "v9"},
)
result["object_renamed"] = api.pipeline_objects_update(**at, name="spare", data={"name": "extra"}).name
result["objects"] = [item.name for item in api.pipeline_objects_list(**at)]
result["variables"] = [item.to_dict() for item in api.pipeline_object_environment_variables_list(**at, name="first")]
api.pipeline_objects_delete(**at, name="extra")

# Attachments.
for source, destination in (("pipeline_start", "first"), ("first", "second")):
    result[f"{source}-{destination}"] = api.pipeline_object_attachments_create(
        **at, data=ubiops.AttachmentsCreate(source_name=source, destination_name=destination, mapping=MAPPING)
    ).to_dict()
result["cycle"] = refusal(
    api.pipeline_object_attachments_create,
    **at,
    data={
        "source_name": "second",
        "destination_name": "first",
        "mapping": [{"source_field_name": "number", "destination_field_name": "number"}],
    },
)
result["attachments"] = [item.destination_name for item in api.pipeline_object_attachments_list(**at)]
result["attachments_of_first"] = [
    item.destination_name for item in api.pipeline_object_attachments_source_get(**at, source_name="first")
]
ends = {"source_name": "first", "destination_name": "second"}
result["attachment_got"] = api.pipeline_object_attachments_get(**at, **ends).to_dict()
api.pipeline_object_attachments_delete(**at, **ends)
result["attachment_gone"] = refusal(api.pipeline_object_attachments_get, **at, **ends)
api.pipeline_object_attachments_create(
    **at, data=ubiops.AttachmentsCreate(source_name="first", destination_name="second", mapping=MAPPING)
)

# Requests.
until(lambda: api.model_versions_get(**at_version).status == "available")
result["direct"] = api.pipelines_request(**at, data={"number": 1}).to_dict()
result["direct_failed"] = api.pipelines_request(**at, data={"number": -1}).to_dict()
result["direct_bad"] = refusal(api.pipelines_request, **at, data={"number": "one"})
result["direct_bad_timeout"] = refusal(api.pipelines_request, **at, data={"number": 1}, pipeline_timeout=7201)
made = api.batch_pipeline_requests_create(**at, data=[{"number": n} for n in (1, 2, -3)])
ids = [item.id for item in made]
result["batch_made"] = [item.status for item in made]


def ended(request_id):
    return api.batch_pipeline_request_get(**at, pipeline_request_id=request_id).status in {"completed", "failed"}


for request_id in ids:
    until(lambda request_id=request_id: ended(request_id))
result["batch_got"] = api.batch_pipeline_request_get(**at, pipeline_request_id=ids[0]).to_dict()
collected = {item.id: item.to_dict() for item in api.batch_pipeline_requests_batch_collect(**at, data=ids)}
result["collected"] = [collected[request_id] for request_id in ids]
result["listed"] = [item.id for item in api.batch_pipeline_requests_list(**at, sort="asc")]
result["listed_failed"] = [item.id for item in api.batch_pipeline_requests_list(**at, status="failed")]
result["batch_bad"] = refusal(api.batch_pipeline_requests_create, **at, data=[{"number": 1}, {}])
result["ids"] = ids
api.batch_pipeline_request_delete(**at, pipeline_request_id=ids[0])
result["batch_gone"] = refusal(api.batch_pipeline_request_get, **at, pipeline_request_id=ids[0])
result["collect_gone"] = refusal(api.batch_pipeline_requests_batch_collect, **at, data=ids)
api.batch_pipeline_requests_batch_delete(**at, data=ids[1:])
result["left"] = [item.id for item in api.batch_pipeline_requests_list(**at)]

# Credentials and connectors.
result["configurations"] = [item.to_dict() for item in api.configurations_list()]
keys = {"access_key": "AKIA", "secret_key": "s", "region": "eu-central-1"}
keys["endpoint"] = f"http://127.0.0.1:{bucket.server_address[1]}"
credentials = ubiops.CredentialsCreate(name="keys", type="aws_s3", configuration=keys)
result["credentials"] = api.credentials_create(project_name=project, data=credentials).to_dict()
result["credentials_bad"] = refusal(
    api.credentials_create, project_name=project, data={"name": "k", "type": "aws_s3", "configuration": {}}
)
at_keys = {"project_name": project, "credentials_name": "keys"}
result["credentials_got"] = api.credentials_get(**at_keys).to_dict()
result["credentials_updated"] = api.credentials_update(
    **at_keys, data={"configuration": {"region": "eu-west-1"}}
).to_dict()
connector = ubiops.ConnectorCreate(
    name="bucket", type="aws_s3", credentials="keys", configuration={"bucket": "pictures"}
)
result["connector"] = api.connectors_create(project_name=project, data=connector).to_dict()
at_bucket = {"project_name": project, "connector_name": "bucket"}
result["connector_bad"] = refusal(
    api.connectors_create,
    project_name=project,
    data={"name": "b", "type": "aws_s3", "credentials": "none", "configuration": {"bucket": "pictures"}},
)
until(lambda: api.connectors_get(**at_bucket).status != "pending_verification")
result["connector_status"] = [
    api.connectors_get(**at_bucket).status,
    api.connectors_get(**at_bucket).error_message,
]
result["connector_updated"] = api.connectors_update(
    **at_bucket, data={"configuration": {"path_prefix": "in"}}
).to_dict()
result["connectors"] = [item.name for item in api.connectors_list(project_name=project)]
result["credentials_list"] = [item.to_dict() for item in api.credentials_list(project_name=project)]
result["credentials_in_use"] = refusal(api.credentials_delete, **at_keys)
api.connectors_delete(**at_bucket)
result["connector_gone"] = refusal(api.connectors_get, **at_bucket)
api.credentials_delete(**at_keys)
result["credentials_gone"] = refusal(api.credentials_get, **at_keys)

# Schedules.
schedule = ubiops.ScheduleCreate(
    name="nightly", object_type="pipeline", object_name="chain", schedule="0 3 * * *", request_data={"number": 1}
)
result["schedule"] = api.scheduled_requests_create(project_name=project, data=schedule).to_dict()
at_schedule = {"project_name": project, "schedule_name": "nightly"}
result["schedule_bad"] = refusal(
    api.scheduled_requests_create,
    project_name=project,
    data={**schedule.to_dict(), "name": "other", "schedule": "whenever"},
)
result["schedule_got"] = api.scheduled_requests_get(**at_schedule).to_dict()
result["schedule_updated"] = api.scheduled_requests_update(
    **at_schedule, data={"enabled": False, "schedule": "*/5 * * * *"}
).to_dict()
result["schedules"] = [item.name for item in api.scheduled_requests_list(project_name=project)]
api.scheduled_requests_delete(**at_schedule)
result["schedule_gone"] = refusal(api.scheduled_requests_get, **at_schedule)

# Ends.
result["model_in_use"] = refusal(api.models_delete, project_name=project, model_name="plus-one")
api.pipelines_delete(**at)
result["pipeline_gone"] = refusal(api.pipelines_get, **at)
api.models_delete(project_name=project, model_name="plus-one")
api.projects_delete(project_name=project)
report(result)
