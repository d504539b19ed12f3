"""Exports: in the layout that other tools read, and read back by our own import with equal statistics."""

import csv
import io
import zipfile
from typing import Any

import numpy as np
import pytest

from support import gaze_formats as formats
from support.gaze import HEIGHT, WIDTH, Lab, expected, make_recording, png, rectangle, set_up, to_files

pytestmark = pytest.mark.anyio

ENTRIES = [
    "sections.csv",
    "gaze.csv",
    "fixations.csv",
    "aoi_fixations.csv",
    "aoi_metrics.csv",
    "reference_image.png",
    "enrichment_info.txt",
    "events.csv",
]
MASKS = {
    'ring, "big"': rectangle(50, 60, 300, 200) & ~rectangle(100, 100, 200, 150),
    "over": rectangle(150, 120, 390, 280),
    "silent": rectangle(WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT),
}


async def export(lab: Lab, recordings: list[str] | None = None, *, by_post: bool = False) -> zipfile.ZipFile:
    ids = recordings or []
    if by_post:
        answer = await lab.client.post(f"{lab.at}/export", json={"recording_ids": ids})
    else:
        answer = await lab.client.get(f"{lab.at}/export", params={"recording_ids": ids})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def rows(archive: zipfile.ZipFile, name: str) -> list[list[str]]:
    text = archive.read(name).decode()
    assert "\r" not in text
    assert not text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text)))


async def draw_all(lab: Lab) -> None:
    for name, inside in MASKS.items():
        await lab.draw(name, inside)


async def on_kind(lab: Lab, kind: str) -> None:
    """An enrichment of this kind from here on."""
    if kind == "marker-mapper":
        surface = await lab.ask("POST", f"{lab.place}/surfaces/", json={"name": "Screen"})
        lab.enrichment = await lab.new_enrichment(kind, surface_id=surface["id"])
    elif kind == "static-image-mapper":
        file = await lab.upload(png(np.full((HEIGHT, WIDTH, 3), 200, np.uint8)))
        body = {"name": "M", "from_event_name": "recording.begin", "to_event_name": "recording.end"}
        at = f"{lab.place}/projects/{lab.project}/mappers/static/"
        lab.enrichment = (await lab.ask("POST", at, 201, json={**body, "static_image_id": file}))["id"]


def without_ids(found: Any) -> Any:
    """Statistics without what is made anew for each area."""
    return [
        [{name: row[name] for name in row if name != "aoi_id"} for row in found[part]] for part in ("aois", "metrics")
    ]


@pytest.mark.parametrize("kind", ["slam-mapper", "marker-mapper", "static-image-mapper"])
async def test_export_read_back_by_another_lab_gives_equal_statistics(lab: Lab, kind: str):
    recordings = [make_recording(1), make_recording(2, "Bob")]
    await on_kind(lab, kind)
    if kind == "slam-mapper":
        await lab.load(to_files(recordings))
    else:
        files = formats.marker_mapper(recordings) if kind == "marker-mapper" else formats.manual_mapper(recordings)
        await lab.load({"archive": ("a.zip", formats.pack({"": files}))})
    await draw_all(lab)
    found = await lab.statistics()
    archive = await export(lab)
    other = await set_up(lab.house)
    await on_kind(other, kind)
    assert archive.fp is not None
    archive.fp.seek(0)
    told = await other.load({"archive": ("export.zip", archive.fp.read())})
    assert [row["warnings"] for row in told["recordings"]] == [[], []]
    await draw_all(other)
    again = await other.statistics()
    assert without_ids(again) == without_ids(found)
    assert again["coverage"] == found["coverage"]
    # And once more: what was read back is written as it was.
    second = await export(other)
    for name in ("sections.csv", "fixations.csv", "gaze.csv"):
        if name in archive.namelist():
            kept = [row[:3] + row[5:] if name == "sections.csv" else row for row in rows(archive, name)]
            assert kept == [row[:3] + row[5:] if name == "sections.csv" else row for row in rows(second, name)]


async def test_export_has_the_layout_that_gazeplotter_reads(lab: Lab):
    recordings = [make_recording(3), make_recording(4, "Bob")]
    await lab.load(to_files(recordings))
    await draw_all(lab)
    archive = await export(lab)
    assert archive.namelist() == ENTRIES
    # It takes the first entry whose name contains this, and reads by position, splitting on bare commas.
    assert next(name for name in archive.namelist() if "fixations.csv" in name) == "fixations.csv"
    header, *hits = rows(archive, "aoi_fixations.csv")
    assert header == [
        "aoi id", "aoi name", "section id", "recording id", "fixation id", "fixation duration [ms]",
    ]  # fmt: skip
    wanted = {
        name: sum(expected(one, inside)["total_fixations"] for one in recordings) for name, inside in MASKS.items()
    }
    assert {name: sum(row[1] == name for row in hits) for name in MASKS} == wanted
    lengths = {(one.id, str(number)): (start, end) for one in recordings for number, start, end, *_ in one.fixations}
    for row in hits:
        start, end = lengths[row[3], row[4]]
        assert int(row[5]) == round((end - start) / 1e6)
    truncated = {(row[1], row[2]): int(row[5]) for row in rows(archive, "fixations.csv")[1:]}
    assert truncated == {key: (end - start) // 1_000_000 for key, (start, end) in lengths.items()}


async def test_metrics_of_an_export_are_those_of_the_statistics(lab: Lab):
    recordings = [make_recording(5), make_recording(6, "Bob")]
    await lab.load(to_files(recordings))
    await draw_all(lab)
    header, *found = rows(await export(lab, by_post=True), "aoi_metrics.csv")
    assert header == [
        "aoi id", "recording id", "recording name", "aoi name", "average fixation duration [ms]", "total fixations",
        "time to first fixation [ms]", "total fixation duration [ms]",
    ]  # fmt: skip
    wanted = [(name, one.id, expected(one, inside)) for name, inside in MASKS.items() for one in recordings]
    assert [(row[3], row[1]) for row in found] == [(name, id_) for name, id_, _ in wanted]
    for row, (_, _, metrics) in zip(found, wanted, strict=True):
        count, total = metrics["total_fixations"], metrics["total_fixation_duration_ms"]
        first = metrics["time_to_first_fixation_ms"]
        assert row[4:] == ([str(total // count), str(count), str(first), str(total)] if count else ["", "0", "", ""])


async def test_export_of_some_recordings_and_of_none(lab: Lab):
    assert rows(await export(lab), "aoi_metrics.csv")[1:] == []
    recordings = [make_recording(7), make_recording(8)]
    await lab.load(to_files(recordings))
    archive = await export(lab, [recordings[1].id])
    assert {row[1] for row in rows(archive, "gaze.csv")[1:]} == {recordings[1].id}
    await lab.ask("GET", f"{lab.at}/export", 404, params={"recording_ids": "nothing"})
    lab.enrichment = await lab.new_enrichment("face-mapper")
    await lab.ask("GET", f"{lab.at}/export", 409)
