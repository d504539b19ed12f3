import base64
import io
import json
from typing import Any
from uuid import uuid4

import httpx2
import numpy as np
import pytest
from PIL import Image

from quadrat.api.pupilcloud.app import PREFIX, create_app
from quadrat.identity.actions import organizations
from quadrat.identity.types import MemberLevel
from support.gaze import HEIGHT, WIDTH, Lab, data_url, rectangle
from support.house import Person

pytestmark = pytest.mark.anyio

RING = rectangle(50, 60, 300, 200) & ~rectangle(100, 100, 200, 150)


def decoded(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


async def test_area_comes_back_as_it_was_drawn(lab: Lab):
    mine = str(uuid4())
    made = await lab.draw("Ring", RING, id=mine, color="#32CD32", description="with a hole")
    assert (made["id"], made["enrichment_id"], made["name"]) == (mine, lab.enrichment, "Ring")
    assert (made["color"], made["description"], made["proposed_by"]) == ("#32CD32", "with a hole", None)
    picture = decoded(made["mask_image_data_url"])
    assert ((picture[..., 3] > 0) == RING).all()
    assert tuple(picture[70, 60]) == (50, 205, 50, 255)
    assert await lab.ask("GET", f"{lab.at}/aois/{mine}") == made
    assert await lab.ask("GET", f"{lab.at}/aois") == [made]


async def test_box_is_upside_down_as_the_tutorials_read_it(lab: Lab):
    made = await lab.draw("Ring", RING)
    box = made["bounding_box"]
    assert box == {"min_x": 50 / WIDTH, "max_x": 300 / WIDTH, "min_y": 200 / HEIGHT, "max_y": 60 / HEIGHT}
    x, y = (RING.nonzero()[axis].mean() + 0.5 for axis in (1, 0))
    assert made["centroid_xy"] == pytest.approx({"x": x / WIDTH, "y": y / HEIGHT})


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("flipped", [True, False])
async def test_box_alone_makes_a_rectangle(lab: Lab, as_text: bool, flipped: bool):
    high, low = (0.2, 0.9) if flipped else (0.9, 0.2)
    box: Any = {"min_x": 0.1, "max_x": 0.5, "min_y": high, "max_y": low}
    body = {"name": "box", "enrichment_id": lab.enrichment, "bounding_box": json.dumps(box) if as_text else box}
    made = await lab.ask("POST", f"{lab.at}/aois", json=body)
    assert (decoded(made["mask_image_data_url"])[..., 3] > 0).sum() == 160 * 210
    assert made["bounding_box"] == {"min_x": 0.1, "max_x": 0.5, "min_y": 0.9, "max_y": 0.2}


async def test_aliases_are_the_same_operations(lab: Lab):
    body = {"name": "a", "enrichment_id": lab.enrichment, "mask_image_data_url": data_url(RING)}
    mine = str(uuid4())
    first = await lab.ask("POST", f"{lab.at}/aois/{mine}", json=body)
    second = await lab.ask("POST", f"{lab.at}/aois:stats", json=body)
    assert first["id"] == mine
    assert [one["id"] for one in await lab.ask("GET", f"{lab.at}/aois")] == [mine, second["id"]]
    gone = await lab.ask("DELETE", f"{lab.at}/aois:stats", json={"aoi_ids": [mine, "nothing"]})
    assert gone == {"deleted": [mine], "not_found": ["nothing"]}
    gone = await lab.ask("DELETE", f"{lab.at}/aois", json={"aoi_ids": [mine, second["id"]]})
    assert gone == {"deleted": [second["id"]], "not_found": [mine]}
    assert await lab.ask("DELETE", f"{lab.at}/aois", json={"aoi_ids": []}) == {"deleted": [], "not_found": []}


BAD_BODIES: list[dict[str, Any]] = [
    {"name": ""},
    {"name": None},
    {"name": "  "},
    {"name": "a\0b"},
    {"mask_image_data_url": None},
    {"mask_image_data_url": "data:image/png;base64,AAAA"},
    {"mask_image_data_url": data_url(RING & False)},
    {"mask_image_data_url": data_url(np.ones((100, 100), bool))},
    {"mask_image_data_url": None, "bounding_box": "{}"},
    {"mask_image_data_url": None, "bounding_box": {"min_x": 2, "max_x": 3, "min_y": 0, "max_y": 1}},
    {"enrichment_id": "00000000-0000-4000-8000-000000000000"},
    {"enrichment_id": None},
    {"id": "no uuid"},
]


@pytest.mark.parametrize("change", BAD_BODIES)
async def test_area_that_is_not_valid_is_a_conflict_and_changes_nothing(lab: Lab, change: dict[str, Any]):
    body = {"name": "a", "enrichment_id": lab.enrichment, "mask_image_data_url": data_url(RING), **change}
    message = await lab.ask("POST", f"{lab.at}/aois", 409, json=body)
    assert message
    assert await lab.ask("GET", f"{lab.at}/aois") == []


async def test_used_id_and_another_id_in_the_path_are_conflicts(lab: Lab):
    made = await lab.draw("a", RING)
    body = {"name": "b", "enrichment_id": lab.enrichment, "mask_image_data_url": data_url(RING), "id": made["id"]}
    await lab.ask("POST", f"{lab.at}/aois", 409, json=body)
    await lab.ask("POST", f"{lab.at}/aois/{uuid4()}", 409, json=body)
    assert (await lab.ask("GET", f"{lab.at}/aois/{made['id']}"))["name"] == "a"


async def test_change_keeps_what_is_not_given_and_repaints(lab: Lab):
    made = await lab.draw("a", RING, color="#FF0000", description="d")
    url = f"{lab.at}/aois/{made['id']}"
    changed = await lab.ask("PATCH", url, json={"name": "b", "color": "#0000FF", "description": None})
    assert (changed["name"], changed["color"], changed["description"]) == ("b", "#0000FF", "d")
    assert tuple(decoded(changed["mask_image_data_url"])[70, 60]) == (0, 0, 255, 255)
    assert changed["updated_at"] > made["updated_at"]
    assert changed["created_at"] == made["created_at"]
    smaller = rectangle(0, 0, 40, 30)
    again = await lab.ask("PATCH", url, json={"mask_image_data_url": data_url(smaller)})
    assert ((decoded(again["mask_image_data_url"])[..., 3] > 0) == smaller).all()
    assert await lab.ask("GET", url) == again


async def test_change_of_another_area_is_a_conflict_and_a_bad_one_is_invalid(lab: Lab):
    made = await lab.draw("a", RING)
    url = f"{lab.at}/aois/{made['id']}"
    await lab.ask("PATCH", url, 409, json={"id": str(uuid4())})
    await lab.ask("PATCH", url, 409, json={"enrichment_id": str(uuid4())})
    await lab.ask("PATCH", url, 400, json={"name": ""})
    await lab.ask("PATCH", url, 400, json={"mask_image_data_url": "x"})
    await lab.ask("PATCH", url, 400, content=b"{")
    await lab.ask("DELETE", f"{lab.at}/aois", 400, json={})
    await lab.ask("DELETE", f"{lab.at}/aois", 400, json={"aoi_ids": "all"})
    assert await lab.ask("GET", url) == made


@pytest.mark.parametrize("id_", ["nothing", "00000000-0000-4000-8000-000000000000"])
async def test_missing_area_or_enrichment_is_not_found(lab: Lab, id_: str):
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        await lab.ask(method, f"{lab.at}/aois/{id_}", 404, json=body)
    elsewhere = f"{lab.place}/projects/{lab.project}/enrichments/{id_}"
    await lab.ask("GET", f"{elsewhere}/aois", 404)
    await lab.ask("GET", f"{elsewhere}/aois:stats", 404)
    await lab.ask("GET", f"{lab.at}/aois:stats", 404, params={"rids": id_})


async def test_area_of_another_enrichment_is_not_found(lab: Lab):
    made = await lab.draw("a", RING)
    lab.enrichment = await lab.new_enrichment(markerless_id=lab.markerless)
    await lab.ask("GET", f"{lab.at}/aois/{made['id']}", 404)
    gone = await lab.ask("DELETE", f"{lab.at}/aois", json={"aoi_ids": [made["id"]]})
    assert gone == {"deleted": [], "not_found": [made["id"]]}


async def test_kind_without_a_plane_has_no_areas(lab: Lab):
    lab.enrichment = await lab.new_enrichment(kind="face-mapper")
    assert await lab.ask("GET", f"{lab.at}/aois") == []
    body = {"name": "a", "enrichment_id": lab.enrichment, "mask_image_data_url": data_url(RING)}
    await lab.ask("POST", f"{lab.at}/aois", 409, json=body)
    await lab.ask("GET", f"{lab.at}/aois:stats")


async def member(lab: Lab, level: MemberLevel) -> tuple[Person, httpx2.AsyncClient]:
    """Someone in the lab's workspace."""
    person = await lab.house.make_person()
    async with lab.house.db.begin() as tx:
        organization = next(
            one
            for one in await organizations.list_organizations(tx, lab.person.caller)
            if str(one.uuid) == lab.workspace
        )
        await organizations.add_member(tx, lab.person.caller, organization.name, person.caller.email, level)
    return person, lab.house.client_for(create_app, PREFIX, person)


@pytest.mark.parametrize("level", ["owner", "admin", "editor", "viewer", "demo"])
async def test_roles_decide_who_reads_and_who_writes(lab: Lab, level: str):
    theirs = await lab.draw("a", RING)
    _, client = await member(lab, MemberLevel(level))
    assert (await client.get(f"{lab.at}/aois/{theirs['id']}")).status_code == 200
    assert (await client.get(f"{lab.at}/aois:stats")).status_code == 200
    body = {"name": "b", "enrichment_id": lab.enrichment, "mask_image_data_url": data_url(RING)}
    made = await client.post(f"{lab.at}/aois", json=body)
    writes = level != "viewer"
    assert made.status_code == (200 if writes else 403), made.text
    changes_others = level not in {"viewer", "demo"}
    for method, options in (("PATCH", {"json": {"name": "c"}}), ("DELETE", {})):
        other = await client.request(method, f"{lab.at}/aois/{theirs['id']}", **options)
        assert other.status_code == (200 if changes_others else 403), other.text
        if writes:
            own = await client.request(method, f"{lab.at}/aois/{made.json()['result']['id']}", **options)
            assert own.status_code == 200, own.text


async def test_stranger_and_nobody_learn_nothing(lab: Lab):
    made = await lab.draw("a", RING)
    stranger = lab.client_of(await lab.house.make_person())
    nobody = lab.client_of(None)
    for client, status in ((stranger, 404), (nobody, 401)):
        answer = await client.get(f"{lab.at}/aois/{made['id']}")
        assert answer.status_code == status
        assert answer.json()["code"] == status
    prefixed = lab.client_of(None)
    prefixed.headers["api-key"] = f"Bearer {lab.person.token}"
    assert (await prefixed.get(f"{lab.at}/aois/{made['id']}")).status_code == 200
