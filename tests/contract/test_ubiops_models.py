"""ubiops 2.1.0 with every operation about models, and with packages of strangers, against the live server."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.timeout(400)]
DENIED = {"PermissionError", "FileNotFoundError", "ProcessLookupError"}


@pytest.fixture(scope="module")
def models(run_script: Callable[..., Any]) -> Any:
    return run_script("ubiops", "models.py", timeout_s=280)


@pytest.fixture(scope="module")
def packages(run_script: Callable[..., Any]) -> Any:
    return run_script("ubiops", "packages.py", timeout_s=380)


def test_each_operation_was_done_and_refused(models: Any):
    assert set(models["done"]) == set(models["refused"])
    assert len(models["done"]) == 5 + 5 + 2 + 1 + 6 + 4
    for name, answer in models["refused"].items():
        assert answer["status"] in {400, 404}, name
        assert set(answer["body"]) == {"error"}, name
        assert len(answer["body"]["error"]) > 10, name


def test_blobs_go_into_models_and_out_of_them(models: Any):
    assert models["blob"] == {
        "same": True,
        "disposition": 'attachment; filename="a picture.png"',
        "turned": True,
        "turned_disposition": 'attachment; filename="turned round.bin"',
    }
    answer = models["done"]["model_requests_create"]
    assert answer["success"], answer["error_message"]
    assert (answer["result"]["size"], answer["result"]["name"]) == (1024**2, "a picture.png")
    assert models["done"]["blobs_create"]["ttl"] == 1000
    assert models["batch_blobs"] == [True] * 3
    assert models["gone"]["status"] == 400
    assert models["same_package"]


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("plain", "ABC"),
        ("deployment", "abc of deployment"),
        ("other_main", "entry"),
        ("requirement", "abc"),
        ("others", "STILL HERE"),
        ("after", "42"),
    ],
)
def test_package_of_each_convention_answers(packages: Any, name: str, result: str):
    answer = packages["answers"][name]
    assert (answer["success"], answer["result"], answer["error_message"]) == (True, result, None)


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("bomb", "building_failed", "unpacks to far more bytes"),
        ("absolute", "building_failed", "/etc/stolen.txt"),
        ("parent", "building_failed", "model_package/../../stolen.txt"),
        ("no_package", "building_failed", "model_package"),
        ("no_main", "building_failed", "model_package/model.py"),
        ("bad_requirement", "building_failed", "no-such-package-of-anyone"),
        ("no_class", "deploying_failed", "model.py"),
        ("at_import", "deploying_failed", "nowhere_to_be_found"),
        ("in_init", "deploying_failed", "no weights"),
    ],
)
def test_package_with_a_fault_fails_with_a_sentence_that_names_it(packages: Any, name: str, status: str, words: str):
    found, sentence = packages["built"][name]
    assert found == status
    assert words in sentence


def test_upload_that_is_no_archive_is_refused(packages: Any):
    assert packages["no_archive"]["status"] == 400
    assert "zip" in packages["no_archive"]["body"]["error"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "division by zero"),
        ("exits", "exit code 3"),
        ("says_exit", "sys.exit('enough')"),
        ("memory", "used more than 512 MiB of memory"),
        ("slow_memory", "used more than 512 MiB of memory"),
        ("endless", "took longer than 10 seconds"),
    ],
)
def test_request_that_fails_says_why_and_is_no_error_of_the_call(packages: Any, name: str, words: str):
    answer = packages["answers"][name]
    assert (answer["success"], answer["result"]) == (False, None)
    assert words in answer["error_message"]
    assert answer["seconds"] < 20


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run models as other users")
def test_spy_learns_nothing(packages: Any):
    answer = packages["answers"]["spy"]
    assert answer["success"], answer["error_message"]
    learned = json.loads(answer["result"])
    assert (learned.pop("variables"), learned.pop("root")) == ([], False)
    assert {name: what for name, what in learned.items() if what not in DENIED} == {}


def test_second_version_with_the_same_requirements_is_there_within_a_second(packages: Any):
    status, seconds = packages["second"]
    assert status == "available"
    assert seconds < 1.5  # its client asks five times a second


def test_version_that_serves_goes_on_until_a_new_build_is_available(packages: Any):
    assert packages["kept"] == ["available_building_failed", "ABC", "ABC"]
    assert packages["replaced"] == ["available", "new"]


def test_build_is_told_in_the_log(packages: Any):
    assert any("six" in line for line in packages["logs"])
    assert any("Instance" in line and "is running" in line for line in packages["logs"])


def test_payloads_of_nearly_a_hundred_mebibytes_come_and_go_whole(run_script: Callable[..., Any]):
    result = run_script("ubiops", "large.py", timeout_s=280)
    assert result == {"direct": [True] * 2, "batch": [True] * 2, "data": [True] * 2, "errors": [None] * 2}
