"""ubiops 2.1.0 through every operation on pipelines, connectors and schedules."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def flow(run_script: Callable[..., Any]) -> Any:
    return run_script("ubiops", "flow.py", timeout_s=280)


def test_pipeline_lives_from_create_to_delete(flow: Any):
    assert flow["pipeline"]["name"] == "chain"
    assert flow["pipeline"]["input_fields"] == [{"name": "number", "data_type": "double"}]
    assert flow["pipelines"] == ["chain"]
    assert flow["pipeline_got"]["id"] == flow["pipeline"]["id"]
    assert flow["pipeline_updated"] == "a chain"
    assert flow["pipeline_gone"]["status"] == 404


@pytest.mark.parametrize(
    ("circumstance", "status"),
    [
        ("pipeline_taken", 400),
        ("pipeline_missing", 404),
        ("nothing_attached", 400),
        ("object_missing", 404),
        ("object_bad", 400),
        ("cycle", 400),
        ("attachment_gone", 404),
        ("direct_bad", 400),
        ("direct_bad_timeout", 400),
        ("batch_bad", 400),
        ("batch_gone", 404),
        ("collect_gone", 404),
        ("credentials_bad", 400),
        ("credentials_in_use", 400),
        ("credentials_gone", 404),
        ("connector_bad", 400),
        ("connector_gone", 404),
        ("schedule_bad", 400),
        ("schedule_gone", 404),
        ("model_in_use", 400),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(circumstance: str, status: int, flow: Any):
    assert flow[circumstance]["status"] == status
    assert set(flow[circumstance]["body"]) == {"error"}
    assert flow[circumstance]["body"]["error"]


def test_objects_show_what_they_stand_for(flow: Any):
    assert flow["objects"] == ["extra", "first", "second"]
    assert flow["object_renamed"] == "extra"
    assert flow["object_got"] == flow["first"]
    assert flow["first"]["reference_name"] == "plus-one"
    assert flow["first"]["output_fields"] == [{"name": "number", "data_type": "double"}]
    assert flow["variables"] == []


def test_attachments_keep_their_mapping(flow: Any):
    assert flow["attachments"] == ["first", "second"]
    assert flow["attachments_of_first"] == ["second"]
    assert flow["attachment_got"]["mapping"] == [{"source_field_name": "number", "destination_field_name": "number"}]
    assert flow["attachment_got"]["id"] == flow["first-second"]["id"]


def test_direct_request_tells_of_each_object(flow: Any):
    first, second = flow["direct"]["model_requests"]
    assert (first["pipeline_object"], second["pipeline_object"]) == ("first", "second")
    assert (first["request_data"], first["result"]) == ({"number": 1}, {"number": 2})
    assert (second["request_data"], second["result"], second["success"]) == ({"number": 2}, {"number": 3}, True)
    (failed,) = flow["direct_failed"]["model_requests"]
    assert (failed["success"], failed["error_message"]) == (False, "only numbers from 0 on")


def test_batch_requests_end_with_all_their_model_requests(flow: Any):
    assert set(flow["batch_made"]) <= {"pending", "processing"}
    assert flow["batch_got"]["id"] == flow["ids"][0]
    outcomes = [(item["status"], item["success"], len(item["model_requests"])) for item in flow["collected"]]
    assert outcomes == [("completed", True, 2), ("completed", True, 2), ("failed", False, 1)]
    assert flow["collected"][0]["model_requests"][1]["result"] == {"number": 3}
    assert flow["listed"] == flow["ids"]
    assert flow["listed_failed"] == flow["ids"][2:]
    assert flow["left"] == []


def test_configurations_cover_seven_types(flow: Any):
    assert len({item["connector"] for item in flow["configurations"]}) == 7


def test_credentials_hide_what_is_protected(flow: Any):
    assert flow["credentials"]["status"] == "pending_verification"
    assert "'secret_key': None" in flow["credentials_got"]["configuration"]
    assert "eu-west-1" in flow["credentials_updated"]["configuration"]
    assert flow["credentials_list"][0]["reference_count"] == "1"


def test_connector_is_verified_and_changed(flow: Any):
    assert flow["connector"]["status"] == "pending_verification"
    assert flow["connector"]["input_type"] == "blob"
    assert flow["connector_status"] == ["available", ""]
    assert "'path_prefix': 'in'" in flow["connector_updated"]["configuration"]
    assert flow["connectors"] == ["bucket"]


def test_schedule_lives_from_create_to_delete(flow: Any):
    assert flow["schedule_got"] == flow["schedule"]
    assert (flow["schedule"]["batch"], flow["schedule"]["enabled"]) == (True, True)
    assert (flow["schedule_updated"]["enabled"], flow["schedule_updated"]["schedule"]) == (False, "*/5 * * * *")
    assert flow["schedules"] == ["nightly"]
