"""Tags: masks, the initial tag, upsize, arithmetics."""

import asyncio
from typing import Any

import pytest

from support.gallery import UNKNOWN, Gallery
from support.people import unique

pytestmark = pytest.mark.anyio


async def tag(gallery: Gallery, dataset: str, tag_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await gallery.get(f"/datasets/{dataset}/tags/{tag_id}")
    return found


async def make_tag(gallery: Gallery, dataset: str, parent: str, mask: str, **more: Any) -> str:
    body = {"name": unique("tag"), "prevTagId": parent, "bitMaskData": mask, "totSize": 0, **more}
    return await gallery.make(f"/datasets/{dataset}/tags", **body)


async def refused(gallery: Gallery, method: str, path: str, code: str, status: int = 400, **body: Any) -> None:
    answer = await gallery.client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_initial_tag_holds_all_samples_and_sets_the_image_type(gallery: Gallery):
    dataset = await gallery.make_dataset()
    await gallery.make_samples(dataset, 7)
    made = await gallery.initial_tag(dataset)
    found = await tag(gallery, dataset, made)
    assert found["name"] == "initial-tag"
    assert found["prevTagId"] is None
    assert (found["bitMaskData"], found["totSize"]) == ("0x7f", 7)
    assert isinstance(found["createdAt"], int)
    assert (await gallery.get(f"/datasets/{dataset}"))["imgType"] == "full"
    assert await gallery.get(f"/datasets/{dataset}/tags") == [found]
    await refused(gallery, "POST", f"/datasets/{dataset}/tags/initial", "TAG_INITIAL_EXISTS", imgType="full")


async def test_empty_dataset_has_an_empty_mask(gallery: Gallery):
    dataset = await gallery.make_dataset()
    assert await gallery.get(f"/datasets/{dataset}/tags") == []
    assert (await tag(gallery, dataset, await gallery.initial_tag(dataset)))["bitMaskData"] == "0x0"


async def test_upsize_gives_the_new_samples_a_tag_and_every_tag_the_new_size(gallery: Gallery):
    dataset = await gallery.make_dataset()
    await gallery.make_samples(dataset, 3)
    initial = await gallery.initial_tag(dataset)
    child = await make_tag(gallery, dataset, initial, "0x5")
    await gallery.make_samples(dataset, 4)
    upsize = {"upsizeTagName": "20230215_10h00m00s", "upsizeTagCreator": "USER_PIP"}
    made = await gallery.make(f"/datasets/{dataset}/tags/upsize", **upsize)
    tags = {found["id"]: found for found in await gallery.get(f"/datasets/{dataset}/tags")}
    assert {found["totSize"] for found in tags.values()} == {7}
    assert tags[initial]["bitMaskData"] == "0x7f"
    assert tags[child]["bitMaskData"] == "0x5"
    assert (tags[made]["bitMaskData"], tags[made]["prevTagId"]) == ("0x78", initial)
    await refused(gallery, "POST", f"/datasets/{dataset}/tags/upsize", "TAG_NAME_EXISTS", **upsize)


async def test_upsize_without_an_initial_tag_is_refused(gallery: Gallery):
    dataset = await gallery.make_dataset()
    body = {"upsizeTagName": "some tag", "upsizeTagCreator": "USER_PIP"}
    await refused(gallery, "POST", f"/datasets/{dataset}/tags/upsize", "TAG_NO_TAG_IN_DATASET", **body)


@pytest.mark.parametrize("mask", ["0x8", "0xfffff", "5", "0X5", "0xA", "0x", "0x-1", "", "0x1_0", " 0x1"])
async def test_tag_with_a_mask_that_does_not_fit_is_refused(mask: str, gallery: Gallery):
    dataset = await gallery.make_dataset()
    await gallery.make_samples(dataset, 3)
    initial = await gallery.initial_tag(dataset)
    body = {"name": "some tag", "prevTagId": initial, "bitMaskData": mask, "totSize": 3}
    await refused(gallery, "POST", f"/datasets/{dataset}/tags", "DATASET_TAG_INVALID", **body)


async def test_tag_keeps_what_was_said_of_it_and_drops_zeros_in_front_of_its_mask(gallery: Gallery):
    dataset = await gallery.make_dataset()
    await gallery.make_samples(dataset, 3)
    initial = await gallery.initial_tag(dataset)
    more = {"queryTagId": initial, "preselectedTagId": initial, "runId": UNKNOWN, "changes": {"a": [1, None]}}
    found = await tag(gallery, dataset, await make_tag(gallery, dataset, initial, "0x0006", **more))
    assert found["bitMaskData"] == "0x6"
    assert {key: found[key] for key in more} == more


async def test_tag_of_no_parent_or_of_a_taken_or_bad_name_is_refused(gallery: Gallery):
    dataset = await gallery.make_dataset()
    path = f"/datasets/{dataset}/tags"
    initial = await gallery.initial_tag(dataset)
    body = {"name": "some tag", "bitMaskData": "0x0", "totSize": 0}
    await refused(gallery, "POST", path, "TAG_PREVTAG_NOT_IN_DATASET", prevTagId=UNKNOWN, **body)
    await gallery.make(path, prevTagId=initial, **body)
    await refused(gallery, "POST", path, "TAG_NAME_EXISTS", prevTagId=initial, **body)
    for name in ("ab", "-ab", "a/b", "a" * 256, "ä tag"):
        await refused(gallery, "POST", path, "BAD_REQUEST", prevTagId=initial, **{**body, "name": name})


async def test_tag_is_renamed_and_deleted_unless_it_is_initial_or_has_children(gallery: Gallery):
    dataset = await gallery.make_dataset()
    initial = await gallery.initial_tag(dataset)
    parent = await make_tag(gallery, dataset, initial, "0x0")
    child = await make_tag(gallery, dataset, parent, "0x0")
    path = f"/datasets/{dataset}/tags"
    assert (await gallery.client.put(f"{path}/{child}", json={"name": "new name"})).status_code == 200
    assert (await tag(gallery, dataset, child))["name"] == "new name"
    await refused(gallery, "PUT", f"{path}/{parent}", "TAG_NAME_EXISTS", name="new name")
    await refused(gallery, "PUT", f"{path}/{initial}", "TAG_UNDELETABLE_IS_INITIAL", name="other name")
    await refused(gallery, "DELETE", f"{path}/{initial}", "TAG_UNDELETABLE_IS_INITIAL")
    await refused(gallery, "DELETE", f"{path}/{parent}", "TAG_UNDELETABLE_NOT_A_LEAF")
    assert (await gallery.client.delete(f"{path}/{child}")).status_code == 200
    assert (await gallery.client.delete(f"{path}/{parent}")).status_code == 200
    await refused(gallery, "GET", f"{path}/{child}", "TAG_UNKNOWN", 404)


@pytest.mark.parametrize(("operation", "mask"), [("UNION", "0x3f"), ("INTERSECTION", "0xc"), ("DIFFERENCE", "0x3")])
async def test_two_tags_are_combined_as_a_mask_and_as_a_tag(operation: str, mask: str, gallery: Gallery):
    dataset = await gallery.make_dataset()
    await gallery.make_samples(dataset, 6)
    initial = await gallery.initial_tag(dataset)
    first = await make_tag(gallery, dataset, initial, "0xf")
    second = await make_tag(gallery, dataset, initial, "0x3c")
    body = {"tagId1": first, "tagId2": second, "operation": operation}
    path = f"/datasets/{dataset}/tags/arithmetics"
    for address in (path, f"{path}/bitmask"):
        answer = await gallery.client.post(address, json=body)
        assert (answer.status_code, answer.json()) == (200, {"bitMaskData": mask})
    answer = await gallery.client.post(path, json={**body, "newTagName": "combined"})
    assert answer.status_code == 200
    found = await tag(gallery, dataset, answer.json()["id"])
    assert (found["name"], found["bitMaskData"]) == ("combined", mask)
    assert found["prevTagId"] == (initial if operation == "UNION" else first)


async def test_tags_of_another_tenant_are_not_found(gallery: Gallery):
    dataset = await gallery.make_dataset()
    initial = await gallery.initial_tag(dataset)
    stranger = await gallery.stranger()
    for path in ("", f"/{initial}"):
        answer = await stranger.get(f"/datasets/{dataset}/tags{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "DATASET_UNKNOWN")
    other = await gallery.make_dataset()
    await refused(gallery, "GET", f"/datasets/{other}/tags/{initial}", "TAG_UNKNOWN", 404)


async def test_racing_initial_tags_make_one(gallery: Gallery):
    dataset = await gallery.make_dataset()
    await gallery.make_samples(dataset, 2)
    answers = await asyncio.gather(
        *(gallery.client.post(f"/datasets/{dataset}/tags/initial", json={"imgType": "full"}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]
    assert len(await gallery.get(f"/datasets/{dataset}/tags")) == 1
