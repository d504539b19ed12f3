import math
from uuid import uuid4

import numpy as np
import pytest

from quadrat.gaze.analysis import Analyst
from support.gaze import HEIGHT, WIDTH, Lab, Recording, expected, make_recording, rectangle, to_files

pytestmark = pytest.mark.anyio

MASKS = {
    "ring": rectangle(50, 60, 300, 200) & ~rectangle(100, 100, 200, 150),
    "over": rectangle(150, 120, 390, 280),
    "corner": rectangle(WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT),
    # Half the size of the reference image.
    "small": rectangle(0, 0, WIDTH, HEIGHT)[:150, :200] & (np.arange(150) < 40)[:, None],
}


@pytest.fixture
async def recordings(lab: Lab) -> list[Recording]:
    """Three of two wearers, and four areas that overlap, have holes or are empty of gaze."""
    made = [make_recording(1), make_recording(2), make_recording(3, "Bob")]
    await lab.load(to_files(made))
    for name, inside in MASKS.items():
        await lab.draw(name, inside)
    return made


async def test_statistics_equal_brute_force(lab: Lab, recordings: list[Recording]):
    found = await lab.statistics()
    assert found["recording_ids"] == [one.id for one in recordings]
    assert len(found["metrics"]) == len(MASKS) * len(recordings)
    rows = iter(found["metrics"])
    for name, inside in MASKS.items():
        for one in recordings:
            row = next(rows)
            wanted = expected(one, inside)
            assert {key: row[key] for key in wanted} == wanted
            assert row["aoi_name"] == name
    for aoi, (name, inside) in zip(found["aois"], MASKS.items(), strict=True):
        own = [row for row in found["metrics"] if row["aoi_name"] == name]
        assert aoi["total_fixations"] == sum(row["total_fixations"] for row in own)
        assert aoi["area_share"] == round(float(inside.mean()), 6)
        reached = {row["wearer_name"] for row in own if row["total_fixations"]}
        assert aoi["reach"] == 50.0 * len(reached)
    assert [row["fixations"] for row in found["coverage"]] == [12, 12, 12]


async def test_statistics_of_some_recordings(lab: Lab, recordings: list[Recording]):
    whole = await lab.statistics()
    ids = [recordings[2].id, recordings[0].id]
    for query in ({"rids": ids}, {"rids": ",".join(ids)}):
        found = await lab.statistics(**query)
        assert set(found["recording_ids"]) == set(ids)
        assert found["metrics"] == [row for row in whole["metrics"] if row["recording_id"] in ids]


async def test_change_shows_in_the_next_answer_of_every_process(lab: Lab, recordings: list[Recording]):
    before = await lab.statistics()
    # Another process has computed the same, and hears nothing of what happens here.
    other = Analyst(lab.house.db, lab.house.state["blobs"])
    here = lab.house.state["analyst"]
    lab.house.state["analyst"] = other
    assert await lab.statistics() == before
    lab.house.state["analyst"] = here
    id_ = before["aois"][0]["aoi_id"]
    box = {"min_x": 0, "max_x": 1, "min_y": 1, "max_y": 0}
    await lab.ask("PATCH", f"{lab.at}/aois/{id_}", json={"name": "all", "bounding_box": box})
    for analyst in (here, other):
        lab.house.state["analyst"] = analyst
        found = (await lab.statistics())["metrics"][0]
        wanted = expected(recordings[0], np.ones((HEIGHT, WIDTH), bool))
        assert {key: found[key] for key in wanted} == wanted
    await lab.ask("DELETE", f"{lab.at}/aois/{id_}")
    assert len((await lab.statistics())["aois"]) == len(MASKS) - 1


