"""Jobs in the words of the object-set API."""

from collections.abc import Callable, Mapping
from typing import Any

from quadrat.api.ecotaxa.convert.times import wire_time
from quadrat.api.ecotaxa.schemas.jobs import JobModel
from quadrat.jobs.types import Job, JobState
from quadrat.objects.actions.exports import EXPORT_ANY, EXPORT_BACKUP, EXPORT_SUMMARY, EXPORT_TABLES
from quadrat.objects.actions.imports import IMPORT_ARCHIVE, IMPORT_IMAGES
from quadrat.objects.actions.prediction import PREDICT

_STATE = {
    JobState.PENDING: "P",
    JobState.RUNNING: "R",
    JobState.ASKING: "A",
    JobState.FAILED: "E",
    JobState.FINISHED: "F",
    JobState.CANCELLED: "E",
}
_KILLED = "Killed"


def _of_archive(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source_path": params["source"],
        "taxo_mappings": params["mappings"],
        "skip_loaded_files": params["skip_loaded_files"],
        "skip_existing_objects": params["skip_existing_objects"],
        "update_mode": params["update_mode"],
    }


def _of_images(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"source_path": params["source"], "values": params["values"]}


def _of_export(params: Mapping[str, Any]) -> dict[str, Any]:
    return dict(params["asked"])


def _of_prediction(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "project_id": params["project_id"],
        "source_project_ids": params["source_project_ids"],
        "learning_limit": params["learning_limit"],
        "features": params["features"],
        "categories": params["categories"],
        "use_scn": params["use_network"],
        "pre_mapping": {str(before): after for before, after in params["mapping"]},
        "classifier": params["classifier"],
        "model": params["model"],
        "labels": dict(params["labels"]),
    }


# Name and request of each kind of job that clients of this API ask for.
_KINDS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    IMPORT_ARCHIVE: ("FileImport", _of_archive),
    IMPORT_IMAGES: ("SimpleImport", _of_images),
    PREDICT: ("Prediction", _of_prediction),
    EXPORT_ANY: ("GenExport", _of_export),
    EXPORT_TABLES: ("GeneralExport", _of_export),
    EXPORT_SUMMARY: ("SummaryExport", _of_export),
    EXPORT_BACKUP: ("BackupExport", _of_export),
}


def _params(found: Job, request_of: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Imports say the project beside the request, jobs on filtered objects say the filters."""
    if "filters" in found.params:
        return {"req": request_of(found.params), "filters": found.params["filters"]}
    return {"prj_id": found.project_id, "req": request_of(found.params)}


def job(found: Job) -> JobModel:
    """A job as its owner sees it; the house's own belong to nobody, written 0."""
    name, request_of = _KINDS.get(found.kind, (found.kind, dict))
    is_killed = found.state is JobState.CANCELLED
    return JobModel(
        params=_params(found, request_of),
        result=dict(found.result),
        errors=[_KILLED] if is_killed else list(found.errors),
        question=dict(found.question),
        reply=dict(found.reply),
        inside={},
        id=found.id,
        owner_id=found.owner_id or 0,
        type=name,
        state=_STATE[found.state],
        step=None,
        progress_pct=found.progress_percent,
        progress_msg=_KILLED if is_killed else found.progress_message,
        creation_date=wire_time(found.created_at),
        updated_on=wire_time(found.updated_at),
    )
