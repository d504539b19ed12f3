"""Settings of visualizations, kept for a project or one of its enrichments."""

from typing import Any
from uuid import uuid4

import pytest

from support.gaze import Lab, set_up
from support.house import House

pytestmark = pytest.mark.anyio
PAYLOAD = {"heatmap": {"sigma": 0.02, "colormap": "Jet", "recordings": ["a", "b"]}, "wearers": {}}


def place(lab: Lab) -> str:
    return f"{lab.place}/projects/{lab.project}/visualization_configs"


async def post(lab: Lab, status: int = 200, **fields: Any) -> Any:
    return await lab.ask("POST", place(lab), status, json={"name": "Map", "kind": "heatmap", **fields})


async def test_settings_are_kept_changed_and_removed(lab: Lab):
    own = str(uuid4())
    made = await post(lab, id=own, enrichment_id=lab.enrichment, payload=PAYLOAD)
    assert (made["id"], made["project_id"], made["enrichment_id"]) == (own, lab.project, lab.enrichment)
    assert (made["name"], made["kind"], made["payload"]) == ("Map", "heatmap", PAYLOAD)
    whole = await post(lab, kind="aoi_heatmap")
    assert (whole["enrichment_id"], whole["payload"]) == (None, {})
    assert await lab.ask("GET", place(lab)) == [made, whole]

    changed = await lab.ask("PATCH", f"{place(lab)}/{own}", json={"name": "New", "payload": None})
    assert (changed["name"], changed["payload"]) == ("New", PAYLOAD)
    assert changed["updated_at"] > made["updated_at"]
    changed = await lab.ask("PATCH", f"{place(lab)}/{own}", json={"kind": "aoi_heatmap", "payload": {}})
    assert (changed["kind"], changed["payload"]) == ("aoi_heatmap", {})
    assert await lab.ask("GET", f"{place(lab)}/{own}") == changed

    assert await lab.ask("DELETE", f"{place(lab)}/{own}") == changed
    await lab.ask("GET", f"{place(lab)}/{own}", 404)
    await lab.ask("DELETE", f"{place(lab)}/{own}", 404)
    assert await lab.ask("GET", place(lab)) == [whole]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "scanpath"},
        {"name": " "},
        {"id": "mine"},
        {"enrichment_id": str(uuid4())},
        {"payload": {"sigma": 0.05}},
        {"payload": {"a": {"b": "\0"}}},
        {"payload": {"a": {"b": "x" * 100_000}}},
    ],
)
async def test_bad_field_is_refused_and_changes_nothing(lab: Lab, fields: dict[str, Any]):
    made = await post(lab, payload=PAYLOAD)
    await post(lab, 409, **fields)
    await lab.ask("PATCH", f"{place(lab)}/{made['id']}", 400, json={"name": "New", **fields})
    assert await lab.ask("GET", place(lab)) == [made]


async def test_number_that_is_none_is_refused(lab: Lab):
    text = '{"name": "Map", "kind": "heatmap", "payload": {"a": {"b": NaN}}}'
    await lab.ask("POST", place(lab), 409, content=text, headers={"Content-Type": "application/json"})


async def test_id_in_use_is_refused(lab: Lab):
    made = await post(lab)
    await post(lab, 409, id=made["id"])


async def test_backslash_before_the_letters_of_an_escape_is_kept(lab: Lab):
    payload = {"a": {"b": r"C:\u0000"}}
    assert (await post(lab, payload=payload))["payload"] == payload


async def test_settings_of_another_project_are_not_there(lab: Lab, gaze_house: House):
    made = await post(lab)
    other = await set_up(gaze_house)
    await other.ask("GET", f"{place(lab)}/{made['id']}", 404)
    await other.ask("GET", place(lab), 404)
    for method, options in (("GET", {}), ("PATCH", {"json": {"name": "x"}}), ("DELETE", {})):
        await other.ask(method, f"{place(other)}/{made['id']}", 404, **options)
    await post(other, 409, enrichment_id=lab.enrichment)
    assert await lab.ask("GET", place(lab)) == [made]


async def test_settings_go_with_their_enrichment(lab: Lab):
    await post(lab, enrichment_id=lab.enrichment)
    whole = await post(lab)
    await lab.ask("DELETE", lab.at)
    assert await lab.ask("GET", place(lab)) == [whole]
