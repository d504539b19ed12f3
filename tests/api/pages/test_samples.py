import json

import pytest

from support.house import Person
from support.pages import PASSWORD, Browser
from support.people import unique

pytestmark = pytest.mark.anyio


async def _dataset(browser: Browser, person: Person) -> str:
    """Three samples: two with what a client says of them, one with nothing."""
    query = {"token": person.token}
    made = await browser.client.post("/v1/datasets", params=query, json={"name": unique("found"), "type": "Images"})
    dataset = str(made.json()["id"])
    for name, sharpness, net in (
        ("Haul_1.png", 0.5, "bongo"),
        ("haul_2.png", 2.5, "WP2 100%"),
        ("other.png", None, ""),
    ):
        body = {"fileName": name}
        if sharpness is not None:
            body |= {"metaData": {"sharpness": sharpness}, "customMetaData": {"net": {"type": net, "depth": 100}}}
        answer = await browser.client.post(f"/v1/datasets/{dataset}/samples", params=query, json=body)
        assert answer.status_code == 201, answer.text
    return dataset


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [0, 1, 2]),
        ({"name": "HAUL_"}, [0, 1]),
        ({"name": "%"}, []),
        ({"field": "metaData.sharpness"}, [0, 1]),
        ({"field": "metaData.sharpness", "low": 1}, [1]),
        ({"field": "metaData.sharpness", "low": 0.5, "high": 2.5}, [0, 1]),
        ({"field": "metaData.sharpness", "high": 1, "name": "2"}, []),
        ({"field": "customMetaData.net.type", "text": "BONGO"}, [0]),
        ({"field": "customMetaData.net.type", "text": "100%"}, [1]),
        ({"field": "customMetaData.net.type", "low": 1}, []),
        ({"field": "customMetaData.net.depth", "text": "10"}, [0, 1]),
        ({"field": "exif.Model", "text": "x"}, []),
    ],
)
async def test_samples_are_found_by_name_and_by_field(
    browser: Browser, asked: dict[str, str], found: list[int]
) -> None:
    person = await browser.house.make_person()
    dataset = await _dataset(browser, person)
    path = f"/ui/api/datasets/{dataset}/indexes"
    answer = await browser.client.get(path, params=asked, headers=person.header)
    assert (answer.status_code, json.loads(answer.content)) == (200, found)


async def test_fields_are_told_and_all_of_it_is_for_who_may_read(browser: Browser) -> None:
    person, stranger = await browser.house.make_person(password=PASSWORD), await browser.house.make_person()
    dataset = await _dataset(browser, person)
    path = f"/ui/api/datasets/{dataset}"
    fields = (await browser.client.get(f"{path}/fields", headers=person.header)).json()
    assert fields == {
        "customMetaData.net.depth": "number",
        "customMetaData.net.type": "text",
        "metaData.sharpness": "number",
    }
    refused = await browser.client.get(f"{path}/indexes", params={"field": "nothing"}, headers=person.header)
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "field")
    embedding = f"/embeddings/{'ab' * 12}/points"
    assert (await browser.client.get(path + embedding, headers=person.header)).status_code == 404
    for part in ("/fields", "/indexes", embedding):
        assert (await browser.client.get(path + part, headers=stranger.header)).status_code == 404
