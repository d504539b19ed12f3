"""ubiops 2.1.0 through people, rights, variables, logs, metrics and usage, against the live server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def platform(run_script: Callable[..., Any]) -> Any:
    return run_script("ubiops", "platform.py", timeout_s=280)


def test_each_operation_was_done_and_refused(platform: Any):
    only_done = {"subscriptions_list", "permissions_list", "service_status"}
    assert set(platform["done"]) - only_done == set(platform["refused"])
    assert len(platform["done"]) == 63
    without_token = {"organizations_list", "projects_list", "user_get"}
    assert {name for name, status in platform["refused"].items() if status == 401} == without_token
    assert set(platform["refused"].values()) <= {400, 401, 403, 404}


def test_password_signs_in_changes_and_is_gone_with_its_user(platform: Any):
    status, body = platform["wrong_password"]
    assert (status, set(body)) == (401, {"error"})
    assert platform["done"]["user_update"]["name"] == "Ada"
    assert platform["old_session"] == 401
    assert platform["deleted"] == [401, 401]


def test_secret_value_is_hidden_and_own_variables_name_no_parent(platform: Any):
    (found,) = platform["inherited"]
    assert (found["value"], found["secret"], found["inheritance_type"]) == (None, True, None)
    assert platform["done"]["project_environment_variables_create"]["value"] == "of project"


def test_service_user_signs_in_with_its_new_token(platform: Any):
    assert platform["robot"] == platform["done"]["service_users_create"]["email"]


def test_metrics_are_contiguous_hours(platform: Any):
    assert [item["value"] for item in platform["done"]["metrics_get"]] == [0.0, 0.0, 0.0]
