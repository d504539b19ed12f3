"""Wearers, surfaces and events that are changed and removed: answers hold what the client's models require."""

import pytest

from support import gaze_formats as formats
from support.gaze import Lab, make_recording, set_up
from support.house import House

pytestmark = pytest.mark.anyio


async def test_wearer_is_renamed_and_removed_and_the_recording_stays(lab: Lab):
    one = make_recording(61)
    await lab.load({"archive": ("a.zip", formats.pack({"Walk": formats.timeseries(one)}))})
    [wearer] = await lab.ask("GET", f"{lab.place}/wearers/")
    at = f"{lab.place}/wearers/{wearer['id']}"
    assert await lab.ask("GET", at) == wearer
    renamed = await lab.ask("PATCH", at, json={"name": "Eve"})
    assert renamed == {**wearer, "name": "Eve"}
    await lab.ask("PATCH", at, 400, json={"name": " "})
    assert await lab.ask("PATCH", at, json={}) == renamed
    assert await lab.ask("DELETE", at) == renamed
    await lab.ask("GET", at, 404)
    assert (await lab.ask("GET", f"{lab.place}/recordings/{one.id}"))["wearer_id"] is None


async def test_wearer_of_another_workspace_is_not_there(lab: Lab, gaze_house: House):
    wearer = await lab.ask("POST", f"{lab.place}/wearers/", json={"name": "Ada"})
    other = await set_up(gaze_house)
    for place in (lab.place, other.place):
        for method in ("GET", "PATCH", "DELETE"):
            await other.ask(method, f"{place}/wearers/{wearer['id']}", 404, json={"name": "x"})
    assert await lab.ask("GET", f"{lab.place}/wearers/{wearer['id']}") == wearer


async def test_removed_event_is_told(lab: Lab):
    one = make_recording(62)
    await lab.load({"archive": ("a.zip", formats.pack({"Walk": formats.timeseries(one)}))})
    at = f"{lab.place}/recordings/{one.id}/events"
    made = await lab.ask("POST", at, json={"name": "seen", "offset_s": 1.5})
    assert await lab.ask("DELETE", f"{at}/{made['id']}") == made
    await lab.ask("DELETE", f"{at}/{made['id']}", 404)


async def test_markers_of_a_surface_are_changed(lab: Lab, gaze_house: House):
    made = await lab.ask("POST", f"{lab.place}/surfaces/", json={"name": "Screen"})
    at = f"{lab.place}/surfaces/{made['id']}"
    changed = await lab.ask("PATCH", at, json={"markers": ["3", "1"]})
    assert changed["markers_used"] == ["3", "1"]
    assert await lab.ask("PATCH", at, json={}) == changed
    await lab.ask("PATCH", at, 400, json={"markers": [1]})
    other = await set_up(gaze_house)
    await other.ask("PATCH", f"{other.place}/surfaces/{made['id']}", 404, json={"markers": []})
    assert (await lab.ask("GET", at))["markers_used"] == ["3", "1"]
