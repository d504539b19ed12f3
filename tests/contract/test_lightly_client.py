"""lightly 1.2.46, its generated client, against the live server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.clients

WRONG_TOKEN = "0" * 40


@pytest.fixture(scope="module")
def samples(run_script: Callable[..., Any]) -> Any:
    return run_script("lightly", "samples.py")


def test_wrong_token_sees_only_the_versions(run_script: Callable[..., Any]):
    result = run_script("lightly", "refused.py", token=WRONG_TOKEN)
    assert result.pop("latest") == "1.2.46"
    assert tuple(int(part) for part in result.pop("minimum").split(".")) <= (1, 2, 46)
    assert {name: answer["status"] for name, answer in result.items()} == dict.fromkeys(result, 401)
    for answer in result.values():
        assert answer["body"]["code"] == "UNAUTHORIZED"
        assert answer["body"]["error"] == answer["body"]["message"]


def test_dataset_is_found_by_list_and_by_name(samples: Any):
    assert samples["dataset"] in samples["datasets"]
    assert samples["found_by_name"] == [samples["dataset"]]
    assert samples["dataset_detail"]["name"] == samples["name"]
    assert samples["dataset_detail"]["n_samples"] == 2


def test_dataset_with_a_taken_name_is_refused(samples: Any):
    assert samples["name_taken"]["status"] == 400
    assert samples["name_taken"]["body"]["code"] == "DATASET_NAME_EXISTS"


def test_sample_comes_back_as_it_was_created(samples: Any):
    before = samples["before"]
    assert before["file_name"] == samples["file_name"]
    assert before["index"] == 0
    assert before["type"] == "IMAGE"
    assert before["exif"] == {"Make": "x"}
    assert before["custom_meta_data"] == samples["custom"]
    assert before["meta_data"]["mean"] == [0.1, 0.2, 0.3]
    assert isinstance(before["created_at"], int)


def test_sample_created_twice_with_one_body_is_one_sample(samples: Any):
    assert samples["repeated"] == samples["samples"][1]


def test_update_merges_by_top_level_key(samples: Any):
    assert samples["after"]["custom_meta_data"] == {"only": "this"}
    assert samples["after"]["file_name"] == samples["file_name"]
    assert samples["after"]["exif"] == {"Make": "x"}
    assert samples["after"]["last_modified_at"] > samples["before"]["last_modified_at"]


def test_lists_keep_the_order_of_creation_and_page_by_rows(samples: Any):
    first, second = samples["samples"]
    assert samples["listed"] == [first, second]
    assert samples["one_page"] == [second]
    assert samples["past_the_end"] == []


def test_partial_lists_send_what_their_mode_names(samples: Any):
    assert samples["partial_ids"] == [{"id": sample} for sample in samples["samples"]]
    assert samples["partial_names"] == [samples["file_name"], "second.png"]
    assert samples["mapping"] == samples["partial_names"]


def test_image_is_read_back_byte_for_byte(samples: Any):
    assert [status // 100 for status in samples["put"]] == [2, 2, 2]
    assert samples["read"] == {"status": 200, "equal": True, "type": "image/png"}
    assert samples["redirect"] == {"status": 200, "equal": True}


def test_image_behind_a_changed_signature_is_refused(samples: Any):
    assert samples["read_tampered"]["status"] in {400, 401, 403, 404, 410}
    assert not samples["read_tampered"]["equal"]


def test_image_that_never_came_is_not_found(samples: Any):
    assert samples["no_bytes_yet"]["status"] == 404


def test_unknown_sample_is_not_found(samples: Any):
    assert samples["unknown_sample"]["status"] == 404


def test_deleted_dataset_is_gone_with_its_bytes(samples: Any):
    assert samples["gone"]["status"] == 404
    assert samples["bytes_gone"]["status"] in {401, 403, 404, 410}
