"""A prediction through ecotaxa_py_client: real digits, half of them validated, are learned from and predicted."""

import json
import os
import sys
import time
from typing import Any

import ecotaxa_py_client as client
from ecotaxa_py_client.rest import ApiException

URL = os.environ["QUADRAT_CONTRACT_URL"] + "/api"
ARCHIVE = os.environ["QUADRAT_CONTRACT_ARCHIVE"]
DEADLINE_S = 150


def ended(jobs: client.JobsApi, job_id: int) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while (job := jobs.get_job(job_id)).state not in "FE":
        if time.monotonic() > deadline:
            raise AssertionError(f"job {job_id} is still {job.state}: {job.progress_msg}")
        time.sleep(0.1)
    return job


def body(project_id: int, **request: Any) -> client.BodyPredictObjectSetObjectSetPredictPost:
    asked = client.PredictionReq(project_id=project_id, source_project_ids=[project_id], pre_mapping={}, **request)
    return client.BodyPredictObjectSetObjectSetPredictPost(filters=client.ProjectFilters(), request=asked)


def main() -> None:
    configuration = client.Configuration(host=URL)
    configuration.access_token = os.environ["QUADRAT_CONTRACT_TOKEN"]
    api = client.ApiClient(configuration)
    projects, jobs, objects = client.ProjectsApi(api), client.JobsApi(api), client.ObjectsApi(api)
    project_id = projects.create_project(client.CreateProjectReq(title="Predicted digits"))
    path = str(client.FilesApi(api).post_user_file(ARCHIVE))
    ended(jobs, projects.import_file(project_id, client.ImportReq(source_path=path)).job_id)
    [stats] = projects.project_set_get_stats(str(project_id))
    taxa = [taxon for taxon in stats.used_taxa if taxon > 0]
    request = {"features": ["fre.area"], "categories": taxa}
    asked = objects.predict_object_set(body(project_id, **request))
    done = ended(jobs, asked.job_id)
    after = objects.get_object_set_summary(project_id, False, client.ProjectFilters())
    lost = ended(jobs, objects.predict_object_set(body(project_id, **(request | {"features": ["fre.no"]}))).job_id)
    try:
        objects.predict_object_set(body(999999999, **request))
        status = None
    except ApiException as error:
        status = error.status
    result = {
        "asked": [asked.errors, asked.warnings],
        "job": [done.state, done.type, done.errors, done.progress_pct, done.result],
        "params": [sorted(done.params), done.params["req"]["project_id"] == project_id],
        "counts": [after.total_objects, after.validated_objects, after.predicted_objects],
        "lost": [lost.state, lost.errors],
        "project": project_id,
        "unknown_project": status,
    }
    json.dump(result, sys.stdout, default=str)


if __name__ == "__main__":
    main()
