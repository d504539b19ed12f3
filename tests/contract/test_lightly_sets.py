"""lightly 1.2.46: tags, embeddings, settings and exports, against the live server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def sets(run_script: Callable[..., Any]) -> Any:
    return run_script("lightly", "sets.py")


def test_upload_finds_what_it_expects_of_a_new_dataset(sets: Any):
    assert (sets["not_there"], sets["no_tags"], sets["no_embeddings"], sets["registered"]) == ([], [], [], None)
    assert sets["no_datasource"]["status"] == 404
    assert sets["no_datasource"]["body"]["code"] == "DATASET_DATASOURCE_UNKNOWN"


def test_tags_hold_the_samples_that_they_should(sets: Any):
    masks = {tag["id"]: (tag["name"], tag["bit_mask_data"], tag["tot_size"]) for tag in sets["tags"]}
    assert masks == {
        sets["initial"]: ("initial-tag", "0xf", 4),
        sets["upsized"]: ("20230215_10h00m00s", "0x8", 4),
        sets["child"]: ("renamed child", "0x5", 4),
    }
    assert sets["one_tag"]["prev_tag_id"] == sets["initial"]
    assert sets["difference"] == "0xa"
    assert sets["arithmetics"] == {"bitMaskData": "0xa"}
    assert sets["mapping"] == sets["samples"]
    assert sets["img_type"] == "full"
    assert sets["undeletable"]["body"]["code"] == "TAG_UNDELETABLE_IS_INITIAL"
    assert sets["tag_deleted"] is None


def test_embedding_is_written_and_read_back(sets: Any):
    assert sets["put_csv"] // 100 == 2
    assert sets["csv_equal"]
    assert [one["name"] for one in sets["embeddings"]] == ["default"]
    assert sets["embedding_deleted"] is None


def test_settings_come_back(sets: Any):
    (configuration,) = sets["configurations"]
    assert configuration["id"] == sets["configuration"]
    assert configuration["configs"][0]["path"] == "depth"
    assert sets["datasource"]["type"] == "LOCAL"


def test_exports_list_the_samples_of_a_tag(sets: Any):
    names = [sets["names"][0], sets["names"][2]]
    assert sets["filenames"].splitlines() == names
    assert [task["data"]["lightlyFileName"] for task in sets["tasks"]] == names
    assert [row["externalId"] for row in sets["data_rows"]] == names
    for row in sets["data_rows"]:
        assert "publicToken=public-" in row["imageUrl"]
