"""Exports of recordings as the scene camera saw them, read back by our own import."""

import io
import json
import zipfile
from typing import Any
from uuid import uuid4

import pytest

from support import gaze_formats as formats
from support.gaze import Lab, Recording, make_recording, set_up, to_files
from support.house import House

pytestmark = pytest.mark.anyio
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8


async def load(lab: Lab, one: Recording, folder: str = "Walk", **files: str | bytes) -> None:
    await lab.load({"archive": ("a.zip", formats.pack({folder: {**formats.timeseries(one), **files}}))})


async def export(lab: Lab, **query: Any) -> bytes:
    answer = await lab.client.get(f"{lab.place}/recordings:raw-data-export", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert "raw-data-export.zip" in answer.headers["content-disposition"]
    return answer.content


def names(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


async def told(lab: Lab, one: Recording) -> dict[str, Any]:
    """What the API says of a recording, without what differs between workspaces."""
    at = f"{lab.place}/recordings/{one.id}"
    recording = await lab.ask("GET", at)
    parts = ("name", "recorded_at", "duration_ns", "wearer_id", "gaze_offset")
    events = await lab.ask("GET", f"{at}/events")
    return {
        **{part: recording[part] for part in parts},
        "events": [(event["name"], event["offset_s"]) for event in events],
        "gaze": await lab.ask("GET", f"{at}/gaze.json"),
        "fixations": await lab.ask("GET", f"{at}/fixations.json"),
        "path": await lab.ask("GET", f"{at}/scanpath.json"),
        "files": [(file["name"], file["size_bytes"]) for file in await lab.ask("GET", f"{at}/files")],
    }


async def test_export_read_back_by_another_lab_tells_the_same(lab: Lab, gaze_house: House):
    one, two = make_recording(41), make_recording(42, "Bob, the 2nd")
    gaze_offset = json.dumps({**json.loads(formats.info(one)), "gaze_offset": [27.25, -6]})
    await load(lab, one, 'Walk: "home"', **{"0a1b2c3d_0.0-3.5.mp4": VIDEO, "info.json": gaze_offset})
    await load(lab, two)
    await lab.ask("POST", f"{lab.place}/recordings/{one.id}/events", json={"name": "seen, twice", "offset_s": 1.25})
    content = await export(lab)
    folders = [f"Walk_ _home_-{one.id[:8]}", f"Walk-{two.id[:8]}"]
    assert {name.split("/")[0] for name in names(content)} == set(folders)

    other = await set_up(gaze_house)
    await other.load({"archive": ("raw.zip", content)})
    for recording in (one, two):
        assert await told(other, recording) == await told(lab, recording)
    assert len((await told(other, one))["gaze"]) == len(one.samples)
    assert (await told(other, one))["name"] == 'Walk: "home"'
    assert (await told(other, one))["files"] == [("scene.mp4", len(VIDEO))]


async def test_layout_is_that_of_timeseries_downloads(lab: Lab):
    one = make_recording(43)
    await load(lab, one, **{"0a1b2c3d_0.0-3.5.mp4": VIDEO})
    archive = zipfile.ZipFile(io.BytesIO(await export(lab, ids=one.id)))
    folder = f"Walk-{one.id[:8]}"
    recording = await lab.ask("GET", f"{lab.place}/recordings/{one.id}")
    video = f"{folder}/{one.id[:8]}_0.0-{recording['duration_ns'] / 1e9:.3f}.mp4"
    files = ["info.json", "events.csv", "fixations.csv", "gaze.csv"]
    assert archive.namelist() == [*(f"{folder}/{name}" for name in files), video]
    assert archive.read(video) == VIDEO
    facts = json.loads(archive.read(f"{folder}/info.json"))
    assert (facts["recording_id"], facts["wearer_name"]) == (one.id, one.wearer)
    assert facts["workspace_id"] == lab.workspace
    gaze = archive.read(f"{folder}/gaze.csv").decode().splitlines()
    assert gaze[0] == "section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id"
    at, worn, x, y = one.samples[0]
    assert gaze[1] == f"{one.id},{one.id},{at},{x},{y},{1.0 if worn else 0.0},,"
    fixations = archive.read(f"{folder}/fixations.csv").decode().splitlines()
    number, start, end, _, x, y = one.fixations[0]
    assert fixations[1] == f"{one.id},{one.id},{number},{start},{end},{(end - start) // 1_000_000},{x},{y}"
    assert len(fixations) == len(one.fixations) + 1


async def test_recordings_are_chosen_and_files_left_out(lab: Lab):
    one, two, three = make_recording(44), make_recording(45), make_recording(46)
    for recording in (one, two, three):
        await load(lab, recording, **{"0a1b2c3d_0.0-3.5.mp4": VIDEO})
    content = await export(lab, ids=[three.id, f"{one.id},{three.id}"], exclude=["gaze.csv", "scene.mp4", "imu.csv"])
    files = ["info.json", "events.csv", "fixations.csv"]
    assert names(content) == [f"Walk-{recording.id[:8]}/{name}" for recording in (three, one) for name in files]


async def test_recordings_of_one_name_and_start_of_id_have_folders_of_their_own(lab: Lab):
    one, two = make_recording(47), make_recording(48)
    two.id = one.id[:8] + two.id[8:]
    await load(lab, one)
    await load(lab, two)
    folders = dict.fromkeys(name.split("/")[0] for name in names(await export(lab)))
    assert list(folders) == [f"Walk-{one.id[:8]}", f"Walk-{two.id}"]


async def test_recording_with_mapped_gaze_only_tells_what_it_is(lab: Lab):
    one = make_recording(49)
    await lab.load(to_files([one]))
    assert [name.split("/")[1] for name in names(await export(lab))] == ["info.json", "events.csv"]


async def test_recording_that_is_not_there_is_told(lab: Lab, gaze_house: House):
    one = make_recording(50)
    await load(lab, one)
    place = f"{lab.place}/recordings:raw-data-export"
    for strange in (str(uuid4()), "nothing"):
        message = await lab.ask("GET", place, 404, params={"ids": [one.id, strange]})
        assert strange in message
    other = await set_up(gaze_house)
    await other.ask("GET", f"{other.place}/recordings:raw-data-export", 404, params={"ids": one.id})
    await other.ask("GET", place, 404, params={"ids": one.id})
    assert names(await export(other)) == []
