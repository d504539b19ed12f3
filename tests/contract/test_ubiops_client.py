"""ubiops 2.1.0, the library, against the live server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

WRONG_TOKEN = "0" * 40


@pytest.fixture(scope="module")
def account(run_script: Callable[..., Any]) -> Any:
    return run_script("ubiops", "account.py")


@pytest.fixture(scope="module")
def serving(run_script: Callable[..., Any]) -> Any:
    return run_script("ubiops", "serving.py", timeout_s=280)


def test_wrong_token_sees_only_the_status(run_script: Callable[..., Any]):
    result = run_script("ubiops", "refused.py", token=WRONG_TOKEN)
    assert result.pop("status") == "ok"
    assert {name: answer["status"] for name, answer in result.items()} == dict.fromkeys(result, 401)
    assert all(set(answer["body"]) == {"error"} for answer in result.values())


def test_user_get_names_the_caller(account: Any):
    assert account["status"] == "ok"
    assert "@" in account["user"]["email"]
    assert account["user"]["id"]


def test_created_organization_is_listed_and_active(account: Any):
    assert account["organization"] in account["organizations"]
    assert account["organization_detail"]["status"] == "active"
    assert account["organization_detail"]["subscription"] == "free"


def test_project_lives_from_create_to_delete(account: Any):
    assert account["created"]["organization_name"] == account["organization"]
    assert account["renamed"]["id"] == account["created"]["id"]
    assert account["got"] == account["renamed"]
    assert account["renamed"]["name"] in account["listed"]
    assert account["renamed"]["name"] not in account["listed_after"]
    assert account["deleted"]["status"] == 404


def test_project_under_its_old_name_is_not_found(account: Any):
    assert account["old_name"]["status"] == 404


@pytest.mark.parametrize("circumstance", ["taken", "bad_name"])
def test_project_with_a_name_that_cannot_be_is_refused(circumstance: str, account: Any):
    assert account[circumstance]["status"] in {400, 409}
    assert account[circumstance]["body"]["error"]


def test_model_is_created_and_counts_its_versions(serving: Any):
    assert serving["models"] == ["triple"]
    assert serving["model"]["input_fields"][0]["data_type"] == "int"
    assert int(serving["versions_counted"]) == 1
    assert serving["version"]["status"] == "initialised"


def test_request_before_the_upload_is_refused(serving: Any):
    assert serving["too_early"]["status"] == 400
    assert "not available" in serving["too_early"]["body"]["error"]
    assert serving["no_package"]["status"] == 404


def test_uploaded_version_becomes_available(serving: Any):
    assert str(serving["uploaded"]).lower() == "true"
    assert serving["states"][-1] == "available", serving["error_message"]


def test_downloaded_package_is_the_uploaded_one(serving: Any):
    assert serving["download_equals_upload"]
    assert serving["download_name"].startswith('attachment; filename="')


def test_request_returns_what_the_model_says(serving: Any):
    assert serving["answered"]["success"] is True
    assert serving["answered"]["result"] == {"tripled": 42, "greeting": "six by v1"}
    assert serving["answered"]["error_message"] is None


def test_request_that_the_model_fails_is_no_error_of_the_call(serving: Any):
    assert serving["failed"]["success"] is False
    assert serving["failed"]["result"] is None
    assert serving["failed"]["error_message"] == "only numbers from 0 on"


@pytest.mark.parametrize("circumstance", ["wrong_type", "missing"])
def test_request_with_data_that_does_not_fit_is_refused(circumstance: str, serving: Any):
    assert serving[circumstance]["status"] == 400


def test_batch_requests_are_created_pending_and_end_in_order(serving: Any):
    assert {item["status"] for item in serving["batch_created"]} <= {"pending", "processing"}
    outcomes = [(item["status"], item["success"]) for item in serving["collected"]]
    assert outcomes == [("completed", True), ("completed", True), ("failed", False)]
    assert [item["result"] and item["result"]["tripled"] for item in serving["collected"]] == [3, 6, None]
    assert serving["collected"][2]["error_message"] == "only numbers from 0 on"


def test_batch_list_holds_batch_requests_and_filters_by_status(serving: Any):
    assert sorted(serving["listed"]) == sorted(serving["batch_ids"])
    assert serving["listed_completed"] == serving["batch_ids"][:2]


def test_deleted_batch_requests_are_gone_for_every_call(serving: Any):
    assert serving["gone"]["status"] == 404
    assert serving["one_gone"]["status"] in {400, 404}
    assert serving["left"] == []


def test_deleted_model_is_not_found(serving: Any):
    assert serving["deleted"]["status"] == 404
