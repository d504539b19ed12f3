"""Creating samples: many at once, the same twice, and bodies as clients write them."""

import asyncio
import json
from typing import Any

import pytest

from support.gallery import UNKNOWN, Gallery

pytestmark = pytest.mark.anyio


async def test_samples_created_at_once_get_dense_indexes(gallery: Gallery):
    dataset = await gallery.make_dataset()
    path = f"/datasets/{dataset}/samples"
    made = await asyncio.gather(*(gallery.make(path, fileName=f"{n}.png", exif={"n": n}) for n in range(40)))
    listed = await gallery.get(path)
    assert [sample["index"] for sample in listed] == list(range(40))
    assert {sample["id"] for sample in listed} == set(made)
    assert all(sample["exif"] == {"n": int(sample["fileName"].removesuffix(".png"))} for sample in listed)
    assert (await gallery.get(f"/datasets/{dataset}"))["nSamples"] == 40


async def test_same_creation_at_once_makes_one_sample_and_another_of_its_name_none(gallery: Gallery):
    dataset = await gallery.make_dataset()
    path = f"/datasets/{dataset}/samples"
    same: dict[str, Any] = {"fileName": "a.png", "customMetaData": {"x": 1.0}}
    other = {**same, "customMetaData": {"x": 2}}
    answers = await asyncio.gather(*(gallery.client.post(path, json=body) for body in [same] * 5 + [other] * 5))
    winners = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(winners) == 1
    assert len(refused) == 5
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(400, "CREATION_FAILED")}
    assert len(await gallery.get(path)) == 1


async def test_creation_with_what_python_writes_is_taken(gallery: Gallery):
    dataset = await gallery.make_dataset()
    path = f"/datasets/{dataset}/samples"
    body = '{"fileName": "a.png", "customMetaData": {"a": NaN, "b": [Infinity, 1], "c": "x\\u0000\\ud800y"}, "more": 1}'
    answer = await gallery.client.post(path, content=body.encode())
    assert answer.status_code == 201, answer.text
    (found,) = await gallery.get(path)
    assert found["customMetaData"] == {"a": None, "b": [None, 1], "c": "xy"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"fileName": ""}',
        '{"fileName": null}',
        '{"fileName": 5}',
        '{"fileName": "a\\u0000b"}',
        '{"fileName": "a\\ud800"}',
        '{"fileName": "a", "exif": []}',
        '{"fileName": "a", "cropData": {"parentId": "x"}}',
        '{"fileName": "a"',
        '{"a":' * 5000,
        json.dumps({"fileName": "x" * 4097}),
    ],
)
async def test_creation_that_cannot_be_used_is_refused_and_makes_nothing(body: str, gallery: Gallery):
    dataset = await gallery.make_dataset()
    answer = await gallery.client.post(f"/datasets/{dataset}/samples", content=body.encode())
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert await gallery.get(f"/datasets/{dataset}/samples") == []


async def test_creation_in_a_dataset_of_another_tenant_or_none_is_not_found(gallery: Gallery):
    dataset = await gallery.make_dataset()
    stranger = await gallery.stranger()
    for client, at in ((stranger, dataset), (gallery.client, UNKNOWN)):
        answer = await client.post(f"/datasets/{at}/samples", json={"fileName": "a.png"})
        assert (answer.status_code, answer.json()["code"]) == (404, "DATASET_UNKNOWN")
    assert (await gallery.client.delete(f"/datasets/{dataset}")).status_code == 200
    answer = await gallery.client.post(f"/datasets/{dataset}/samples", json={"fileName": "a.png"})
    assert (answer.status_code, answer.json()["code"]) == (404, "DATASET_UNKNOWN")


async def test_dataset_takes_no_more_than_it_may_hold(gallery: Gallery):
    gallery.house.state["intake"]._max_samples = 3
    dataset = await gallery.make_dataset()
    path = f"/datasets/{dataset}/samples"
    answers = await asyncio.gather(*(gallery.client.post(path, json={"fileName": f"{n}.png"}) for n in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 403, 403]
    full = next(answer for answer in answers if answer.status_code == 403)
    assert full.json()["code"] == "DATASET_AT_MAX_CAPACITY"


async def test_lists_of_names_page_by_rows(gallery: Gallery):
    dataset = await gallery.make_dataset()
    samples = await gallery.make_samples(dataset, 7)
    path = f"/datasets/{dataset}/samples/partial"
    for size in (1, 3, 7, 50):
        pages: list[Any] = []
        while page := await gallery.get(path, mode="fileNames", pageSize=size, pageOffset=len(pages)):
            pages += page
        assert [one["id"] for one in pages] == samples
        assert [one["fileName"] for one in pages] == [f"{n}.png" for n in range(7)]
    assert await gallery.get(path, mode="ids", pageOffset=5) == [{"id": samples[5]}, {"id": samples[6]}]
    assert await gallery.get(path, mode="ids", fileName="3.png") == [{"id": samples[3]}]
    assert await gallery.get(path, mode="ids", fileName="3") == []
    by_id = await gallery.get(f"/datasets/{dataset}/samples", sortBy="_id", pageSize=2, pageOffset=1)
    assert [one["id"] for one in by_id] == sorted(samples)[1:3]
