"""Gaze files of every program that labs use, as uploads."""

from typing import Any

import numpy as np
import pytest

from support import gaze_formats as formats
from support.gaze import HEIGHT, PERIOD_NS, START_NS, WIDTH, Lab, Recording, expected, make_recording, rectangle
from support.gaze import to_files as reference_image_files

pytestmark = pytest.mark.anyio

RING = rectangle(50, 60, 300, 200) & ~rectangle(100, 100, 200, 150)


def archive(folders: dict[str, Any]) -> dict[str, tuple[str, bytes]]:
    return {"archive": ("download.zip", formats.pack(folders))}


def parts(files: dict[str, str], *wanted: str) -> dict[str, tuple[str, str]]:
    """Single files as the parts of an upload that they are."""
    return {name.partition(".")[0]: (name, files[name]) for name in wanted}


async def on_surface(lab: Lab) -> None:
    """From here on the lab works on a surface."""
    surface = await lab.ask("POST", f"{lab.place}/surfaces/", json={"name": "Screen"})
    lab.enrichment = await lab.new_enrichment("marker-mapper", surface_id=surface["id"])


async def by_hand(lab: Lab) -> str:
    """A manual mapper on the reference image; its path."""
    markerless = await lab.ask("GET", f"{lab.place}/markerless/{lab.markerless}")
    body = {"name": "M", "from_event_name": "recording.begin", "to_event_name": "recording.end"}
    body["static_image_id"] = markerless["reference_image_id"]
    at = f"{lab.place}/projects/{lab.project}/mappers/static"
    made = await lab.ask("POST", f"{at}/", 201, json=body)
    lab.enrichment = made["id"]
    return f"{at}/{made['id']}"


async def check_statistics(lab: Lab, recordings: list[Recording], *, section_ns: int = START_NS) -> None:
    """Statistics of a ring are those of brute force; sections begin at this time."""
    await lab.draw("ring", RING)
    rows = {row["recording_id"]: row for row in (await lab.statistics())["metrics"]}
    for one in recordings:
        wanted = expected(one, RING)
        if wanted["time_to_first_fixation_ms"] is not None:
            wanted["time_to_first_fixation_from_section_ms"] -= (section_ns - START_NS) // 1_000_000
        assert {key: rows[one.id][key] for key in wanted} == wanted


# Enrichment downloads.


@pytest.mark.parametrize("packed", [True, False])
async def test_download_of_an_image_mapper_comes_whole_or_as_single_files(lab: Lab, packed: bool):
    recordings = [make_recording(1), make_recording(2, "Bob")]
    files: Any = reference_image_files(recordings)
    if packed:
        texts = dict(files.values())
        files = archive({"": {**texts, "enrichment_info.txt": "x", "reference_image.jpeg": b"\xff\xd8"}})
    told = await lab.load(files)
    assert [row["gaze_samples"] for row in told["recordings"]] == [600, 600]
    assert [row["fixations"] for row in told["recordings"]] == [12, 12]
    assert [row["warnings"] for row in told["recordings"]] == [[], []]
    await check_statistics(lab, recordings)


async def test_download_of_a_marker_mapper_is_on_its_surface(lab: Lab):
    await on_surface(lab)
    recordings = [make_recording(3), make_recording(4, "Bob")]
    told = await lab.load(archive({"": formats.marker_mapper(recordings)}))
    assert [row["name"] for row in told["recordings"]] == [f"Rec, {one.id[:4]}" for one in recordings]
    await check_statistics(lab, recordings)
    # What the download left out was expected, and could not be mapped.
    cover = (await lab.statistics())["coverage"][0]
    on = sum(there and 0 <= x < WIDTH and 0 <= y < HEIGHT for _, there, x, y in recordings[0].samples)
    assert (cover["mapped_samples"], cover["expected_samples"]) == (on, round(3.495e9 / PERIOD_NS))


async def test_download_of_a_manual_mapper_has_fixations_only(lab: Lab):
    mapper = await by_hand(lab)
    one = make_recording(5)
    await lab.load(archive({"": formats.manual_mapper([one])}))
    placed = await lab.ask("GET", f"{mapper}/recordings/{one.id}/fixations")
    assert (placed["total_fixations"], placed["checked_fixations"]) == (12, 8)
    mapped = [number % 3 != 0 for number, *_ in one.fixations]
    assert [row["gaze_on_aoi"] is not None for row in placed["fixations"]] == mapped
    one.fixations = [
        (number, start, end, there and number % 3 != 0, x, y) for number, start, end, there, x, y in one.fixations
    ]
    one.samples.clear()
    await check_statistics(lab, [one])


