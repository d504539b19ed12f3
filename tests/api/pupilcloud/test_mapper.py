"""Manual mapping: a person says of each fixation where on the picture it lies."""

from typing import Any

import pytest

from support import gaze_formats as formats
from support.gaze import WIDTH, Lab, Recording, make_recording, rectangle

pytestmark = pytest.mark.anyio


@pytest.fixture
async def one() -> Recording:
    return make_recording(1)


@pytest.fixture
async def fixations(lab: Lab, one: Recording) -> str:
    """Path of the fixations of a recording in a manual mapper, in which the left half is an area."""
    markerless = await lab.ask("GET", f"{lab.place}/markerless/{lab.markerless}")
    body = {"name": "By hand", "from_event_name": "recording.begin", "to_event_name": "recording.end"}
    at = f"{lab.place}/projects/{lab.project}/mappers/static"
    made = await lab.ask("POST", f"{at}/", 201, json={**body, "static_image_id": markerless["reference_image_id"]})
    assert (made["kind"], made["slices"], made["static_image_id"]) == (
        "static-image-mapper",
        [],
        markerless["reference_image_id"],
    )
    lab.enrichment = made["id"]
    await lab.load({"archive": ("a.zip", formats.pack({"Walk": formats.timeseries(one)}))})
    await lab.draw("left", rectangle(0, 0, WIDTH // 2, 300))
    return f"{at}/{made['id']}/recordings/{one.id}/fixations"


async def counted(lab: Lab) -> int:
    return int((await lab.statistics())["metrics"][0]["total_fixations"])


async def test_fixations_that_are_placed_count_at_once(lab: Lab, one: Recording, fixations: str):
    listed = await lab.ask("GET", fixations)
    assert (listed["total_fixations"], listed["checked_fixations"]) == (12, 0)
    first = listed["fixations"][0]
    assert first["seek_timestamp"] == pytest.approx((first["start_timestamp"] + first["end_timestamp"]) / 2)
    assert (first["gaze_on_aoi"], first["x"], first["y"], first["updated_at"]) == (None, None, None, None)
    assert await counted(lab) == 0
    placed = await lab.ask("PUT", f"{fixations}/1", json={"gaze_on_aoi": 1, "x": 0.25, "y": 0.5})
    assert (placed["gaze_on_aoi"], placed["x"], placed["y"]) == (1, 0.25, 0.5)
    assert placed["updated_at"] is not None
    await lab.ask("PUT", f"{fixations}/2", json={"gaze_on_aoi": 1, "x": 0.75, "y": 0.5})
    await lab.ask("PUT", f"{fixations}/3", json={"gaze_on_aoi": 0, "x": None, "y": None})
    await lab.ask("PUT", f"{fixations}/4", json={"gaze_on_aoi": 1, "x": 0.1, "y": 0.1})
    row = (await lab.statistics())["metrics"][0]
    # Looking elsewhere ends a visit.
    assert (row["total_fixations"], row["visits"], row["recording_id"]) == (2, 2, one.id)
    assert (await lab.ask("GET", fixations))["checked_fixations"] == 4
    assert (await lab.statistics())["coverage"][0]["mapped_fixations"] == 3


async def test_what_was_placed_can_be_moved_and_taken_back(lab: Lab, fixations: str):
    for number in (1, 2, 3):
        await lab.ask("PUT", f"{fixations}/{number}", json={"gaze_on_aoi": 1, "x": 0.2, "y": 0.2})
    assert await counted(lab) == 3
    await lab.ask("PUT", f"{fixations}/1", json={"gaze_on_aoi": 1, "x": 0.9, "y": 0.2})
    assert await counted(lab) == 2
    await lab.ask("DELETE", f"{fixations}/2")
    assert await counted(lab) == 1
    assert (await lab.ask("GET", fixations))["fixations"][1]["gaze_on_aoi"] is None
    await lab.ask("POST", f"{fixations}:clear")
    assert await counted(lab) == 0
    assert (await lab.ask("GET", fixations))["checked_fixations"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"gaze_on_aoi": 1, "x": 1.5, "y": 0.5},
        {"gaze_on_aoi": 1, "x": None, "y": 0.5},
        {"gaze_on_aoi": 2, "x": 0.5, "y": 0.5},
        {"x": 0.5, "y": 0.5},
        {"gaze_on_aoi": 1, "x": "left", "y": 0.5},
    ],
)
async def test_bad_placement_is_invalid(lab: Lab, fixations: str, body: dict[str, Any]):
    await lab.ask("PUT", f"{fixations}/1", 400, json=body)
    assert (await lab.ask("GET", fixations))["checked_fixations"] == 0


async def test_missing_fixation_recording_or_mapper_is_not_found(lab: Lab, one: Recording, fixations: str):
    body = {"gaze_on_aoi": 0}
    await lab.ask("PUT", f"{fixations}/99", 404, json=body)
    await lab.ask("PUT", f"{fixations}/first", 404, json=body)
    await lab.ask("DELETE", f"{fixations}/99", 404)
    await lab.ask("GET", fixations.replace(one.id, lab.markerless), 404)
    other = await lab.new_enrichment(markerless_id=lab.markerless)
    await lab.ask("GET", fixations.replace(lab.enrichment, other), 404)


async def test_mapper_is_listed_changed_and_exported(lab: Lab, fixations: str):
    mappers = fixations.partition("/static/")[0] + "/static"
    assert [row["id"] for row in await lab.ask("GET", f"{mappers}/")] == [lab.enrichment]
    changed = await lab.ask("PATCH", f"{mappers}/{lab.enrichment}", json={"name": "Renamed"})
    assert changed["name"] == "Renamed"
    got = await lab.ask("GET", f"{mappers}/{lab.enrichment}")
    assert got["name"] == "Renamed"
    assert [part["start_time_s"] for part in got["slices"]] == [0.5]
    assert lab.enrichment in [
        row["id"] for row in await lab.ask("GET", f"{lab.place}/projects/{lab.project}/enrichments")
    ]
    answer = await lab.client.get(f"{mappers}/{lab.enrichment}/export")
    assert answer.content.startswith(b"PK")