async def test_labels_add_up_over_their_areas_and_count_overlaps_once(lab: Lab, recordings: list[Recording]):
    aois = await lab.ask("GET", f"{lab.at}/aois")
    body = {"name": "both", "aoi_ids": [aois[0]["id"], aois[1]["id"]]}
    label = await lab.ask("POST", f"{lab.place}/labels/", json=body)
    found = await lab.statistics()
    wanted = expected(recordings[0], MASKS["ring"] | MASKS["over"])
    row = found["label_metrics"][0]
    assert row["label_id"] == label["id"]
    assert (row["total_fixations"], row["visits"]) == (wanted["total_fixations"], wanted["visits"])
    await lab.ask("PATCH", f"{lab.place}/labels/{label['id']}", json={"name": "none", "aoi_ids": []})
    assert (await lab.statistics())["labels"] == []
    await lab.ask("POST", f"{lab.place}/labels/", 409, json={"name": "x", "aoi_ids": [str(uuid4())]})
    await lab.ask("DELETE", f"{lab.place}/labels/{label['id']}")
    await lab.ask("GET", f"{lab.place}/labels/{label['id']}", 404)


async def test_sequences_hold_visits_and_transitions_per_recording_and_pooled(lab: Lab, recordings: list[Recording]):
    found = await lab.ask("GET", f"{lab.at}/aois:sequences")
    metrics = (await lab.statistics())["metrics"]
    pooled = np.zeros((len(MASKS) + 1, len(MASKS) + 1), int)
    for one, row in zip(recordings, found["recordings"], strict=True):
        pooled += np.array(row["transitions"])
        starts = [visit["start_ms"] for visit in row["visits"]]
        assert starts == sorted(starts)
        wanted = sum(metric["visits"] for metric in metrics if metric["recording_id"] == one.id)
        assert len(row["visits"]) == wanted
    assert found["transitions"] == pooled.tolist()
    assert found["states"][-1]["aoi_name"] == "none"


@pytest.mark.parametrize(
    "table",
    [
        *("aoi_metrics", "metrics", "aois", "labels", "label_totals", "coverage", "visits", "transitions"),
        *("aoi_fixations", "segments", "fixations"),
    ],
)
async def test_every_table_comes_as_csv(lab: Lab, recordings: list[Recording], table: str):
    answer = await lab.client.get(f"{lab.at}/aois:table", params={"table": table})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    header, *rows = answer.text.splitlines()
    assert all(row.count(",") == header.count(",") for row in rows)
    if table in {"aoi_metrics", "metrics"}:
        assert len(rows) == len(MASKS) * len(recordings)
    if table == "aoi_metrics":
        silent = next(row for row in rows if ",corner," in row)
        assert silent.endswith(",corner,,0,,")
    await lab.ask("GET", f"{lab.at}/aois:table", 400, params={"table": "nothing"})


async def test_table_of_fixations_has_each_one_on_the_plane_where_it_lies(lab: Lab, recordings: list[Recording]):
    answer = await lab.client.get(f"{lab.at}/aois:table", params={"table": "fixations"})
    wanted = [
        [one.id, str(number), str(start), str(math.floor((end - start) / 1e6 + 0.5)), x / WIDTH, y / HEIGHT]
        for one in recordings
        for number, start, end, detected, x, y in one.fixations
        if detected and 0 <= x < WIDTH and 0 <= y < HEIGHT
    ]
    assert 0 < len(wanted) < sum(len(one.fixations) for one in recordings)
    rows = [row.split(",") for row in answer.text.splitlines()[1:]]
    assert [row[:4] for row in rows] == [row[:4] for row in wanted]
    assert np.allclose([[float(x), float(y)] for *_, x, y in rows], [row[4:] for row in wanted], atol=1e-6)


async def test_statistics_without_areas_or_recordings_are_empty(lab: Lab):
    found = await lab.statistics()
    assert (found["aois"], found["metrics"], found["recording_ids"]) == ([], [], [])
    await lab.draw("a", MASKS["ring"])
    assert (await lab.statistics())["aois"][0]["total_fixations"] == 0