async def test_columns_may_come_in_any_order_with_a_byte_order_mark_and_quotes(lab: Lab):
    one = make_recording(6)
    gaze = "\ufeff" + formats.csv(
        '" gaze detected in reference image","timestamp [ns]",gaze position in reference image y [px],note,'
        "gaze position in reference image x [px],recording id",
        [f'{str(there).upper()},{at},{y},"a ""quoted"", note",{x},{one.id}' for at, there, x, y in one.samples],
        line_end="\r\n",
    )
    told = await lab.load({"gaze": ("g.csv", gaze)}, name="R", start_time_ns=str(START_NS), wearer_name="Ada")
    assert (told["name"], told["gaze_samples"], told["warnings"]) == ("R", 600, [])
    one.fixations.clear()
    await check_statistics(lab, [one])


async def test_rows_out_of_order_are_sorted(lab: Lab):
    one = make_recording(7)
    files = reference_image_files([one])
    for part in ("gaze", "fixations"):
        header, *rows = files[part][1].splitlines()
        np.random.default_rng(1).shuffle(rows)
        files[part] = (files[part][0], "\n".join([header, *rows]))
    await lab.load(files)
    await check_statistics(lab, [one])


# Files of the scene camera, which lie on no plane until someone maps them.


async def check_scene_camera(lab: Lab, mapper: str, one: Recording) -> None:
    recording = await lab.ask("GET", f"{lab.place}/recordings/{one.id}")
    assert recording["duration_ns"] == formats.end_ns(one) - START_NS
    gaze = await lab.ask("GET", f"{lab.place}/recordings/{one.id}/gaze.json")
    # Whole pixels: the client's model takes nothing else.
    seen = [(round(x), round(y), int(worn)) for _, worn, x, y in one.samples]
    assert [(row["x"], row["y"], row["worn"]) for row in gaze] == seen
    assert [row["start_timestamp"] for row in gaze] == [(at - START_NS) / 1e9 for at, *_ in one.samples]
    placed = await lab.ask("GET", f"{mapper}/recordings/{one.id}/fixations")
    assert [row["fixation_id"] for row in placed["fixations"]] == [number for number, *_ in one.fixations]
    assert placed["checked_fixations"] == 0


async def test_timeseries_download_holds_recordings_by_folder(lab: Lab):
    mapper = await by_hand(lab)
    recordings = [make_recording(8), make_recording(9, "Bob")]
    folders = {f"Timeseries Data/Walk-{one.id[:8]}": formats.timeseries(one) for one in recordings}
    told = await lab.load(archive(folders))
    assert [(row["name"], row["recording_id"]) for row in told["recordings"]] == [
        ("Walk", one.id) for one in recordings
    ]
    for one in recordings:
        await check_scene_camera(lab, mapper, one)
    events = await lab.ask("GET", f"{lab.place}/recordings/{recordings[0].id}/events")
    assert [(event["name"], event["offset_s"]) for event in events] == [
        ("recording.begin", 0.0),
        ("stimulus", 1.0),
        ("recording.end", 3.5),
    ]


async def test_neon_player_files_of_the_scene_camera(lab: Lab):
    mapper = await by_hand(lab)
    one = make_recording(10)
    files = formats.neon_player(one, surface=None)
    told = await lab.load(parts(files, "gaze.csv", "fixations.csv", "events.csv"), name="Walk")
    assert (told["recording_id"], told["name"], told["warnings"]) == (one.id, "Walk", [])
    await check_scene_camera(lab, mapper, one)


async def test_neon_player_surface_takes_the_recording_from_its_events(lab: Lab):
    await on_surface(lab)
    one = make_recording(11)
    told = await lab.load(archive({"2025-11-26_10-00-00": formats.neon_player(one)}), wearer_name="Ada")
    # Without a warning: the start is that of the events, not the first sample. Only the section begins with that.
    assert (told["recording_id"], told["warnings"]) == (one.id, [])
    await check_statistics(lab, [one], section_ns=one.samples[0][0])


