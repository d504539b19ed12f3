"""Imports that cannot be: what is said, and that nothing of them stays."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from quadrat.storage.blobs import BlobStore
from support import gaze_formats as formats
from support.gaze import Lab, Recording, make_recording, rectangle, to_files

pytestmark = pytest.mark.anyio
Files = dict[str, tuple[str, Any]]


def change_line(files: Files, part: str, line: int, change: Callable[[list[str]], list[str]]) -> Files:
    """The header is line 1, its values are changed as a list."""
    name, text = files[part]
    lines = text.split("\n")
    lines[line - 1] = ",".join(change(lines[line - 1].split(",")))
    return {**files, part: (name, "\n".join(lines))}


def put(index: int, value: str) -> Callable[[list[str]], list[str]]:
    return lambda values: [*values[:index], value, *values[index + 1 :]]


BAD_VALUES: list[tuple[str, int, Callable[[list[str]], list[str]], str]] = [
    ("gaze", 400, put(2, "soon"), "gaze.csv, line 400: timestamp [ns] is 'soon'"),
    ("gaze", 2, put(2, ""), "gaze.csv, line 2: timestamp [ns] is missing"),
    ("gaze", 2, put(2, "1.7606767e18"), "gaze.csv, line 2: timestamp [ns] is '1.7606767e18'"),
    ("gaze", 601, put(3, "perhaps"), "gaze.csv, line 601: gaze detected in reference image is 'perhaps'"),
    ("gaze", 17, put(4, "1,5".replace(",", ";")), "gaze.csv, line 17: gaze position in reference image x [px] is"),
    ("gaze", 5, put(1, "no-uuid"), "gaze.csv"),
    ("gaze", 9, lambda values: [*values, "more", "and more"], "gaze.csv, line 9: 10 values, but the header has 8"),
    ("fixations", 3, put(4, "1"), "fixations.csv, line 3: the fixation ends before it starts"),
    ("fixations", 4, put(1, str(uuid4())), "fixations.csv, line 4: recording"),
    ("fixations", 2, put(2, "first"), "fixations.csv, line 2: fixation id is 'first'"),
    ("sections", 2, put(6, "1"), "sections.csv, line 2: the section ends before it starts"),
    ("gaze", 1, put(3, "gaze detected"), "gaze.csv, line 1: missing columns: gaze detected in reference image or"),
    ("gaze", 1, put(4, "x"), "gaze.csv, line 1: missing columns: gaze position in reference image x [px]"),
    ("fixations", 1, put(3, "start"), "fixations.csv, line 1: missing columns: start timestamp [ns]"),
]


@pytest.mark.parametrize(("part", "line", "change", "message"), BAD_VALUES)
async def test_refusal_names_file_and_line_and_nothing_is_stored(
    lab: Lab, part: str, line: int, change: Callable[[list[str]], list[str]], message: str
):
    files = change_line(to_files([make_recording(1)]), part, line, change)
    said = await lab.load(files, 400)
    assert message in said, said
    assert await lab.ask("GET", f"{lab.place}/recordings/") == []
    assert await lab.ask("GET", f"{lab.place}/wearers/") == []
    assert (await lab.statistics())["recording_ids"] == []


async def test_second_recording_that_is_wrong_keeps_the_first_out(lab: Lab):
    good, bad = make_recording(2), make_recording(3)
    files = change_line(to_files([good, bad]), "gaze", 1201, put(2, "x"))
    await lab.load(files, 400)
    assert await lab.ask("GET", f"{lab.place}/recordings/") == []


OTHER: list[tuple[Files, dict[str, str], int, str]] = [
    ({"gaze": ("gaze.csv", b"")}, {"name": "R"}, 400, "no header"),
    ({"gaze": ("gaze.csv", b"\xff\xfe\x00g")}, {"name": "R"}, 400, "UTF-8"),
    ({"archive": ("a.zip", b"no zip")}, {}, 400, "cannot be read"),
    ({"archive": ("a.zip", formats.pack({"": {"readme.txt": "x"}}))}, {}, 400, "neither gaze.csv nor"),
    ({"info": ("info.json", b"{}")}, {}, 400, "Send gaze, fixations or an archive"),
    ({**to_files([Recording(samples=[(1, True, 1.0, 1.0)])]), "info": ("info.json", b"{\n\n1}")}, {}, 400, "line 3"),
    (to_files([Recording(samples=[(1, True, 1.0, 1.0)])]), {"start_time_ns": "soon"}, 400, "start_time_ns"),
    (to_files([Recording(samples=[(1, True, 1.0, 1.0)])]), {"recording_id": "x"}, 400, "no UUID"),
    (to_files([Recording(samples=[(1, True, 1.0, 1.0)])]), {"replace": "maybe"}, 400, "replace"),
]


@pytest.mark.parametrize(("files", "fields", "status", "message"), OTHER)
async def test_upload_that_is_no_import_is_refused(
    lab: Lab, files: Files, fields: dict[str, str], status: int, message: str
):
    said = await lab.load(files, status, **fields)
    assert message in said, said
    assert await lab.ask("GET", f"{lab.place}/recordings/") == []


async def test_recording_without_a_name_is_refused(lab: Lab):
    files = to_files([make_recording(4)])
    del files["sections"]
    assert "name" in await lab.load(files, 400)


async def test_recording_that_is_there_is_a_conflict_until_it_is_replaced(lab: Lab):
    first, second = make_recording(5), make_recording(6)
    second.id, second.section = first.id, first.section
    await lab.load(to_files([first]))
    assert first.id in await lab.load(to_files([second, make_recording(7)]), 409)
    assert [row["id"] for row in await lab.ask("GET", f"{lab.place}/recordings/")] == [first.id]
    await lab.load(to_files([second]), replace="true")
    await lab.draw("all", rectangle(0, 0, 400, 300))
    inside = sum(there and 0 <= x < 400 and 0 <= y < 300 for _, there, x, y in second.samples)
    assert (await lab.statistics())["metrics"][0]["gaze_samples"] == inside


async def test_two_imports_of_one_recording_at_once_leave_one(lab: Lab):
    files = to_files([make_recording(8)])
    url = f"{lab.at}/recordings:import"
    answers = await asyncio.gather(*(lab.client.post(url, files=files) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert len(await lab.ask("GET", f"{lab.place}/recordings/")) == 1


async def test_import_into_a_kind_without_a_plane_is_a_conflict(lab: Lab):
    lab.enrichment = await lab.new_enrichment("face-mapper")
    await lab.load(to_files([make_recording(9)]), 409)


async def test_more_than_the_limit_is_too_large(lab: Lab):
    big = b"x" * (65 * 1024**2)
    assert (await lab.load({"gaze": ("gaze.csv", big)}, 413)) != ""


# What is gone leaves no bytes.


def folders(blobs: BlobStore, part: str) -> list[str]:
    root = blobs.local_root
    assert root is not None
    return sorted(str(path.relative_to(root)) for path in Path(root, "gaze", part).glob("**/*") if path.is_file())


async def gone(blobs: BlobStore, part: str, names: list[str]) -> None:
    async with asyncio.timeout(60):
        while set(folders(blobs, part)) & set(names):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", ["recording", "replaced", "enrichment", "project"])
async def test_bytes_go_with_what_owned_them(lab: Lab, how: str):
    blobs: BlobStore = lab.house.state["blobs"]
    before = set(folders(blobs, "data"))
    one = make_recording(10)
    await lab.load(to_files([one]))
    added = sorted(set(folders(blobs, "data")) - before)
    assert len(added) == 6
    project = f"{lab.place}/projects/{lab.project}"
    if how == "recording":
        await lab.ask("DELETE", f"{lab.place}/recordings/{one.id}")
    elif how == "enrichment":
        await lab.ask("DELETE", lab.at)
    elif how == "project":
        await lab.ask("DELETE", project)
    else:
        await lab.load(to_files([one]), replace="true")
    await gone(blobs, "data", added)
    if how == "replaced":
        await lab.draw("all", rectangle(0, 0, 400, 300))
        assert (await lab.statistics())["metrics"][0]["gaze_samples"] > 0


async def test_uploads_of_an_import_go_when_it_is_done(lab: Lab):
    blobs: BlobStore = lab.house.state["blobs"]
    before = set(folders(blobs, "uploads"))
    await lab.load(to_files([make_recording(11)]))
    assert set(folders(blobs, "uploads")) <= before