async def test_neon_player_export_of_two_surfaces_is_refused(lab: Lab):
    await on_surface(lab)
    one = make_recording(12)
    files = formats.neon_player(one) | formats.on_surface(one, "Poster")
    message = await lab.load(archive({"export": files}), 400)
    assert "Screen.csv" in message
    assert "Poster.csv" in message


async def test_rec_export_takes_the_recording_from_the_folder_above(lab: Lab):
    mapper = await by_hand(lab)
    one = make_recording(13)
    folders = {
        "2025-10-17-06-53-08": {"info.json": formats.info(one), "gaze ps1.raw": b"\0"},
        "2025-10-17-06-53-08/export": formats.rec_export(one),
    }
    told = await lab.load(archive(folders))
    assert (told["recording_id"], told["name"], told["warnings"]) == (one.id, "2025-10-17-06-53-08", [])
    await check_scene_camera(lab, mapper, one)


async def test_rec_export_alone_is_given_what_it_does_not_say(lab: Lab):
    mapper = await by_hand(lab)
    one = make_recording(14)
    wanted = parts(formats.rec_export(one), "gaze.csv", "fixations.csv", "events.csv")
    told = await lab.load(wanted, name="Walk", recording_id=one.id)
    assert (told["recording_id"], told["warnings"]) == (one.id, [])
    await check_scene_camera(lab, mapper, one)


async def test_scene_camera_gaze_in_an_image_mapper_is_kept_but_counts_nowhere(lab: Lab):
    one = make_recording(15)
    told = await lab.load(archive({"Walk": formats.timeseries(one)}))
    assert "no plane" in told["warnings"][0]
    await lab.draw("ring", RING)
    row = (await lab.statistics())["metrics"][0]
    assert (row["total_fixations"], row["gaze_samples"]) == (0, 0)
    assert len(await lab.ask("GET", f"{lab.place}/recordings/{one.id}/gaze.json")) == 600


# What is known of a recording.


@pytest.mark.parametrize(
    ("source", "start_ns", "warns"),
    [
        ("given", START_NS - 7_000_000, False),
        ("events", START_NS, False),
        ("info", START_NS, False),
        ("begin", START_NS, False),
        ("section", START_NS, True),
        ("sample", START_NS + 500_000_000, True),
    ],
)
async def test_start_is_the_first_that_is_said(lab: Lab, source: str, start_ns: int, warns: bool):
    one = make_recording(16)
    files: dict[str, Any] = reference_image_files([one])
    sections = files.pop("sections")
    fields = {"name": "R"}
    if source == "given":
        fields["start_time_ns"] = str(start_ns)
    if source in {"given", "events"}:
        files["events"] = ("events.csv", formats.events(one))
    if source == "info":
        files["info"] = ("info.json", formats.info(one))
    if source == "begin":
        files["sections"] = sections
    if source == "section":
        files["sections"] = (sections[0], sections[1].replace("recording.begin", "task.start"))
    told = await lab.load(files, **fields)
    assert bool(told["warnings"]) == warns
    await lab.draw("all", rectangle(0, 0, WIDTH, HEIGHT))
    first = next(start for _, start, _, there, x, y in one.fixations if there and 0 <= x < WIDTH and 0 <= y < HEIGHT)
    row = (await lab.statistics())["metrics"][0]
    assert row["time_to_first_fixation_ms"] == round((first - start_ns) / 1e6)


async def test_wearer_is_found_by_name_or_made(lab: Lab):
    ada = await lab.ask("POST", f"{lab.place}/wearers/", json={"name": "Ada"})
    recordings = [make_recording(17), make_recording(18, "Bob")]
    await lab.load(reference_image_files(recordings))
    wearers = {one["name"]: one["id"] for one in await lab.ask("GET", f"{lab.place}/wearers/")}
    assert sorted(wearers) == ["Ada", "Bob"]
    mine = await lab.ask("GET", f"{lab.place}/recordings/{recordings[0].id}")
    assert mine["wearer_id"] == wearers["Ada"] == ada["id"]


async def test_same_recording_in_another_enrichment_is_attached_not_copied(lab: Lab):
    one = make_recording(19)
    await lab.load(reference_image_files([one]))
    await on_surface(lab)
    await lab.load(archive({"": formats.marker_mapper([one])}))
    listed = await lab.ask("GET", f"{lab.place}/recordings/")
    assert [row["id"] for row in listed] == [one.id]
    await check_statistics(lab, [one])
